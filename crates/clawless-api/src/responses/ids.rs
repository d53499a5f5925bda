//! The ids of responses and their items. Both follow from a request's or a message's id, so that the
//! stream, the stored response and a replay name the same things.

use clawless_core::{ApiError, RequestId, SessionId};

/// The prefix of a response's id.
const RESPONSE: &str = "resp_";

/// The prefix of a session that was created for a response.
const AUTO_SESSION: &str = "conv_";

/// The id of the response to a request: the request's, with `OpenAI`'s prefix.
pub fn response_id(request: &RequestId) -> String {
    format!("{RESPONSE}{}", bare(request.as_str()))
}

/// The request that a response answers. `None` if `id` is not a response's id.
pub fn request_of_response(id: &str) -> Option<RequestId> {
    let ulid = id.strip_prefix(RESPONSE)?;
    format!("{}{ulid}", RequestId::PREFIX).parse().ok()
}

/// The id of the session that stores a response whose request names none. Its first turn creates it.
///
/// # Errors
/// An internal error that cannot occur: the id is a valid one.
pub fn auto_session(request: &RequestId) -> Result<SessionId, ApiError> {
    let id = format!("{AUTO_SESSION}{}", bare(request.as_str()));
    id.parse().map_err(ApiError::internal)
}

/// Whether a session was created for a response: [`auto_session`].
pub fn is_auto_session(session: &SessionId) -> bool {
    let ulid = session.as_str().strip_prefix(AUTO_SESSION);
    ulid.is_some_and(|ulid| {
        format!("{}{ulid}", RequestId::PREFIX)
            .parse::<RequestId>()
            .is_ok()
    })
}

/// The kinds of items, which their ids begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemKind {
    /// A message.
    Message,
    /// Reasoning.
    Reasoning,
    /// A call of a function.
    FunctionCall,
    /// A call of a custom tool.
    CustomCall,
    /// The result of a function call.
    FunctionOutput,
}

impl ItemKind {
    const ALL: [Self; 5] = [
        Self::Message,
        Self::Reasoning,
        Self::FunctionCall,
        Self::CustomCall,
        Self::FunctionOutput,
    ];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Message => "msg_",
            Self::Reasoning => "rs_",
            Self::FunctionCall => "fc_",
            Self::CustomCall => "ctc_",
            Self::FunctionOutput => "fco_",
        }
    }
}

/// The id of the `number`th item of its kind in `owner`, a request or a stored message.
pub fn item_id(kind: ItemKind, owner: &str, number: usize) -> String {
    format!("{}{}_{number}", kind.prefix(), bare(owner))
}

/// What an item's id names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemReference {
    /// The kind of the item.
    pub kind: ItemKind,
    /// The ULID of the request or of the stored message.
    pub owner: String,
    /// The position among the items of the kind.
    pub number: usize,
}

impl ItemReference {
    /// Parses an id that [`item_id`] wrote.
    pub fn parse(id: &str) -> Option<Self> {
        let mut kinds = ItemKind::ALL.into_iter();
        let (kind, rest) = kinds.find_map(|kind| Some((kind, id.strip_prefix(kind.prefix())?)))?;
        let (owner, number) = rest.split_once('_')?;
        Some(Self {
            kind,
            owner: owner.to_owned(),
            number: number.parse().ok()?,
        })
    }
}

/// The id without its prefix.
fn bare(id: &str) -> &str {
    id.split_once('_').map_or(id, |(_, ulid)| ulid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_parsed_as_they_are_written() {
        let request: RequestId = "req_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id");
        let id = response_id(&request);
        assert_eq!(id, "resp_01ARZ3NDEKTSV4RRFFQ69G5FAV");
        assert_eq!(request_of_response(&id), Some(request.clone()));
        for other in ["resp_1", "req_01ARZ3NDEKTSV4RRFFQ69G5FAV", ""] {
            assert_eq!(request_of_response(other), None);
        }
        let session = auto_session(&request).expect("an id");
        assert!(is_auto_session(&session) && !session.is_generated());
        assert!(!is_auto_session(&"conv_x".parse().expect("an id")));
        for kind in ItemKind::ALL {
            let id = item_id(kind, request.as_str(), 3);
            let parsed = ItemReference::parse(&id).expect("an item's id");
            assert_eq!((parsed.kind, parsed.number), (kind, 3));
            assert_eq!(parsed.owner, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
        }
        assert_eq!(ItemReference::parse("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV"), None);
    }
}
