//! Counts the bodies of whole answers against the turn's permit as they arrive.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use clawless_edge::http::Permit;
use clawless_llm::{Http, HttpError, HttpRequest, HttpResponse};
use futures_util::{Stream, StreamExt};

/// The copies of a whole answer: its body, then what is decoded and rendered of it.
const BODY_COPIES: usize = 2;

/// A network port whose bodies count.
#[derive(Debug)]
pub struct CountedHttp<'a, H> {
    /// The network.
    pub http: &'a H,
    /// Counts what arrives. `None` for streams: they count by what is kept of them.
    pub permit: Option<Rc<Permit>>,
}

/// A body that counts.
#[derive(Debug)]
pub struct CountedBody<B> {
    body: B,
    permit: Option<Rc<Permit>>,
}

impl<H: Http> CountedHttp<'_, H> {
    fn count<B>(&self, response: HttpResponse<B>) -> HttpResponse<CountedBody<B>> {
        HttpResponse {
            status: response.status,
            headers: response.headers,
            body: CountedBody {
                body: response.body,
                permit: self.permit.clone(),
            },
        }
    }
}

impl<H: Http> Http for CountedHttp<'_, H> {
    type Body = CountedBody<H::Body>;

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse<Self::Body>, HttpError> {
        Ok(self.count(self.http.send(request).await?))
    }

    async fn run_ai(
        &self,
        model: &str,
        inputs: &[u8],
    ) -> Result<HttpResponse<Self::Body>, HttpError> {
        Ok(self.count(self.http.run_ai(model, inputs).await?))
    }
}

impl<B: Stream<Item = Result<Vec<u8>, HttpError>> + Unpin> Stream for CountedBody<B> {
    type Item = Result<Vec<u8>, HttpError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let read = self.body.poll_next_unpin(context);
        if let (Some(permit), Poll::Ready(Some(Ok(bytes)))) = (&self.permit, &read) {
            permit.add(bytes.len().saturating_mul(BODY_COPIES));
        }
        read
    }
}
