//! A decoder of server-sent events without I/O.

use memchr::memchr2;

/// The maximum length of a whole response, and of a line and of the data of one event: 16 MiB, because
/// an image is sent in one event.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One event. `id` and `retry` are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// The event's name; empty if it has none.
    pub name: &'a str,
    /// The data, several `data:` lines joined by `\n`.
    pub data: &'a str,
}

/// Why an event stream is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// A line or an event's data exceeds the maximum.
    #[error("an event is longer than {0} bytes")]
    TooLong(usize),
    /// An event is not UTF-8.
    #[error("an event is not UTF-8")]
    NotUtf8,
}

/// The decoder. The events do not depend on chunk boundaries; each byte is processed once.
#[derive(Debug)]
pub struct SseDecoder {
    max_bytes: usize,
    /// The start of an incomplete line.
    line: Vec<u8>,
    /// The incomplete event.
    event: Pending,
    /// Whether the last line ended with `\r`: a following `\n` belongs to it.
    after_cr: bool,
    /// Whether no line was read yet. The first one may start with a byte order mark.
    at_start: bool,
}

#[derive(Debug, Default)]
struct Pending {
    name: Vec<u8>,
    data: Vec<u8>,
    /// Whether a `data` line was read, even an empty one.
    has_data: bool,
}

impl Default for SseDecoder {
    fn default() -> Self {
        Self::new(MAX_BYTES)
    }
}

