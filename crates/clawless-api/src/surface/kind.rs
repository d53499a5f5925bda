//! The kinds of surfaces: their paths and their errors.

use clawless_core::{ApiError, RequestId};

use crate::envelope::error_envelope;
use crate::{messages, responses};

/// A wire format in which clients call models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// `OpenAI`'s chat completions.
    Chat,
    /// Anthropic's Messages.
    Messages,
    /// `OpenAI`'s Responses.
    Responses,
}

impl Surface {
    /// The surface whose clients call a path. Paths of no surface have chat's envelope.
    pub fn of_path(path: &str) -> Self {
        let is_below = |route: &str| {
            let rest = path.strip_prefix(route);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if is_below(messages::ROUTE) {
            Self::Messages
        } else if is_below(responses::ROUTE) {
            Self::Responses
        } else {
            Self::Chat
        }
    }

    /// The route that creates answers; idempotency keys belong to it.
    pub const fn route(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Messages => messages::ROUTE,
            Self::Responses => responses::ROUTE,
        }
    }

    /// The body of an error response.
    pub fn error_body(self, error: &ApiError, request: &RequestId) -> String {
        match self {
            Self::Chat | Self::Responses => error_envelope(error),
            Self::Messages => messages::error_envelope(error, request),
        }
    }

    /// The name of the header with the request's id that the surface's SDKs read, beside
    /// `x-request-id`.
    pub const fn request_id_header(self) -> Option<&'static str> {
        match self {
            Self::Chat | Self::Responses => None,
            Self::Messages => Some("request-id"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surface_is_that_of_the_path() {
        for (path, surface) in [
            ("/v1/messages", Surface::Messages),
            ("/v1/messages/count_tokens", Surface::Messages),
            ("/v1/messages/", Surface::Messages),
            ("/v1/messagesx", Surface::Chat),
            ("/v1/responses", Surface::Responses),
            ("/v1/responses/resp_1/input_items", Surface::Responses),
            ("/v1/chat/completions", Surface::Chat),
            ("/v1/sessions/a/messages", Surface::Chat),
            ("/", Surface::Chat),
        ] {
            assert_eq!(Surface::of_path(path), surface, "{path}");
        }
    }
}
