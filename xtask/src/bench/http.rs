//! A minimal HTTP/1.1 reader for the load generator and the upstream, cheap compared with the measured
//! Workers.

use std::io::{self, BufRead, Read};

/// A complete message.
#[derive(Debug)]
pub(super) struct Message {
    /// The request line or the status line, without its line end.
    pub(super) start: String,
    /// The decoded body.
    pub(super) body: Vec<u8>,
}

impl Message {
    /// The status of a response.
    pub(super) fn status(&self) -> Option<u16> {
        self.start.split(' ').nth(1)?.parse().ok()
    }
}

/// Reads the next message of a persistent connection; `None` if the connection was closed before it.
pub(super) fn read_message(connection: &mut impl BufRead) -> io::Result<Option<Message>> {
    let Some(start) = read_line(connection)? else {
        return Ok(None);
    };
    let mut length = None;
    let mut chunked = false;
    loop {
        let line = read_line(connection)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(io::Error::other("a header without a colon"));
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse().map_err(io::Error::other)?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.trim().eq_ignore_ascii_case("chunked");
        }
    }
    let body = if chunked {
        read_chunks(connection)?
    } else {
        read_exactly(connection, length.unwrap_or(0))?
    };
    Ok(Some(Message { start, body }))
}

fn read_line(connection: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Some(line))
}

fn read_exactly(connection: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if connection.by_ref().take(length).read_to_end(&mut body)? as u64 == length {
        Ok(body)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn read_chunks(connection: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(connection)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = u64::from_str_radix(&line, 16).map_err(io::Error::other)?;
        body.append(&mut read_exactly(connection, size)?);
        read_line(connection)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::read_message;

    #[test]
    fn messages_with_length_and_chunked_messages_are_read_in_sequence() {
        let bytes = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc\
                     HTTP/1.1 429 No\r\ntransfer-encoding: chunked\r\n\r\n2\r\nde\r\nA\r\n0123456789\r\n0\r\n\r\n\
                     POST / HTTP/1.1\r\nhost: x\r\n\r\n";
        let mut connection = BufReader::new(Cursor::new(bytes));
        let mut next = || read_message(&mut connection).expect("readable");
        let first = next().expect("a message");
        assert_eq!(
            (first.status(), first.body.as_slice()),
            (Some(200), b"abc".as_slice())
        );
        let second = next().expect("a message");
        assert_eq!(
            (second.status(), second.body.as_slice()),
            (Some(429), b"de0123456789".as_slice())
        );
        assert_eq!(next().expect("a message").start, "POST / HTTP/1.1");
        assert!(next().is_none());
    }

    #[test]
    fn a_truncated_message_is_an_error() {
        for bytes in [
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\n",
        ] {
            assert!(read_message(&mut BufReader::new(Cursor::new(bytes))).is_err());
        }
    }
}
