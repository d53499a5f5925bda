//! The response of a turn, which runs in a task of its own.

use clawless_core::ApiError;
use clawless_core::time::Timer;
use clawless_edge::http::HttpResponse;
use futures_channel::oneshot;

use super::client::ClientStream;
use super::model::answered::Answered;
use super::model::turn::Turn;
use super::report;
use super::response;

/// The request that waits for the response.
pub type Waiting = oneshot::Sender<Result<HttpResponse, ApiError>>;

/// Sends the response to the waiting request, at most once.
#[derive(Debug)]
pub struct Reply<T> {
    waiting: Option<Waiting>,
    /// The client of a stream whose head was sent and whose answer did not begin.
    client: Option<ClientStream<T>>,
}

impl<T: Timer> Reply<T> {
    /// The reply to a waiting request.
    pub fn new(waiting: Waiting) -> Self {
        Self {
            waiting: Some(waiting),
            client: None,
        }
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

    /// Sends the end of an answer: all of a whole one, or the last event of a stream. `stored` is why the
    /// turn is not stored.
    pub async fn finish(
        &mut self,
        turn: &Turn,
        answered: Answered<T>,
        stored: Result<(), ApiError>,
    ) {
        let Answered {
            mut outcome,
            trace,
            client,
        } = answered;
        let failure = outcome.failure.take();
        let Some(client) = client else {
            // A whole answer that broke off is charged, and stored in its session: a retry would do
            // all of it again.
            let ended = failure.map_or(stored, |failure| Err(failure.without_retry()));
            let report = report::headers(&outcome.model.id, turn.route.header(), trace.tries);
            let response = ended.and_then(|()| response::whole(turn, outcome, &trace));
            let response = response.map(|response| response.with_permit(turn.permit.clone()));
            let rates = turn.notes.rates.pairs();
            return self.send(response.map_err(|error| error.headers(rates).headers(report)));
        };
        let ended = failure.map_or(stored, Err);
        if let Err(error) = &ended {
            tracing::error!(
                code = error.code.as_str(),
                internal = error.internal.as_deref(),
                model = outcome.model.id,
                route = turn.route.reason.as_str(),
                tries = trace.tries,
                "answer failed"
            );
        }
        let ended = ended.as_ref().map(|()| outcome.usage);
        client.finish(ended, outcome.completed).await;
    }
}
