//! One timer of the runtime for all waits of a request.
//!
//! A request waits for many things, each with a timeout that hardly ever passes: the head of an answer, its
//! body, every event of a stream, the renewal of its reservation. Setting and clearing a timer of the
//! runtime for each costs more than the rest of the wait. Here, a wait is an entry of a map; the runtime has
//! one timer, for the earliest entry at the time it was set.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use clawless_core::time::{Clock, Millis, Timer, Timestamp};
use js_sys::Function;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use worker::web_sys::WorkerGlobalScope;

use crate::time::EdgeTime;

/// The clock and the timer of one request. Clones share the timer.
#[derive(Clone, Default)]
pub struct RequestTime(Rc<Shared>);

impl Clock for RequestTime {
    fn now(&self) -> Timestamp {
        EdgeTime.now()
    }
}

impl Timer for RequestTime {
    /// Dropping the future ends the wait.
    async fn sleep(&self, span: Millis) {
        let mut wait = Wait {
            shared: self.0.clone(),
            id: None,
        };
        poll_fn(|context| match wait.id {
            None => {
                let due = EdgeTime.now().plus(span);
                wait.id = Some(wait.shared.waits.borrow_mut().add(due, context.waker()));
                wait.shared.arm();
                Poll::Pending
            }
            Some(id) => {
                // The replaced waker is dropped outside of the table: dropping it may drop other waits.
                let replaced = wait.shared.waits.borrow_mut().replace(id, context.waker());
                match replaced {
                    Some(_) => Poll::Pending,
                    None => Poll::Ready(()),
                }
            }
        })
        .await;
    }
}

/// What the clones of a [`RequestTime`] share.
#[derive(Default)]
struct Shared {
    waits: RefCell<Waits>,
    /// The timer that is set: when it is due, and its handle.
    armed: RefCell<Option<(Timestamp, i32)>>,
    /// What the runtime calls.
    callback: OnceCell<Closure<dyn Fn()>>,
}

impl Shared {
    /// Sets the timer for the earliest wait, unless it is set for that time or an earlier one.
    fn arm(self: &Rc<Self>) {
        let Some(due) = self.waits.borrow().earliest() else {
            return;
        };
        let mut armed = self.armed.borrow_mut();
        match *armed {
            Some((set, _)) if set <= due => return,
            Some((_, handle)) => runtime().clear_timeout_with_handle(handle),
            None => {}
        }
        let callback = self.callback.get_or_init(|| {
            let shared = Rc::downgrade(self);
            Closure::new(move || {
                if let Some(shared) = shared.upgrade() {
                    shared.fire();
                }
            })
        });
        let callback: &Function = callback.as_ref().unchecked_ref();
        let span = i32::try_from(due.since(EdgeTime.now()).get()).unwrap_or(i32::MAX);
        // It fails only for a callback that is no function.
        let set = runtime().set_timeout_with_callback_and_timeout_and_arguments_0(callback, span);
        *armed = set.ok().map(|handle| (due, handle));
    }

    /// Ends the waits that are due, and sets the timer for the next one.
    fn fire(self: &Rc<Self>) {
        self.armed.replace(None);
        let due = self.waits.borrow_mut().take_due(EdgeTime.now());
        self.arm();
        due.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some((_, handle)) = self.armed.take() {
            runtime().clear_timeout_with_handle(handle);
        }
    }
}

fn runtime() -> WorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// One wait. Dropping it removes its entry; the timer may still fire for it, without an effect.
struct Wait {
    shared: Rc<Shared>,
    id: Option<WaitId>,
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            // Dropped outside of the table: dropping a waker may drop other waits.
            let waker = self.shared.waits.borrow_mut().0.remove(&id);
            drop(waker);
        }
    }
}

/// When a wait ends, and a number that no other wait has.
type WaitId = (Timestamp, u64);

/// The waits by the time of their end.
#[derive(Default)]
struct Waits(BTreeMap<WaitId, Waker>, u64);

impl Waits {
    fn add(&mut self, due: Timestamp, waker: &Waker) -> WaitId {
        self.1 += 1;
        self.0.insert((due, self.1), waker.clone());
        (due, self.1)
    }

    /// Gives a wait another waker and returns the one before it, or `None` if the wait has ended.
    fn replace(&mut self, id: WaitId, waker: &Waker) -> Option<Waker> {
        let known = self.0.get_mut(&id)?;
        Some(std::mem::replace(known, waker.clone()))
    }

    fn earliest(&self) -> Option<Timestamp> {
        self.0.first_key_value().map(|((due, _), _)| *due)
    }

    /// Removes the waits that end by `now`.
    fn take_due(&mut self, now: Timestamp) -> Vec<Waker> {
        let later = self.0.split_off(&(now.plus(Millis::new(1)), 0));
        std::mem::replace(&mut self.0, later)
            .into_values()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn waits_end_in_the_order_of_their_times() {
        let mut waits = Waits::default();
        let waker = Waker::noop();
        let [late, soon, twin] = [30, 10, 10].map(|due| waits.add(at(due), waker));
        assert_eq!(waits.earliest(), Some(at(10)));
        assert_eq!(waits.take_due(at(9)).len(), 0);
        assert_eq!(waits.take_due(at(10)).len(), 2);
        assert!(waits.replace(soon, waker).is_none() && waits.replace(twin, waker).is_none());
        assert!(waits.replace(late, waker).is_some());
        assert_eq!(waits.earliest(), Some(at(30)));
        assert_eq!(waits.take_due(at(31)).len(), 1);
        assert_eq!(waits.earliest(), None);
    }

    #[test]
    fn a_dropped_wait_is_forgotten() {
        let shared = Rc::<Shared>::default();
        let id = shared.waits.borrow_mut().add(at(10), Waker::noop());
        drop(Wait {
            shared: shared.clone(),
            id: Some(id),
        });
        assert_eq!(shared.waits.borrow().earliest(), None);
    }
}
