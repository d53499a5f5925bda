//! The response of a turn, which runs in a task of its own.

use std::rc::Rc;

use clawless_core::ApiError;
use clawless_core::time::Timer;
use clawless_edge::http::{HttpResponse, Permit};
use futures_channel::oneshot;

use super::client::ClientStream;
use super::report;

/// The request that waits for the response.
pub type Waiting = oneshot::Sender<Result<HttpResponse, ApiError>>;

/// Sends the response to the waiting request, at most once.
#[derive(Debug)]
pub struct Reply<T> {
    waiting: Option<Waiting>,
    /// The client of a stream whose head was sent and whose answer did not begin.
    client: Option<ClientStream<T>>,
    /// Counts what the turn holds in memory, until this value is dropped.
    permit: Rc<Permit>,
}

impl<T: Timer> Reply<T> {
    /// The reply to a waiting request, whose body `permit` counts.
    pub fn new(waiting: Waiting, permit: Permit) -> Self {
        Self {
            waiting: Some(waiting),
            client: None,
            permit: Rc::new(permit),
        }
    }

    /// Counts what the turn holds in memory.
    pub fn permit(&self) -> Rc<Permit> {
        self.permit.clone()
    }

    /// Sends the response. Does nothing if the client has left or has a response.
    pub fn send(&mut self, response: Result<HttpResponse, ApiError>) {
        if let Some(waiting) = self.waiting.take() {
            drop(waiting.send(response));
        }
    }

    /// Keeps the client of a stream whose head was sent, for the error that ends it.
    pub fn keep(&mut self, client: Option<ClientStream<T>>) {
        self.client = client;
    }

    /// Sends an error: as the response or, after the head of a stream, as its last event.
    pub async fn fail(&mut self, error: ApiError) {
        let Some(client) = self.client.take() else {
            return self.send(Err(error));
        };
        tracing::error!(
            code = error.code.as_str(),
            internal = error.internal.as_deref(),
            model = report::header(&error, report::MODEL),
            route = report::header(&error, report::ROUTE),
            tries = report::header(&error, report::TRIES),
            "answer failed"
        );
        client.finish(Err(&error), None).await;
    }
}
