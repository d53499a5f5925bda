//! The platform's own models, called through its AI binding.

mod decode;
mod encode;

use std::borrow::Cow;

use clawless_core::llm::{LlmRequest, LlmResponse};
use clawless_core::model::Model;
use serde_json::Value;

pub use decode::WorkersAiDecoder;

use crate::error::LlmError;
use crate::failure::{self, one_line};
use crate::ports::{AI_SCHEME, HttpRequest, Method};
use crate::protocol::{Decoder, Mode, Protocol};

/// A protocol for the platform's models.
pub struct WorkersAi {
    /// The configured models.
    models: Vec<Model>,
}

impl WorkersAi {
    /// A protocol for these models.
    pub fn new(models: &[Model]) -> Self {
        Self {
            models: models.to_vec(),
        }
    }

    fn model(&self, request: &LlmRequest) -> Option<&Model> {
        self.models.iter().find(|model| model.id == request.model)
    }
}

impl Protocol for WorkersAi {
    fn encode(&self, request: &LlmRequest, mode: Mode) -> Result<HttpRequest, LlmError> {
        Ok(HttpRequest {
            method: Method::Post,
            url: format!("{AI_SCHEME}{}", request.model),
            headers: Vec::new(),
            body: encode::inputs(request, self.model(request), mode)?,
        })
    }

    fn decoder(&self, request: &LlmRequest) -> Box<dyn Decoder> {
        let max_tokens = encode::max_tokens(request, self.model(request));
        Box::new(WorkersAiDecoder::new(request, max_tokens))
    }

    fn decode_whole(&self, request: &LlmRequest, body: &[u8]) -> Result<LlmResponse, LlmError> {
        let max_tokens = encode::max_tokens(request, self.model(request));
        decode::whole(request, max_tokens, body)
    }

    fn decode_refusal(&self, status: u16, body: &[u8]) -> LlmError {
        let report: Value = serde_json::from_slice(body).unwrap_or_default();
        match report.get("internalCode").and_then(Value::as_u64) {
            Some(code) => by_code(code, status, &report),
            None => failure::refusal(status, body),
        }
    }

    fn dropped(&self, request: &LlmRequest) -> Vec<Cow<'static, str>> {
        encode::dropped(request, self.model(request))
    }
}

/// Maps the platform's error codes (its documentation, "Workers AI errors").
fn by_code(code: u64, status: u16, report: &Value) -> LlmError {
    let text = |name: &str| report.get(name).and_then(Value::as_str);
    let description = text("description").or_else(|| text("message"));
    match code {
        // Invalid or incomplete input.
        3003 | 5004 => failure::invalid(description.map(one_line)),
        3006 => LlmError::ContextLength,
        // Out of capacity.
        3040 => LlmError::Overloaded { retry_after: None },
        // Timed out or aborted on the platform's side.
        3007 | 3008 => LlmError::ServerError {
            status: 408,
            retry_after: None,
        },
        // The account's quota is used up (3036), or the model is unknown, not available to the
        // account or not agreed to: neither the client nor a retry can change that.
        3036 | 3023 | 3039 | 3041 | 3042 | 5005 | 5007 | 5016 | 5018 | 5019 => {
            LlmError::Misconfigured { status }
        }
        _ => LlmError::ServerError {
            status,
            retry_after: None,
        },
    }
}
