//! Clients that send requests, disconnect, retry, and send the same request twice at once.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;

use clawless_core::time::Timer;
use clawless_core::{RequestId, TenantId};
use clawless_edge::http::{Permit, RequestHead};
use clawless_gateway::chat::parse::CHAT;
use clawless_gateway::chat::pipeline;
use futures_util::future::{Either, join, select};
use serde_json::{Value, json};

use super::gateway::{Gateway, Shared};
use crate::support::{Customer, Response, read};

/// A response that a client received to its end.
#[derive(Debug, Clone)]
pub struct ClientResponse {
    /// The name of its question.
    pub question: String,
    /// The index of the tenant.
    pub tenant: usize,
    /// The session, unless the call was stateless.
    pub session: Option<&'static str>,
    /// The request that was answered, by the completion's id.
    pub request: String,
    pub text: String,
    /// Whether it ended without an error.
    pub is_whole: bool,
}

/// A client of one tenant.
pub struct Client {
    pub shared: Shared,
    pub gateways: Vec<Rc<Gateway>>,
    pub customer: Rc<Customer>,
    pub tenant: usize,
    pub number: usize,
    pub responses: Rc<RefCell<Vec<ClientResponse>>>,
}

/// One question, with the data that every retry sends.
struct LedgerRequest {
    name: String,
    session: Option<&'static str>,
    key: Option<String>,
    stream: bool,
}

const SESSIONS: [&str; 2] = ["one", "two"];

impl Client {
    /// Sends two questions, one after the other.
    pub async fn run(self) {
        let random = self.shared.random.clone();
        for round in 0..2 {
            self.pause(4000).await;
            let name = format!("t{}-c{}-{round}", self.tenant, self.number);
            let session = match random.below(3) {
                0 => None,
                other => Some(SESSIONS[usize::from(other == 1)]),
            };
            let question = LedgerRequest {
                key: random.percent(60).then(|| format!("key-{name}")),
                stream: random.percent(60),
                session,
                name,
            };
            Box::pin(self.send_until_answered(&question)).await;
        }
    }

    async fn pause(&self, below: u64) {
        let span = self.shared.random.millis(below);
        self.shared.deployment.time.sleep(span).await;
    }

    /// Retries until there is a response if the question has a key; otherwise sends it once.
    async fn send_until_answered(&self, question: &LedgerRequest) {
        let tries = if question.key.is_some() { 4 } else { 1 };
        for _ in 0..tries {
            let is_answered = if question.key.is_some() && self.shared.random.percent(30) {
                let (one, other) = Box::pin(join(self.send(question), self.send(question))).await;
                one || other
            } else {
                Box::pin(self.send(question)).await
            };
            if is_answered {
                return;
            }
            self.pause(30_000).await;
        }
    }

    /// Sends the question through one of the gateways. One client in five disconnects early.
    async fn send(&self, question: &LedgerRequest) -> bool {
        let random = &self.shared.random;
        let gateway = &self.gateways[usize::from(random.percent(50))];
        let disconnect_after = if random.percent(20) { 3000 } else { 10_000_000 };
        let disconnect_after = random.millis(disconnect_after);
        let time = self.shared.deployment.time.clone();
        let timer = time.clone();
        let departure = async move { timer.sleep(disconnect_after).await };
        let isolate = gateway.isolate();
        let bearer = format!("Bearer {}", self.customer.key);
        let mut headers = vec![
            ("content-type", "application/json"),
            ("authorization", bearer.as_str()),
        ];
        headers.extend(question.session.map(|session| ("x-session-id", session)));
        headers.extend(question.key.as_deref().map(|key| ("idempotency-key", key)));
        let head = RequestHead::new("POST", "/v1/chat/completions", headers);
        let body = json!({
            "model": "small", "stream": question.stream,
            "messages": [{"role": "user", "content": question.name}],
        });
        let body = async |_: &TenantId| Ok((body.to_string().into_bytes(), Permit::uncounted()));
        let request = self.shared.deployment.new_request();
        let served = gateway.while_alive(async {
            read(pipeline::create(&isolate, &request, &head, CHAT, body, departure).await).await
        });
        let response = match select(pin!(served), pin!(time.sleep(disconnect_after))).await {
            Either::Left((Some(response), _)) => response,
            // The isolate was killed, or the client disconnected.
            Either::Left((None, _)) | Either::Right(_) => return false,
        };
        self.record_response(question, &response, &request)
    }

    /// Records a successful response. `false` for an error.
    fn record_response(
        &self,
        question: &LedgerRequest,
        response: &Response,
        request: &RequestId,
    ) -> bool {
        if response.status != 200 {
            let code = response.code();
            // Only a defect of the gateway gives this code.
            assert_ne!(code, "internal_error", "{request}: {}", response.body);
            return false;
        }
        let (id, text, is_whole) = if question.stream {
            let events = response.events();
            (events[0]["id"].clone(), response.text(), response.is_done())
        } else {
            let body = response.json();
            let content = &body["choices"][0]["message"]["content"];
            (body["id"].clone(), text_of(content), true)
        };
        self.responses.borrow_mut().push(ClientResponse {
            question: question.name.clone(),
            tenant: self.tenant,
            session: question.session,
            request: text_of(&id).replace("chatcmpl-", "req_"),
            text,
            is_whole,
        });
        true
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}
