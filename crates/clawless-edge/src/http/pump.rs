//! Writes a stream to the body of a response.
//!
//! The runtime reads the body from a stream of its own, so that it does not call wasm for every piece.

use std::rc::Rc;

use futures_util::future::{Either, LocalBoxFuture, select};
use futures_util::{FutureExt, StreamExt};
use wasm_bindgen::JsValue;
use worker::web_sys::{ReadableStream, WritableStreamDefaultWriter};

use super::delivery::{Interrupted, Pages};
use crate::crossing;
use crate::promise::PromiseFuture;
use crate::tasks::Tasks;

/// Pieces that are ready at once are written together up to this many bytes: 16 KiB. A write costs more
/// than copying them.
const MAX_JOINED_BYTES: usize = 16 * 1024;

/// A body that a task fills with the pieces of a stream. The stream is dropped when the reader leaves.
///
/// # Errors
/// What the runtime throws instead of a writer.
pub(super) fn into_body(pieces: Pages, tasks: &Rc<Tasks>) -> Result<ReadableStream, JsValue> {
    let channel = crossing::channel();
    let writer = channel.writable().get_writer()?;
    tasks.spawn(write_all(pieces, writer));
    Ok(channel.readable())
}

/// Writes all pieces, then ends the body; without an end if a piece is an error.
fn write_all(
    mut pieces: Pages,
    writer: WritableStreamDefaultWriter,
) -> LocalBoxFuture<'static, ()> {
    let work = async move {
        // Rejects when the reader has left.
        let mut left = PromiseFuture::from(writer.closed());
        loop {
            let mut read = match select(pieces.next(), &mut left).await {
                Either::Left((piece, _)) => JoinedPieces::of(piece),
                Either::Right(_) => return,
            };
            read.join(&mut pieces);
            let is_last = read.end == Some(Ok(()));
            let write = crossing::write(&writer, &read.bytes, is_last);
            if PromiseFuture::from(write).await.is_err() || is_last {
                return;
            }
            if let Some(Err(error)) = read.end {
                let aborted = writer.abort_with_reason(&error.to_string().into());
                // Whether the reader gets the error or has left makes no difference.
                let _ = PromiseFuture::from(aborted).await;
                return;
            }
        }
    };
    work.boxed_local()
}

/// Pieces that were ready at once, joined.
#[derive(Debug, Default, PartialEq, Eq)]
struct JoinedPieces {
    bytes: Vec<u8>,
    /// The end of the pieces, if it was reached.
    end: Option<Result<(), Interrupted>>,
}

impl JoinedPieces {
    fn of(piece: Option<Result<Vec<u8>, Interrupted>>) -> Self {
        let (bytes, end) = match piece {
            Some(Ok(bytes)) => (bytes, None),
            Some(Err(error)) => (Vec::new(), Some(Err(error))),
            None => (Vec::new(), Some(Ok(()))),
        };
        Self { bytes, end }
    }

    /// Adds the pieces that are ready, up to [`MAX_JOINED_BYTES`].
    fn join(&mut self, pieces: &mut Pages) {
        while self.end.is_none() && self.bytes.len() < MAX_JOINED_BYTES {
            let Some(piece) = pieces.next().now_or_never() else {
                return;
            };
            let Self { bytes, end } = Self::of(piece);
            self.bytes.extend(bytes);
            self.end = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream::{iter, pending};

    use super::*;

    fn read(mut pieces: Pages) -> JoinedPieces {
        let first = pieces.next().now_or_never().expect("a piece is ready");
        let mut read = JoinedPieces::of(first);
        read.join(&mut pieces);
        read
    }

    #[test]
    fn pieces_that_are_ready_are_joined() {
        let pieces = || iter([Ok(b"a".to_vec()), Ok(b"b".to_vec())]);
        let waiting = read(pieces().chain(pending()).boxed_local());
        assert_eq!((waiting.bytes.as_slice(), waiting.end), (&b"ab"[..], None));
        let ended = read(pieces().boxed_local());
        assert_eq!(
            (ended.bytes.as_slice(), ended.end),
            (&b"ab"[..], Some(Ok(())))
        );
        let broken = pieces().chain(iter([Err(Interrupted), Ok(b"c".to_vec())]));
        let broken = read(broken.boxed_local());
        assert_eq!(broken.bytes, b"ab", "nothing after the error");
        assert_eq!(broken.end, Some(Err(Interrupted)));
    }

    #[test]
    fn a_long_piece_is_written_alone() {
        let long = || Ok(vec![7; MAX_JOINED_BYTES]);
        let read = read(iter([long(), long()]).boxed_local());
        assert_eq!((read.bytes.len(), read.end), (MAX_JOINED_BYTES, None));
    }
}
