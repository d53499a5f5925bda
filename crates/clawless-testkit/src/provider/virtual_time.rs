//! Time that passes only when everybody waits.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use clawless_core::time::{Clock, Timer};
use clawless_core::{Millis, Timestamp};

/// A clock and a timer that stand still while there is work, and jump to the next alarm when there
/// is none: an hour of silence is tested in microseconds.
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
    /// Time that begins at `now`.
    pub fn starting_at(now: Timestamp) -> Self {
        let time = Self::default();
        time.shared.now.set(now.as_millis());
        time
    }

    /// Lets `span` pass at once.
    pub fn advance(&self, span: Millis) {
        let shared = &self.shared;
        shared.now.set(shared.now.get().saturating_add(span.get()));
        // They are taken out here: whoever sleeps may not look again for long, and must not hold up
        // the others until then.
        let mut alarms = shared.alarms.borrow_mut();
        let later = alarms.split_off(&(shared.now.get().saturating_add(1), 0));
        let due: Vec<Waker> = std::mem::replace(&mut *alarms, later)
            .into_values()
            .collect();
        drop(alarms);
        due.into_iter().for_each(Waker::wake);
    }

    /// Runs a future to its end, time passing as it needs.
    ///
    /// # Panics
    /// Where it waits for something that will never happen.
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
