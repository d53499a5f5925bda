//! Time that passes only while all tasks wait.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use clawless_core::time::{Clock, Timer};
use clawless_core::{Millis, Timestamp};

/// A clock and a timer that jump to the next alarm when no task can run, so that tests of long
/// waits take microseconds.
#[derive(Debug, Clone, Default)]
pub struct VirtualTime {
    shared: Rc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Milliseconds since the epoch.
    now: Cell<u64>,
    alarms: RefCell<BTreeMap<(u64, u64), Waker>>,
    next_alarm: Cell<u64>,
}

impl VirtualTime {
    /// Starts at `now`.
    pub fn starting_at(now: Timestamp) -> Self {
        let time = Self::default();
        time.shared.now.set(now.as_millis());
        time
    }

    /// Advances the time by a span.
    pub fn advance(&self, span: Millis) {
        let shared = &self.shared;
        shared.now.set(shared.now.get().saturating_add(span.get()));
        // Due alarms are removed here: a sleeper may be polled much later and must not delay the
        // others.
        let mut alarms = shared.alarms.borrow_mut();
        let later = alarms.split_off(&(shared.now.get().saturating_add(1), 0));
        let due: Vec<Waker> = std::mem::replace(&mut *alarms, later)
            .into_values()
            .collect();
        drop(alarms);
        due.into_iter().for_each(Waker::wake);
    }

    /// Runs a future to completion, advancing the time as needed.
    ///
    /// # Panics
    /// If it waits and no alarm is set.
    #[allow(clippy::panic, reason = "a test that cannot end must fail")]
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        loop {
            woken.0.store(false, Ordering::Relaxed);
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            if woken.0.load(Ordering::Relaxed) {
                continue;
            }
            let first = self.shared.alarms.borrow().keys().next().copied();
            let Some((due, _)) = first else {
                panic!("the future waits, and no alarm is set");
            };
            self.advance(Timestamp::from_millis(due).since(self.now()));
        }
    }
}

impl Clock for VirtualTime {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.shared.now.get())
    }
}

impl Timer for VirtualTime {
    async fn sleep(&self, span: Millis) {
        let number = self.shared.next_alarm.get();
        self.shared.next_alarm.set(number + 1);
        Sleep {
            key: (self.now().plus(span).as_millis(), number),
            shared: Rc::clone(&self.shared),
        }
        .await;
    }
}

struct Sleep {
    key: (u64, u64),
    shared: Rc<Shared>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut alarms = self.shared.alarms.borrow_mut();
        if self.shared.now.get() >= self.key.0 {
            alarms.remove(&self.key);
            return Poll::Ready(());
        }
        alarms.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.shared.alarms.borrow_mut().remove(&self.key);
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
