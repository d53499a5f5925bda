//! Places for requests: one decodes, a bounded number wait, the next is refused.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The queue.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    places: Arc<Semaphore>,
    capacity: usize,
}

impl Queue {
    /// A queue in which `waiting` requests may wait behind the one that decodes.
    pub(crate) fn new(waiting: usize) -> Self {
        let capacity = waiting.saturating_add(1).min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(capacity)),
            capacity,
        }
    }

    /// Takes a place, or returns `None` if all are taken. Never waits.
    pub(crate) fn enter(&self) -> Option<QueueSlot> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(QueueSlot(Arc::new(Mutex::new(Some(permit)))))
    }

    /// How many requests decode or wait now.
    pub(crate) fn len(&self) -> usize {
        self.capacity
            .saturating_sub(self.places.available_permits())
    }
}

/// A request's place. Decoder and reader share it, and the first to finish releases it: a disconnect
/// frees it at once, and a slow reader does not block it.
#[derive(Debug, Clone)]
pub(crate) struct QueueSlot(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl QueueSlot {
    /// Releases the place. Repeated calls have no effect.
    pub(crate) fn release(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_decodes_the_given_number_waits_and_the_next_is_refused() {
        let queue = Queue::new(1);
        let first = queue.enter().unwrap();
        let _second = queue.enter().unwrap();
        assert!(queue.enter().is_none());
        assert_eq!(queue.len(), 2);

        first.clone().release();
        first.release();
        assert_eq!(queue.len(), 1);
        assert!(queue.enter().is_some());
    }

    #[test]
    fn without_waiting_places_only_one_request_is_taken() {
        let queue = Queue::new(0);
        let _first = queue.enter().unwrap();
        assert!(queue.enter().is_none());
    }
}
