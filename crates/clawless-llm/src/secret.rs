//! Redacts the gateway's provider key in all text received from the provider.

use std::rc::Rc;

use clawless_core::llm::LlmEvent;

use crate::error::LlmError;
use crate::protocol::{Decoder, Progress};

/// The minimum length of a key that is searched for, in bytes: shorter keys occur in other texts by
/// chance.
const MIN_KEY_BYTES: usize = 8;

/// The log text that replaces a text containing the key.
const REDACTED: &str = "a text that quotes the provider's key";

/// The key that authenticates the gateway at a provider.
#[derive(Clone)]
pub(crate) struct Secret(Rc<str>);

impl Secret {
    /// The key, if it is long enough to be searched for.
    pub(crate) fn of(key: Option<&str>) -> Option<Self> {
        let key = key.filter(|key| key.len() >= MIN_KEY_BYTES);
        key.map(|key| Self(key.into()))
    }

    /// Classifies an error body that quotes the key as a configuration error if part of it would
    /// reach the client. Errors without a text are not changed.
    pub(crate) fn refusal(&self, status: u16, body: &[u8], error: LlmError) -> LlmError {
        let key = self.0.as_bytes();
        let is_quoted = body.windows(key.len()).any(|part| part == key);
        match error {
            LlmError::InvalidRequest { .. } | LlmError::Unsupported { .. }
                if is_quoted || self.is_in_client_text(&error) =>
            {
                LlmError::Misconfigured { status }
            }
            error => error,
        }
    }

    /// Whether a text that reaches the client contains the key.
    fn is_in_client_text(&self, error: &LlmError) -> bool {
        match error {
            LlmError::InvalidRequest { message, param } => {
                self.is_in(message) || param.as_deref().is_some_and(|param| self.is_in(param))
            }
            LlmError::Unsupported { message, param } => self.is_in(message) || self.is_in(param),
            _ => false,
        }
    }

    /// An error without the key.
    pub(crate) fn redact(&self, error: LlmError) -> LlmError {
        let redacted = |text: String| {
            if self.is_in(&text) {
                REDACTED.to_owned()
            } else {
                text
            }
        };
        match error {
            error if self.is_in_client_text(&error) => LlmError::Reported(REDACTED.to_owned()),
            LlmError::Reported(text) => LlmError::Reported(redacted(text)),
            LlmError::Malformed(text) => LlmError::Malformed(redacted(text)),
            LlmError::Truncated(text) => LlmError::Truncated(redacted(text)),
            other => other,
        }
    }

    fn is_in(&self, text: &str) -> bool {
        text.contains(&*self.0)
    }
}

/// A decoder whose errors do not contain the key.
pub(crate) struct RedactingDecoder {
    pub(crate) inner: Box<dyn Decoder>,
    pub(crate) secret: Secret,
}

impl Decoder for RedactingDecoder {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<LlmEvent>) -> Result<Progress, LlmError> {
        let pushed = self.inner.push(bytes, out);
        pushed.map_err(|error| self.secret.redact(error))
    }

    fn end(&mut self, out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        let ended = self.inner.end(out);
        ended.map_err(|error| self.secret.redact(error))
    }

    fn has_begun(&self) -> bool {
        self.inner.has_begun()
    }

    fn is_whole(&self) -> bool {
        self.inner.is_whole()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure;

    const KEY: &str = "sk-canary-0123";

    fn refusal(body: &str) -> LlmError {
        let secret = Secret::of(Some(KEY)).expect("a key that is long enough");
        let body = body.as_bytes();
        secret.refusal(400, body, failure::refusal(400, body))
    }

    #[test]
    fn attack_55_an_error_that_quotes_the_key_is_a_configuration_error() {
        let long = format!("{}{KEY}", "x".repeat(390));
        for body in [
            format!(r#"{{"error":{{"message":"Bad header: Bearer {KEY}."}}}}"#),
            format!(r#"{{"error":{{"message":"Bad header.","param":"{KEY}"}}}}"#),
            r#"{"error":{"message":"Bad key sk-canary\u002d0123"}}"#.to_owned(),
            // The truncated message ends in the middle of the key.
            format!(r#"{{"error":{{"message":"{long}"}}}}"#),
        ] {
            assert_eq!(
                refusal(&body),
                LlmError::Misconfigured { status: 400 },
                "{body}"
            );
        }
        let kind = refusal(r#"{"error":{"message":"`n` is at most 8."}}"#);
        assert!(
            matches!(kind, LlmError::InvalidRequest { message, .. } if message == "`n` is at most 8.")
        );
    }

    #[test]
    fn attack_55_an_error_in_a_response_is_logged_without_the_key() {
        let secret = Secret::of(Some(KEY)).expect("a key that is long enough");
        for wrap in [LlmError::Reported, LlmError::Malformed, LlmError::Truncated] {
            assert_eq!(
                secret.redact(wrap(format!("no {KEY}!"))),
                wrap(REDACTED.to_owned())
            );
            assert_eq!(secret.redact(wrap("no".to_owned())), wrap("no".to_owned()));
        }
        let invalid = failure::invalid(Some(format!("no {KEY}!")));
        assert_eq!(
            secret.redact(invalid),
            LlmError::Reported(REDACTED.to_owned())
        );
        assert!(Secret::of(Some("short")).is_none());
    }
}
