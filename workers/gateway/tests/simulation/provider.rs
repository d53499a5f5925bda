//! A provider that is slow and sometimes fails, and that records every call.

use std::cell::RefCell;
use std::rc::Rc;

use clawless_core::Millis;
use clawless_core::time::Timer;
use clawless_llm::ports::{Headers, Http, HttpError, HttpRequest, HttpResponse};
use clawless_testkit::provider::VirtualTime;
use futures_util::StreamExt;
use futures_util::stream::{LocalBoxStream, iter};
use serde_json::{Value, json};

use super::gateway::Shared;

/// One recorded call.
pub struct Call {
    /// The text of the last message: the name of the question.
    pub question: String,
    /// The texts of the messages before it.
    pub history: Vec<String>,
    /// The usage; no other call has the same.
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
}

/// A provider and its log.
#[derive(Clone)]
pub struct Provider {
    shared: Shared,
    pub log: Rc<RefCell<Vec<Call>>>,
}

/// The answer to a question.
pub fn answer_to(question: &str) -> String {
    format!("re:{question}")
}

/// One step of a response.
enum Step {
    Send(String),
    Wait(Millis),
    Break,
}

impl Provider {
    pub fn new(shared: &Shared) -> Self {
        Self {
            shared: shared.clone(),
            log: Rc::default(),
        }
    }

    /// Records a call and returns its answer and usage.
    fn record(&self, body: &Value) -> (String, Value) {
        let messages = body["messages"].as_array().expect("messages");
        let content = |message: &Value| message["content"].as_str().expect("text").to_owned();
        let mut history: Vec<String> = messages.iter().map(content).collect();
        let question = history.pop().expect("a question");
        let mut log = self.log.borrow_mut();
        let number = log.len() as u64;
        let (prompt_tokens, completion_tokens) = (10_000 + number, 1 + number % 40);
        log.push(Call {
            question: question.clone(),
            history,
            prompt_tokens,
            completion_tokens,
        });
        let usage = json!({
            "prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        });
        (answer_to(&question), usage)
    }

    /// A slow stream. One in fifteen breaks or hangs.
    fn stream(&self, text: &str, usage: &Value) -> Vec<Step> {
        let random = &self.shared.random;
        let chunk = |delta: Value, reason: Value| {
            let chunk = json!({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
            Step::Send(format!("data: {chunk}\n\n"))
        };
        let half = text.len() / 2;
        let mut steps = vec![chunk(json!({"content": text[..half]}), Value::Null)];
        steps.push(Step::Wait(random.millis(2000)));
        match random.below(30) {
            0 => steps.push(Step::Break),
            1 => steps.push(Step::Wait(Millis::from_secs(120))),
            _ => {}
        }
        steps.push(chunk(json!({"content": text[half..]}), Value::Null));
        steps.push(chunk(json!({}), json!("stop")));
        let last = json!({"choices": [], "usage": usage});
        steps.push(Step::Send(format!("data: {last}\n\ndata: [DONE]\n\n")));
        steps
    }
}

impl Http for Provider {
    type Body = LocalBoxStream<'static, Result<Vec<u8>, HttpError>>;

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse<Self::Body>, HttpError> {
        let (time, random) = (self.shared.deployment.time.clone(), &self.shared.random);
        let wait = random.millis(1500);
        time.sleep(wait).await;
        match random.below(20) {
            0 => return Err(HttpError("no connection".to_owned())),
            1 => {
                return Ok(respond(
                    500,
                    "application/json",
                    vec![Step::Send("{}".to_owned())],
                    time,
                ));
            }
            _ => {}
        }
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        let (text, usage) = self.record(&body);
        if body["stream"] == true {
            return Ok(respond(
                200,
                "text/event-stream",
                self.stream(&text, &usage),
                time,
            ));
        }
        let message = json!({"role": "assistant", "content": text});
        let whole = json!({
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}], "usage": usage,
        });
        let steps = vec![
            Step::Wait(random.millis(3000)),
            Step::Send(whole.to_string()),
        ];
        Ok(respond(200, "application/json", steps, time))
    }
}

fn respond(
    status: u16,
    content_type: &str,
    steps: Vec<Step>,
    time: VirtualTime,
) -> HttpResponse<LocalBoxStream<'static, Result<Vec<u8>, HttpError>>> {
    let body = iter(steps).filter_map(move |step| {
        let time = time.clone();
        async move {
            match step {
                Step::Send(text) => Some(Ok(text.into_bytes())),
                Step::Break => Some(Err(HttpError("reset".to_owned()))),
                Step::Wait(span) => {
                    time.sleep(span).await;
                    None
                }
            }
        }
    });
    HttpResponse {
        status,
        headers: [("content-type", content_type)]
            .into_iter()
            .collect::<Headers>(),
        body: body.boxed_local(),
    }
}
