//! Errors: `Failure` ends the process with a message, `ApiError` is the response to one request.

use axum::http::StatusCode;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot read or write {path}: {source}")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("this GGUF file cannot be used: {0}")]
    Unusable(String),
    #[error("the model failed: {0}")]
    Model(#[from] candle_core::Error),
    #[error("cannot listen on {address}: {source}; choose another --port, or 0 for a free one")]
    Listen {
        address: std::net::SocketAddr,
        source: std::io::Error,
    },
    #[error("the server failed: {0}")]
    Server(#[from] std::io::Error),
}

/// An answer in `OpenAI`'s error envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    pub(crate) param: Option<String>,
    pub(crate) code: Option<&'static str>,
    /// The pause before a retry, in seconds.
    pub(crate) retry_after: Option<u64>,
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            param: None,
            code: None,
            retry_after: None,
        }
    }

    /// 400: the field `param` has an invalid value.
    pub(crate) fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            ..Self::new(StatusCode::BAD_REQUEST, message)
        }
    }

    /// 400: the body as a whole cannot be read.
    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 400: the prompt leaves no room for an answer.
    pub(crate) fn context_length_exceeded(window: usize, prompt: usize) -> Self {
        Self {
            code: Some("context_length_exceeded"),
            ..Self::invalid(
                "messages",
                format!(
                    "This model's maximum context length is {window} tokens. However, your messages \
                     resulted in {prompt} tokens. Please reduce the length of the messages."
                ),
            )
        }
    }

    /// 404: the model is not the loaded one.
    pub(crate) fn model_not_found(model: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: Some("model_not_found"),
            ..Self::invalid(
                "model",
                format!("The model `{model}` does not exist or you do not have access to it."),
            )
        }
    }

    /// 404: no such route.
    pub(crate) fn no_route(method: &str, path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("Invalid URL ({method} {path})"),
        )
    }

    /// 405: the route exists for another method.
    pub(crate) fn wrong_method(method: &str, path: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("Not allowed to {method} on {path}."),
        )
    }

    /// 413: the body is over the limit in bytes.
    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The request body is larger than {limit} bytes."),
        )
    }

    /// 429: one request decodes, and the queue is full.
    pub(crate) fn busy(waiting: usize, retry_after: u64) -> Self {
        Self {
            code: Some("rate_limit_exceeded"),
            retry_after: Some(retry_after),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                format!(
                    "The local model answers one request at a time and {waiting} already wait. \
                     Please try again in {retry_after}s."
                ),
            )
        }
    }

    /// 500: an internal error.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// 503: the process is shutting down.
    pub(crate) fn closing() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The local model is shutting down.",
        )
    }

    /// `OpenAI`'s `type`, which follows from the status.
    fn kind(&self) -> &'static str {
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        }
    }

    /// `{"error":{…}}`, in a response and in a stream.
    pub(crate) fn envelope(&self) -> Value {
        json!({"error": {
            "message": self.message,
            "type": self.kind(),
            "param": self.param,
            "code": self.code,
        }})
    }
}
