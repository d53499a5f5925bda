//! Responses as tests read them.

use std::collections::HashMap;

use clawless_core::ApiError;
use clawless_edge::http::{Body, HttpResponse};
use futures_util::StreamExt;
use serde_json::Value;

/// A response that has been read to its end.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HashMap<&'static str, String>,
    pub body: String,
}

/// Reads a response to its end.
pub async fn read(answer: Result<HttpResponse, ApiError>) -> Response {
    let answer = answer.unwrap_or_else(HttpResponse::from);
    let body = match answer.body {
        Body::Json(text) => text,
        Body::Events(events) => {
            let pieces: Vec<Vec<u8>> = events.collect().await;
            String::from_utf8(pieces.concat()).expect("UTF-8")
        }
        Body::Pages(_, pages) => {
            let pages: Vec<_> = pages.collect().await;
            let pages: Result<Vec<_>, _> = pages.into_iter().collect();
            String::from_utf8(pages.expect("every page").concat()).expect("UTF-8")
        }
        Body::Empty => String::new(),
        Body::Foreign(_)
        | Body::Csv(_)
        | Body::Compressed(_)
        | Body::Bytes(..)
        | Body::Encoded(..) => {
            panic!("the chat route has no such body")
        }
    };
    Response {
        status: answer.status,
        headers: answer.headers.into_iter().collect(),
        body,
    }
}

impl Response {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// The error's code.
    pub fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .expect("an error")
            .to_owned()
    }

    /// The events of a stream, without `[DONE]`.
    pub fn events(&self) -> Vec<Value> {
        let lines = self
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "));
        lines
            .filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str(data).expect("JSON in every event"))
            .collect()
    }

    /// All text of a stream.
    pub fn text(&self) -> String {
        let events = self.events();
        let pieces = events
            .iter()
            .filter_map(|event| event["choices"][0]["delta"]["content"].as_str());
        pieces.collect()
    }

    /// Whether a stream ended without an error.
    pub fn is_done(&self) -> bool {
        self.body.ends_with("data: [DONE]\n\n")
    }
}
