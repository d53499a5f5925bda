//! The queue of messages between sessions, in memory.

use std::pin::pin;
use std::rc::Rc;

use clawless_core::sending::SendJob;
use clawless_core::time::{Millis, Timer};
use clawless_edge::queue::{Queue, QueueError};
use clawless_gateway::sends::deliver::{Verdict, deliver};
use futures_util::future::{Either, join_all, select};

use super::{Customer, Deployment, Response, chat_request};

/// The queue, in memory. It fails while `is_queue_down` is set.
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
    /// Sends a chat request in a session while the queue delivers posted messages.
    pub fn chat_with_queue(
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
        let request = pin!(self.send(&headers, chat_request(text).to_string()));
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

    /// Delivers each posted message once, all at once. Returns the verdicts.
    pub fn deliver_posted(self: &Rc<Self>) -> Vec<Verdict> {
        let posted = self.posted.take();
        self.deliver_all(&posted)
    }

    /// Delivers these messages at once. Returns the verdicts.
    pub fn deliver_all(self: &Rc<Self>, jobs: &[SendJob]) -> Vec<Verdict> {
        self.run(join_all(jobs.iter().map(|job| deliver(self, job))))
    }
}
