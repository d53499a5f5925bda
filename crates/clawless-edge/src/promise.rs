//! Waits for promises of the runtime.
//!
//! A `JsFuture` makes two functions of the runtime for each promise, and registers both for their
//! finalization. Here one function serves all waits of the wasm instance.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use js_sys::{Function, Promise};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};

use crate::crossing;

/// What a promise resolves to, or what it rejects with.
pub type PromiseResult = Result<JsValue, JsValue>;

/// What the runtime calls: the number of the wait, whether the promise was resolved, and its value.
type OnSettled = Closure<dyn Fn(u32, bool, JsValue)>;

thread_local! {
    static WAITS: RefCell<Waits> = RefCell::default();
    static ON_SETTLED: OnSettled = Closure::new(|id, is_resolved, value| {
        let result = if is_resolved { Ok(value) } else { Err(value) };
        // Nothing is borrowed while the task runs that this wakes.
        let waker = WAITS.with(|waits| waits.borrow_mut().settle(id, result));
        if let Some(waker) = waker {
            waker.wake();
        }
    });
}

/// What a promise settles with. Dropping it ends the wait, not the promise's work.
#[derive(Debug)]
pub struct PromiseFuture(u32);

impl From<Promise> for PromiseFuture {
    fn from(promise: Promise) -> Self {
        let id = WAITS.with(|waits| waits.borrow_mut().add());
        ON_SETTLED.with(|on_settled| {
            let on_settled: &Function = on_settled.as_ref().unchecked_ref();
            crossing::watch(&promise, id, on_settled);
        });
        Self(id)
    }
}

impl Future for PromiseFuture {
    type Output = PromiseResult;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<PromiseResult> {
        // What is replaced is dropped after the borrow ends: a waker may be the last owner of a task, and the
        // waits of that task are dropped with it.
        let (result, _replaced) =
            WAITS.with(|waits| waits.borrow_mut().poll(self.0, context.waker()));
        result
    }
}

impl Drop for PromiseFuture {
    fn drop(&mut self) {
        // The value is dropped after the borrow ends.
        drop(WAITS.with(|waits| waits.borrow_mut().waiting.remove(&self.0)));
    }
}

/// The waits by their numbers. Numbers are not used again soon: a promise may settle after its wait was
/// dropped.
#[derive(Debug, Default)]
struct Waits<V = JsValue> {
    waiting: BTreeMap<u32, Wait<V>>,
    last: u32,
}

#[derive(Debug)]
enum Wait<V> {
    Pending(Waker),
    Settled(Result<V, V>),
}

impl<V> Waits<V> {
    fn add(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.waiting
            .insert(self.last, Wait::Pending(Waker::noop().clone()));
        self.last
    }

    /// Stores a result and returns the waker to wake. A dropped wait has none.
    fn settle(&mut self, id: u32, result: Result<V, V>) -> Option<Waker> {
        let wait = self.waiting.get_mut(&id)?;
        match std::mem::replace(wait, Wait::Settled(result)) {
            Wait::Pending(waker) => Some(waker),
            Wait::Settled(_) => None,
        }
    }

    /// The result, once, and what `waker` replaces. The last waker is woken by the result.
    fn poll(&mut self, id: u32, waker: &Waker) -> (Poll<Result<V, V>>, Option<Wait<V>>) {
        let Some(wait) = self.waiting.get_mut(&id) else {
            return (Poll::Pending, None);
        };
        if let Wait::Pending(known) = wait {
            let is_other = !known.will_wake(waker);
            let replaced = is_other.then(|| std::mem::replace(wait, Wait::Pending(waker.clone())));
            return (Poll::Pending, replaced);
        }
        match self.waiting.remove(&id) {
            Some(Wait::Settled(result)) => (Poll::Ready(result), None),
            other => (Poll::Pending, other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    fn poll(waits: &mut Waits<u8>, id: u32, waker: &Waker) -> Poll<Result<u8, u8>> {
        waits.poll(id, waker).0
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_result_wakes_the_last_waker_and_is_taken_once() {
        let mut waits = Waits::default();
        let [first, second] = [waits.add(), waits.add()];
        let (old, new) = (Arc::new(Count::default()), Arc::new(Count::default()));
        assert_eq!(
            poll(&mut waits, first, &Waker::from(old.clone())),
            Poll::Pending
        );
        assert_eq!(
            poll(&mut waits, first, &Waker::from(new.clone())),
            Poll::Pending
        );
        waits.settle(first, Ok(7)).expect("a waker").wake();
        assert_eq!(old.0.load(Ordering::Relaxed), 0);
        assert_eq!(new.0.load(Ordering::Relaxed), 1);
        assert_eq!(poll(&mut waits, second, Waker::noop()), Poll::Pending);
        assert_eq!(poll(&mut waits, first, Waker::noop()), Poll::Ready(Ok(7)));
        assert_eq!(poll(&mut waits, first, Waker::noop()), Poll::Pending);
    }

    #[test]
    fn a_promise_that_settles_before_its_first_poll_or_after_its_wait_loses_nothing() {
        let mut waits = Waits::default();
        let [early, dropped] = [waits.add(), waits.add()];
        waits.settle(early, Err(1)).expect("a waker").wake();
        assert_eq!(poll(&mut waits, early, Waker::noop()), Poll::Ready(Err(1)));
        waits.waiting.remove(&dropped);
        assert!(waits.settle(dropped, Ok(2)).is_none());
        assert!(waits.waiting.is_empty());
    }
}
