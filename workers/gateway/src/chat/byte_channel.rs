//! The channel from a turn to its client: bounded by bytes, and counted against the isolate's memory.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use clawless_edge::http::Permit;
use futures_util::Stream;

/// The most bytes that wait for a slow client before the provider has to wait: 256 KiB.
const MAX_QUEUED_BYTES: usize = 256 * 1024;

/// The receiver is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

#[derive(Debug)]
struct Queue {
    chunks: VecDeque<Vec<u8>>,
    bytes: usize,
    permit: Rc<Permit>,
    sender: Option<Waker>,
    receiver: Option<Waker>,
    has_sender: bool,
    has_receiver: bool,
}

/// The end of the turn.
#[derive(Debug)]
pub struct ByteSender(Rc<RefCell<Queue>>);

/// The end of the client. Dropping it tells the sender.
#[derive(Debug)]
pub struct ByteReceiver(Rc<RefCell<Queue>>);

/// A channel whose queued bytes count against `permit`.
pub fn byte_channel(permit: Rc<Permit>) -> (ByteSender, ByteReceiver) {
    let queue = Rc::new(RefCell::new(Queue {
        chunks: VecDeque::new(),
        bytes: 0,
        permit,
        sender: None,
        receiver: None,
        has_sender: true,
        has_receiver: true,
    }));
    (ByteSender(queue.clone()), ByteReceiver(queue))
}

impl Queue {
    /// Whether a chunk may be queued now. An empty queue takes every chunk, so that each stream advances
    /// however full the isolate is.
    fn has_room(&self, chunk: &[u8]) -> bool {
        self.chunks.is_empty()
            || (self.bytes + chunk.len() <= MAX_QUEUED_BYTES && !self.permit.is_full())
    }

    fn push(&mut self, chunk: Vec<u8>) {
        self.bytes += chunk.len();
        self.permit.add(chunk.len());
        self.chunks.push_back(chunk);
        wake(&mut self.receiver);
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let chunk = self.chunks.pop_front()?;
        self.bytes -= chunk.len();
        self.permit.subtract(chunk.len());
        wake(&mut self.sender);
        Some(chunk)
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl ByteSender {
    /// Queues a chunk if there is room; otherwise gives it back.
    ///
    /// # Errors
    /// [`Closed`] if the receiver is gone.
    pub fn try_send(&self, chunk: Vec<u8>) -> Result<Option<Vec<u8>>, Closed> {
        let mut queue = self.0.borrow_mut();
        if !queue.has_receiver {
            return Err(Closed);
        }
        if !queue.has_room(&chunk) {
            return Ok(Some(chunk));
        }
        queue.push(chunk);
        Ok(None)
    }

    /// Queues a chunk when there is room.
    ///
    /// # Errors
    /// [`Closed`] if the receiver is gone.
    pub async fn send(&self, chunk: Vec<u8>) -> Result<(), Closed> {
        let mut chunk = Some(chunk);
        poll_fn(|context| {
            let Some(unsent) = chunk.take() else {
                return Poll::Ready(Ok(()));
            };
            match self.try_send(unsent) {
                Err(closed) => Poll::Ready(Err(closed)),
                Ok(None) => Poll::Ready(Ok(())),
                Ok(refused) => {
                    chunk = refused;
                    self.0.borrow_mut().sender = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Drop for ByteSender {
    fn drop(&mut self) {
        let mut queue = self.0.borrow_mut();
        queue.has_sender = false;
        wake(&mut queue.receiver);
    }
}

impl Stream for ByteReceiver {
    type Item = Vec<u8>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut queue = self.0.borrow_mut();
        match queue.pop() {
            Some(chunk) => Poll::Ready(Some(chunk)),
            None if queue.has_sender => {
                queue.receiver = Some(context.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(None),
        }
    }
}

impl Drop for ByteReceiver {
    fn drop(&mut self) {
        let mut queue = self.0.borrow_mut();
        while queue.pop().is_some() {}
        queue.has_receiver = false;
        wake(&mut queue.sender);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::task::noop_waker_ref;
    use futures_util::{FutureExt, StreamExt};

    use super::*;

    fn poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Poll<T> {
        future.poll_unpin(&mut Context::from_waker(noop_waker_ref()))
    }

    #[test]
    fn chunks_arrive_in_order_and_the_end_after_them() {
        let (sender, mut receiver) = byte_channel(Rc::default());
        for chunk in [b"a", b"b"] {
            assert_eq!(sender.try_send(chunk.to_vec()), Ok(None));
        }
        assert_eq!(receiver.next().now_or_never(), Some(Some(b"a".to_vec())));
        drop(sender);
        assert_eq!(receiver.next().now_or_never(), Some(Some(b"b".to_vec())));
        assert_eq!(receiver.next().now_or_never(), Some(None));
    }

    #[test]
    fn a_full_queue_waits_for_its_reader_and_an_empty_one_takes_any_chunk() {
        let (sender, mut receiver) = byte_channel(Rc::default());
        let large = vec![0; MAX_QUEUED_BYTES * 2];
        assert_eq!(sender.try_send(large.clone()), Ok(None));
        let mut sending = Box::pin(sender.send(b"next".to_vec()));
        assert_eq!(poll(&mut sending), Poll::Pending);
        assert_eq!(receiver.next().now_or_never(), Some(Some(large)));
        assert_eq!(poll(&mut sending), Poll::Ready(Ok(())));
        drop(sending);
        assert_eq!(receiver.next().now_or_never(), Some(Some(b"next".to_vec())));
    }

    #[test]
    fn a_dropped_receiver_refuses_what_waits() {
        let (sender, receiver) = byte_channel(Rc::default());
        assert_eq!(sender.try_send(vec![0; MAX_QUEUED_BYTES]), Ok(None));
        let mut sending = Box::pin(sender.send(vec![1]));
        assert_eq!(poll(&mut sending), Poll::Pending);
        drop(receiver);
        assert_eq!(poll(&mut sending), Poll::Ready(Err(Closed)));
        drop(sending);
        assert_eq!(sender.try_send(vec![1]), Err(Closed));
    }
}
