//! A scripted provider behind the HTTP port, in virtual time.

mod virtual_time;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use clawless_core::Millis;
use clawless_core::time::Timer;
use clawless_llm::ports::{Headers, Http, HttpError, HttpRequest, HttpResponse, Method};
use futures_util::Stream;

pub use virtual_time::VirtualTime;

/// One event of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Bytes arrive, in one read.
    Bytes(Vec<u8>),
    /// A pause.
    Wait(Millis),
    /// The connection breaks.
    Break,
    /// Silence for ever.
    Hang,
}

/// The response to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Events before the response head.
    before: Vec<Step>,
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<Step>,
}

impl Reply {
    /// A response with a status and the events of its body.
    pub fn new(status: u16, content_type: &str, body: Vec<Step>) -> Self {
        Self {
            before: Vec::new(),
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body,
        }
    }

    /// A JSON body in one piece.
    pub fn json(status: u16, body: &str) -> Self {
        let bytes = Step::Bytes(body.as_bytes().to_vec());
        Self::new(status, "application/json", vec![bytes])
    }

    /// An event stream in one read.
    pub fn stream(body: &str) -> Self {
        Self::steps(vec![Step::Bytes(body.as_bytes().to_vec())])
    }

    /// An event stream with one read for each text.
    pub fn reads(reads: &[&str]) -> Self {
        let bytes = |text: &&str| Step::Bytes(text.as_bytes().to_vec());
        Self::steps(reads.iter().map(bytes).collect())
    }

    /// An event stream of these events.
    pub fn steps(body: Vec<Step>) -> Self {
        Self::new(200, "text/event-stream", body)
    }

    /// No connection.
    pub fn unreachable() -> Self {
        Self::new(200, "", Vec::new()).after(Step::Break)
    }

    /// Adds an event before the response head.
    #[must_use]
    pub fn after(mut self, step: Step) -> Self {
        self.before.push(step);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// The scripted provider: responses in order, and the requests it received.
#[derive(Debug, Clone)]
pub struct ScriptedHttp {
    time: VirtualTime,
    shared: Rc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    next: RefCell<VecDeque<Reply>>,
    always: RefCell<Option<Reply>>,
    requests: RefCell<Vec<HttpRequest>>,
    aborted: Cell<usize>,
}

impl ScriptedHttp {
    /// A provider that is unreachable until it gets responses.
    pub fn new(time: &VirtualTime) -> Self {
        Self {
            time: time.clone(),
            shared: Rc::default(),
        }
    }

    /// Adds the response to one more request.
    pub fn next(&self, reply: Reply) {
        self.shared.next.borrow_mut().push_back(reply);
    }

    /// Sets the response to every request that has none of its own.
    pub fn always(&self, reply: Reply) {
        *self.shared.always.borrow_mut() = Some(reply);
    }

    /// The received requests, oldest first.
    pub fn requests(&self) -> Vec<HttpRequest> {
        self.shared.requests.borrow().clone()
    }

    /// The number of requests that were dropped before their response had ended.
    pub fn aborted(&self) -> usize {
        self.shared.aborted.get()
    }
}

impl Http for ScriptedHttp {
    type Body = ScriptedBody;

    async fn run_ai(
        &self,
        model: &str,
        inputs: &[u8],
    ) -> Result<HttpResponse<ScriptedBody>, HttpError> {
        let request = HttpRequest {
            method: Method::Post,
            url: format!("workers-ai:{model}"),
            headers: Vec::new(),
            body: inputs.to_vec(),
        };
        self.send(request).await
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse<ScriptedBody>, HttpError> {
        self.shared.requests.borrow_mut().push(request);
        let scripted = self.shared.next.borrow_mut().pop_front();
        let reply = scripted.or_else(|| self.shared.always.borrow().clone());
        let reply = reply.unwrap_or_else(Reply::unreachable);
        let mut connection = ScriptedBody {
            time: self.time.clone(),
            steps: reply.before.into(),
            waiting: None,
            open: Some(Rc::clone(&self.shared)),
        };
        while let Some(event) = futures_util::StreamExt::next(&mut connection).await {
            event?;
        }
        connection.steps = reply.body.into();
        connection.open = Some(Rc::clone(&self.shared));
        Ok(HttpResponse {
            status: reply.status,
            headers: reply.headers.into_iter().collect::<Headers>(),
            body: connection,
        })
    }
}

/// The body of a scripted response.
pub struct ScriptedBody {
    time: VirtualTime,
    steps: VecDeque<Step>,
    waiting: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// `None` once the connection has ended.
    open: Option<Rc<Shared>>,
}

impl Stream for ScriptedBody {
    type Item = Result<Vec<u8>, HttpError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                if waiting.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.waiting = None;
            }
            match self.steps.pop_front() {
                Some(Step::Bytes(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Some(Step::Wait(span)) => {
                    let time = self.time.clone();
                    self.waiting = Some(Box::pin(async move { time.sleep(span).await }));
                }
                Some(Step::Break) => {
                    self.open = None;
                    self.steps.clear();
                    let reset = HttpError("connection reset".to_owned());
                    return Poll::Ready(Some(Err(reset)));
                }
                Some(Step::Hang) => self.waiting = Some(Box::pin(std::future::pending())),
                None => {
                    self.open = None;
                    return Poll::Ready(None);
                }
            }
        }
    }
}

impl Drop for ScriptedBody {
    fn drop(&mut self) {
        if let Some(shared) = &self.open {
            shared.aborted.set(shared.aborted.get() + 1);
        }
    }
}
