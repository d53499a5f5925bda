//! The tasks of one request: they run to their end even if the client leaves.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as PollContext, Poll, Waker};

use futures_channel::oneshot;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{FutureExt, future::LocalBoxFuture};
use tracing::Instrument;
use worker::Context;

/// Keeps the request alive until all its tasks have ended. All tasks share one promise of the runtime: each
/// further one would cost a promise and two microtasks.
pub struct Tasks {
    context: Context,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    added: Vec<LocalBoxFuture<'static, ()>>,
    /// Whether a [`Driver`] runs, and how to wake it.
    is_driven: bool,
    waker: Option<Waker>,
}

impl Tasks {
    /// The tasks of the event that this context belongs to.
    pub fn new(context: Context) -> Rc<Self> {
        Rc::new(Self {
            context,
            state: RefCell::default(),
        })
    }

    /// Adds a task, which runs within the log span of the first one.
    pub fn spawn(self: &Rc<Self>, task: LocalBoxFuture<'static, ()>) {
        let mut state = self.state.borrow_mut();
        state.added.push(task);
        let waker = state.waker.take();
        let is_driven = std::mem::replace(&mut state.is_driven, true);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        if !is_driven {
            let driver = Driver {
                tasks: self.clone(),
                running: FuturesUnordered::new(),
            };
            self.context.wait_until(driver.in_current_span());
        }
    }

    /// Runs work as a task and returns its output; `None` if the work ended without one. The work is boxed:
    /// an `async` block that is given another one by value holds it twice.
    pub async fn run<T: 'static>(self: &Rc<Self>, work: LocalBoxFuture<'static, T>) -> Option<T> {
        let (sender, output) = oneshot::channel();
        // Sending fails if the client has left.
        let work = work.map(|output| drop(sender.send(output)));
        self.spawn(work.boxed_local());
        output.await.ok()
    }
}

/// Polls the tasks until none is left.
struct Driver {
    tasks: Rc<Tasks>,
    running: FuturesUnordered<LocalBoxFuture<'static, ()>>,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut PollContext<'_>) -> Poll<()> {
        loop {
            let added = std::mem::take(&mut self.tasks.state.borrow_mut().added);
            self.running.extend(added);
            let polled = self.running.poll_next_unpin(context);
            let mut state = self.tasks.state.borrow_mut();
            if !state.added.is_empty() {
                continue;
            }
            match polled {
                Poll::Ready(Some(())) => {}
                Poll::Ready(None) => {
                    state.is_driven = false;
                    return Poll::Ready(());
                }
                Poll::Pending => {
                    state.waker = Some(context.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }
}
