//! The queue of messages between sessions, in memory.

use std::pin::pin;
use std::rc::Rc;

use clawless_core::sending::SendJob;
use clawless_core::time::{Millis, Timer};
use clawless_edge::queue::{Queue, QueueError};
use clawless_gateway::sends::deliver::{Verdict, deliver};
use futures_util::future::{Either, join_all, select};

use super::{Customer, Deployment, Response, ask};

/// The queue, in memory; it loses what it is told to lose.
impl Queue for Deployment {
    async fn post(&self, job: &SendJob) -> Result<(), QueueError> {
        if self.is_queue_down.get() {
            return Err(QueueError("down".to_owned()));
        }
        self.posted.borrow_mut().push(job.clone());
        Ok(())
    }
}

impl Deployment {
    /// Says something in a session while the queue brings what is posted to it.
    pub fn say_with_post(
        self: &Rc<Self>,
        customer: &Customer,
        session: &str,
        text: &str,
    ) -> Response {
        let bearer = format!("Bearer {}", customer.key);
        let headers = [
            ("authorization", bearer.as_str()),
            ("x-session-id", session),
        ];
        let request = pin!(self.send(&headers, ask(text).to_string()));
        let post = pin!(async {
            loop {
                self.time.sleep(Millis::new(200)).await;
                let posted = self.posted.take();
                join_all(posted.iter().map(|job| deliver(self, job))).await;
            }
        });
        self.run(async {
            match select(request, post).await {
                Either::Left((response, _)) => response,
                Either::Right((never, _)) => never,
            }
        })
    }

    /// Brings what was posted, each once and all at once, and says what the queue is told.
    pub fn bring(self: &Rc<Self>) -> Vec<Verdict> {
        let posted = self.posted.take();
        self.bring_all(&posted)
    }

    /// Brings these errands at once, and says what the queue is told.
    pub fn bring_all(self: &Rc<Self>, errands: &[SendJob]) -> Vec<Verdict> {
        self.run(join_all(errands.iter().map(|job| deliver(self, job))))
    }
}