impl SseDecoder {
    /// A decoder that accepts lines and events of up to `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            line: Vec::new(),
            event: Pending::default(),
            after_cr: false,
            at_start: true,
        }
    }

    /// Decodes more bytes and passes every complete event to `sink`. The decoder must not be used
    /// after an error.
    pub fn push<E: From<SseError>>(
        &mut self,
        mut bytes: &[u8],
        mut sink: impl FnMut(SseEvent<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let (true, Some((first, rest))) = (self.after_cr, bytes.split_first()) {
            self.after_cr = false;
            if *first == b'\n' {
                bytes = rest;
            }
        }
        while let Some(end) = memchr2(b'\n', b'\r', bytes) {
            let (piece, rest) = bytes.split_at(end);
            if self.line.is_empty() {
                self.take_line(piece, &mut sink)?;
            } else {
                self.store(piece)?;
                let mut line = std::mem::take(&mut self.line);
                let taken = self.take_line(&line, &mut sink);
                line.clear();
                self.line = line;
                taken?;
            }
            bytes = match rest {
                [b'\r'] => {
                    self.after_cr = true;
                    &[]
                }
                [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
                [] => &[],
            };
        }
        self.store(bytes)?;
        Ok(())
    }

    /// Ends the stream. The standard drops an event without its blank line. Some servers omit the
    /// last blank line, so the incomplete event is passed to `sink`, which must check it.
    pub fn end<E: From<SseError>>(
        &mut self,
        mut sink: impl FnMut(SseEvent<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(&line, &mut sink)?;
        }
        self.take_line(b"", &mut sink)
    }

    /// Buffers the start of a line.
    fn store(&mut self, piece: &[u8]) -> Result<(), SseError> {
        if self.line.len().saturating_add(piece.len()) > self.max_bytes {
            return Err(SseError::TooLong(self.max_bytes));
        }
        self.line.extend_from_slice(piece);
        Ok(())
    }

    fn take_line<E: From<SseError>>(
        &mut self,
        mut line: &[u8],
        sink: &mut impl FnMut(SseEvent<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        // The byte order mark counts towards the maximum, as in a buffered line.
        if line.len() > self.max_bytes {
            return Err(SseError::TooLong(self.max_bytes).into());
        }
        if std::mem::take(&mut self.at_start) {
            line = line.strip_prefix(BOM).unwrap_or(line);
        }
        if line.is_empty() {
            return self.event.dispatch(sink);
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => {
                let (field, value) = line.split_at(colon);
                let value = value.strip_prefix(b":").unwrap_or(value);
                (field, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, [].as_slice()),
        };
        match field {
            b"data" => self.event.add_data(value, self.max_bytes)?,
            b"event" => {
                self.event.name.clear();
                self.event.name.extend_from_slice(value);
            }
            // Comments have an empty field name; `id`, `retry` and others are ignored.
            _ => {}
        }
        Ok(())
    }
}

impl Pending {
    fn add_data(&mut self, value: &[u8], max_bytes: usize) -> Result<(), SseError> {
        if self.data.len().saturating_add(value.len()) >= max_bytes {
            return Err(SseError::TooLong(max_bytes));
        }
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(value);
        Ok(())
    }

    fn dispatch<E: From<SseError>>(
        &mut self,
        sink: &mut impl FnMut(SseEvent<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let result = if self.has_data {
            match (
                std::str::from_utf8(&self.name),
                std::str::from_utf8(&self.data),
            ) {
                (Ok(name), Ok(data)) => sink(SseEvent { name, data }),
                _ => Err(SseError::NotUtf8.into()),
            }
        } else {
            Ok(())
        };
        self.name.clear();
        self.data.clear();
        self.has_data = false;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Named = Vec<(String, String)>;
    type Events = Result<Named, SseError>;
    type Case<'a> = (&'a [u8], Named);

    /// Decodes `bytes` in chunks of `size`.
    fn decode(bytes: &[u8], size: usize, max_bytes: usize) -> Events {
        let mut decoder = SseDecoder::new(max_bytes);
        let mut events = Vec::new();
        for piece in bytes.chunks(size) {
            decoder.push(piece, |event| {
                events.push((event.name.to_owned(), event.data.to_owned()));
                Ok::<_, SseError>(())
            })?;
        }
        decoder.end(|event| {
            events.push((event.name.to_owned(), event.data.to_owned()));
            Ok::<_, SseError>(())
        })?;
        Ok(events)
    }

    fn data(list: &[&str]) -> Vec<(String, String)> {
        list.iter()
            .map(|text| (String::new(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn events_do_not_depend_on_chunk_size() {
        let cases: &[Case<'_>] = &[
            (b"data: a\n\ndata: b\n\n", data(&["a", "b"])),
            (b"data: a\r\n\r\ndata: b\r\n\r\n", data(&["a", "b"])),
            (b"data: a\r\rdata: b\r\r", data(&["a", "b"])),
            (b"data: a\r\n\ndata: b\n\r\n", data(&["a", "b"])),
            (b"\xef\xbb\xbfdata: a\n\n", data(&["a"])),
            (b"data:a\n\ndata:  b\n\n", data(&["a", " b"])),
            (b"data: a\ndata\ndata: b\n\n", data(&["a\n\nb"])),
            (b"data\n\n", data(&[""])),
            (
                b": keep-alive\n\nid: 7\nretry: 5\ndata: a\nodd\n\n",
                data(&["a"]),
            ),
            (
                b"event: ping\n\nevent: error\ndata: a\n\ndata: b\n\n",
                vec![
                    ("error".into(), "a".into()),
                    (String::new(), "b".to_owned()),
                ],
            ),
            (
                "data: n\u{e4}\u{6f22}\u{1f469}\u{200d}\u{10ffff}\u{2028}\n\n".as_bytes(),
                data(&["n\u{e4}\u{6f22}\u{1f469}\u{200d}\u{10ffff}\u{2028}"]),
            ),
            (b"data: [DONE]", data(&["[DONE]"])),
            (b"data: a\n", data(&["a"])),
            (b"", data(&[])),
        ];
        for (bytes, expected) in cases {
            for size in 1..=bytes.len().max(1) {
                let events = decode(bytes, size, 100);
                assert_eq!(
                    events.as_ref(),
                    Ok(expected),
                    "{} in {size}",
                    String::from_utf8_lossy(bytes)
                );
            }
        }
    }

    #[test]
    fn oversized_lines_and_events_are_errors() {
        let line = [b"data: ".as_slice(), &[b'x'; 200]].concat();
        let lines = b"data: 0123456789\n".repeat(20);
        for bytes in [line, lines] {
            for size in [1, 7, 1000] {
                assert_eq!(decode(&bytes, size, 100), Err(SseError::TooLong(100)));
            }
        }
    }

    #[test]
    fn invalid_utf8_is_an_error() {
        for size in [1, 3, 100] {
            let events = decode(b"data: \xff\xfe\n\n", size, 100);
            assert_eq!(events, Err(SseError::NotUtf8));
        }
    }

    #[test]
    fn four_megabytes_byte_by_byte_take_linear_time() {
        // A quadratic decoder would need 10^13 steps here.
        let mut decoder = SseDecoder::new(16 * 1024 * 1024);
        let mut seen = 0;
        for _ in 0..4 * 1024 * 1024 {
            let pushed = decoder.push::<SseError>(b":", |_| {
                seen += 1;
                Ok(())
            });
            assert_eq!(pushed, Ok(()));
        }
        assert_eq!(seen, 0);
    }
}
