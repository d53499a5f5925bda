//! Our own key at a provider, kept out of whatever the provider says about it.

use std::rc::Rc;

use clawless_core::llm::LlmEvent;

use crate::error::LlmError;
use crate::protocol::{Decoder, Progress};

/// The shortest key that is looked for, in bytes: a shorter one is in other words by chance.
const SHORTEST: usize = 8;

/// What stands in the log in place of words that quote the key.
const HUSHED: &str = "in words that quote our key";

/// The key that opens a provider to us.
#[derive(Clone)]
pub(crate) struct Secret(Rc<str>);

impl Secret {
    /// A key that is worth looking for.
    pub(crate) fn of(key: Option<&str>) -> Option<Self> {
        let key = key.filter(|key| key.len() >= SHORTEST);
        key.map(|key| Self(key.into()))
    }

    /// A refusal, as long as it does not quote the key, in what is kept of it or beyond. One that
    /// does is about us and not about the client's request.
    pub(crate) fn refusal(&self, status: u16, body: &[u8], told: LlmError) -> LlmError {
        let key = self.0.as_bytes();
        let is_quoted = body.windows(key.len()).any(|part| part == key);
        let is_told = match &told {
            LlmError::InvalidRequest { message, param } => {
                self.is_in(message) || param.as_deref().is_some_and(|param| self.is_in(param))
            }
            _ => false,
        };
        // Waiting times and the provider's health are told by other errors, which hold no text.
        match told {
            LlmError::InvalidRequest { .. } if is_quoted || is_told => {
                LlmError::Misconfigured { status }
            }
            told => told,
        }
    }

    /// An error without the key.
    pub(crate) fn redact(&self, error: LlmError) -> LlmError {
        let redacted = |text: String| {
            if self.is_in(&text) {
                HUSHED.to_owned()
            } else {
                text
            }
        };
        match error {
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

/// A decoder whose errors do not quote the key.
pub(crate) struct HushedDecoder {
    pub(crate) inner: Box<dyn Decoder>,
    pub(crate) secret: Secret,
}

impl Decoder for HushedDecoder {
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

    fn told(body: &str) -> LlmError {
        let secret = Secret::of(Some(KEY)).expect("a key that is long enough");
        let body = body.as_bytes();
        secret.refusal(400, body, failure::refusal(400, body))
    }

    #[test]
    fn attack_55_a_refusal_that_quotes_our_key_is_about_us_and_says_nothing() {
        let long = format!("{}{KEY}", "x".repeat(390));
        for body in [
            format!(r#"{{"error":{{"message":"Bad header: Bearer {KEY}."}}}}"#),
            format!(r#"{{"error":{{"message":"Bad header.","param":"{KEY}"}}}}"#),
            r#"{"error":{"message":"Bad key sk-canary\u002d0123"}}"#.to_owned(),
            // Cut in the middle of the key, where the sentence ends that is passed on.
            format!(r#"{{"error":{{"message":"{long}"}}}}"#),
        ] {
            assert_eq!(
                told(&body),
                LlmError::Misconfigured { status: 400 },
                "{body}"
            );
        }
        let kind = told(r#"{"error":{"message":"`n` is at most 8."}}"#);
        assert!(
            matches!(kind, LlmError::InvalidRequest { message, .. } if message == "`n` is at most 8.")
        );
    }

    #[test]
    fn attack_55_an_error_in_an_answer_is_logged_without_our_key() {
        let secret = Secret::of(Some(KEY)).expect("a key that is long enough");
        for wrap in [LlmError::Reported, LlmError::Malformed, LlmError::Truncated] {
            assert_eq!(
                secret.redact(wrap(format!("no {KEY}!"))),
                wrap(HUSHED.to_owned())
            );
            assert_eq!(secret.redact(wrap("no".to_owned())), wrap("no".to_owned()));
        }
        assert!(Secret::of(Some("short")).is_none());
    }
}
