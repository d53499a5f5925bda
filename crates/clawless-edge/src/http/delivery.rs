//! Sends an answer at the speed of its reader: a page is produced only when the previous one has been
//! taken, and a reader without progress ends the answer.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use clawless_core::time::{Clock, Millis, Timer, timeout};
use futures_channel::mpsc;
use futures_util::future::{Either, LocalBoxFuture, select};
use futures_util::stream::LocalBoxStream;
use futures_util::{FutureExt, SinkExt, Stream, StreamExt};

use super::load::Permit;

/// How long a reader may take for one piece before the answer ends.
pub const READER_TIMEOUT: Millis = Millis::from_secs(30);

/// The bytes of one piece: small, so that a slow reader shows progress.
const PIECE_BYTES: usize = 16 * 1024;

/// The counted copies of a page: the rows that it is made of, and its text.
const PAGE_COPIES: usize = 2;

/// The pages of an answer.
pub type Pages = LocalBoxStream<'static, Result<Vec<u8>, Interrupted>>;

/// An answer ended before its end. The connection is closed, so that the client notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer was interrupted")]
pub struct Interrupted;

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Complete,
    ReaderLeft,
    ReaderStalled,
    Failed,
}

/// The body that a client reads, and the task that fills it. The task needs to run to its end even if
/// the client leaves, as `departure` tells: it holds the permit.
pub fn deliver<T: Clock + Timer + 'static>(
    pages: Pages,
    permit: impl Into<Rc<Permit>>,
    time: T,
    departure: impl Future<Output = ()> + 'static,
) -> (Pages, LocalBoxFuture<'static, ()>) {
    let (sender, receiver) = mpsc::channel(0);
    let permit: Rc<Permit> = permit.into();
    let is_broken = Rc::new(Cell::new(true));
    let body = Delivered {
        receiver,
        is_broken: is_broken.clone(),
    };
    let task = async move {
        let sending = send(pages, &permit, &time, sender, &is_broken).boxed_local();
        let ending = match select(sending, departure.boxed_local()).await {
            Either::Left((ending, _)) => ending,
            Either::Right(_) => Ending::ReaderLeft,
        };
        match ending {
            Ending::Complete => {}
            Ending::ReaderLeft => tracing::info!("client left during its answer"),
            Ending::ReaderStalled => tracing::warn!("answer ended, client stalled"),
            Ending::Failed => tracing::warn!("answer interrupted"),
        }
    };
    (body.boxed_local(), task.boxed_local())
}

async fn send<T: Clock + Timer>(
    mut pages: Pages,
    permit: &Permit,
    time: &T,
    mut sender: mpsc::Sender<Vec<u8>>,
    is_broken: &Cell<bool>,
) -> Ending {
    loop {
        let page = match pages.next().await {
            None => {
                is_broken.set(false);
                return Ending::Complete;
            }
            Some(Ok(page)) => page,
            Some(Err(Interrupted)) => return Ending::Failed,
        };
        permit.resize(page.len().saturating_mul(PAGE_COPIES));
        permit.pay(page.len(), time.now());
        for piece in page.chunks(PIECE_BYTES) {
            permit.renew(time.now());
            // Completes when the reader has taken the piece.
            match timeout(time, READER_TIMEOUT, sender.send(piece.to_vec())).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Ending::ReaderLeft,
                Err(_) => return Ending::ReaderStalled,
            }
        }
        permit.pace(time).await;
    }
}

/// The pieces that the task sends. It ends with an error if the task ends early.
struct Delivered {
    receiver: mpsc::Receiver<Vec<u8>>,
    is_broken: Rc<Cell<bool>>,
}

impl Stream for Delivered {
    type Item = Result<Vec<u8>, Interrupted>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver
            .poll_next_unpin(context)
            .map(|piece| match piece {
                Some(piece) => Some(Ok(piece)),
                None => self.is_broken.replace(false).then_some(Err(Interrupted)),
            })
    }
}

#[cfg(test)]
mod tests;
