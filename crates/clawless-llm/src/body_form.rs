//! Detects the form of a response body: some servers send a JSON document although events were
//! requested, or events although a document was requested.

use crate::sse::SseError;

/// The maximum size of a document that is received instead of events: 16 MiB.
const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;

/// The byte order mark of UTF-8.
const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Beginnings of an event stream: its fields, and a comment.
const FIELDS: [&[u8]; 5] = [b"data:", b"event:", b"id:", b"retry:", b":"];

/// The form of a body, known from its first byte that is neither white space nor a byte order mark.
#[derive(Debug, Default)]
pub(crate) enum BodyForm {
    #[default]
    Unknown,
    Events,
    /// A document, so far.
    Document(Vec<u8>),
}

impl BodyForm {
    /// Takes more bytes. Returns them if they belong to events; those of a document are kept.
    pub(crate) fn push<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, SseError> {
        if matches!(self, Self::Unknown) {
            let rest = without_lead(bytes);
            match rest.first() {
                None => return Ok(Some(bytes)),
                Some(b'{' | b'[') => *self = Self::Document(Vec::new()),
                Some(_) => *self = Self::Events,
            }
            if matches!(self, Self::Document(_)) {
                return self.push(rest);
            }
        }
        let Self::Document(document) = self else {
            return Ok(Some(bytes));
        };
        if document.len().saturating_add(bytes.len()) > MAX_DOCUMENT_BYTES {
            return Err(SseError::TooLong(MAX_DOCUMENT_BYTES));
        }
        document.extend_from_slice(bytes);
        Ok(None)
    }

    /// The document, if the body is one.
    pub(crate) fn take_document(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Document(document) => Some(std::mem::take(document)),
            Self::Unknown | Self::Events => None,
        }
    }
}

/// Whether a whole body consists of events.
pub(crate) fn is_events(body: &[u8]) -> bool {
    let body = without_lead(body);
    FIELDS.iter().any(|field| body.starts_with(field))
}

/// The bytes after white space and the byte order mark.
pub(crate) fn without_lead(bytes: &[u8]) -> &[u8] {
    let is_lead = |byte: &u8| byte.is_ascii_whitespace() || BOM.contains(byte);
    let start = bytes.iter().position(|byte| !is_lead(byte));
    start.and_then(|at| bytes.get(at..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events and the document of a body that is received in chunks of `size`.
    fn split(body: &[u8], size: usize) -> (Vec<u8>, Option<Vec<u8>>) {
        let (mut form, mut events) = (BodyForm::default(), Vec::new());
        for piece in body.chunks(size) {
            events.extend(form.push(piece).expect("short").unwrap_or_default());
        }
        (events, form.take_document())
    }

    #[test]
    fn the_first_significant_byte_decides() {
        for size in [1, 2, 5, 100] {
            for body in ["data: {}\n\n", ": x\n\n", "event: a\ndata: b\n\n", "", "\n"] {
                let expected = (body.as_bytes().to_vec(), None);
                assert_eq!(split(body.as_bytes(), size), expected, "{body}");
            }
            for body in ["{\"a\":1}", "\u{feff} \r\n{\"a\":1}", "\n\n{\"a\":1}"] {
                let (_, document) = split(body.as_bytes(), size);
                assert_eq!(document.as_deref(), Some(b"{\"a\":1}".as_slice()), "{body}");
            }
        }
        assert!(
            is_events(b"\n\ndata:{}") && is_events(b": x\n") && is_events(b"\xef\xbb\xbfevent: a")
        );
        assert!(!is_events(b"{\"data\":1}") && !is_events(b"<html>") && !is_events(b""));
    }
}
