//! A provider's own members of an answer, for clients whose format has no place for them. The client
//! returns them in a block of encrypted reasoning, which it may not change.

use serde::{Deserialize, Serialize};

use super::client_text::ClientText;
use crate::json::Json;
use crate::members::{Members, MergedMembers};

/// The provider's own members of an answer, with the model that needs them back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedMembers {
    /// The model, as `provider/model`.
    pub origin: String,
    /// The members of the message.
    #[serde(default, skip_serializing_if = "Members::is_empty")]
    pub members: Members,
    /// The members of its tool calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<CallMembers>,
}

/// The provider's own members of a tool call. Those of its `function` are in an object of that name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallMembers {
    /// The id of the call.
    pub id: String,
    /// The members.
    pub members: Members,
}

impl ClientText for CarriedMembers {
    const PREFIX: &'static str = "clawless-members1:";
}

impl CarriedMembers {
    /// Adds the members of one answer to its message in the format of chat completions. An answer may
    /// have several parts of them.
    pub fn add_to(parts: &[Self], message: &mut Members) -> Result<(), serde_json::Error> {
        let mut merged = MergedMembers::default();
        for part in parts {
            merged.add(&part.members);
        }
        add_absent(message, merged.finish());
        let calls = message.0.iter_mut().find(|(name, _)| name == "tool_calls");
        let Some((_, value)) = calls else {
            return Ok(());
        };
        let mut calls: Vec<Members> = value.read()?;
        for call in &mut calls {
            let id: Option<String> = call.get("id").and_then(|id| id.read().ok());
            let mut merged = MergedMembers::default();
            let carried = parts.iter().flat_map(|part| &part.calls);
            let carried = carried.filter(|it| Some(&it.id) == id.as_ref());
            for it in carried {
                merged.add(&it.members);
            }
            let mut merged = merged.finish();
            for name in ["function", "custom"] {
                let of_function = merged.take_object(name);
                if call.get(name).is_some() && !of_function.is_empty() {
                    let mut function: Members = call.take_object(name);
                    add_absent(&mut function, of_function);
                    call.push_object(name, &function);
                }
            }
            add_absent(call, merged);
        }
        *value = Json::from_value(&calls)?;
        Ok(())
    }
}

/// Adds the members that an object does not have.
fn add_absent(members: &mut Members, more: Members) {
    let more = more.0.into_iter();
    let absent: Vec<_> = more
        .filter(|(name, _)| members.get(name).is_none())
        .collect();
    members.0.extend(absent);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Members {
        serde_json::from_str(text).expect("an object")
    }

    #[test]
    fn members_return_to_the_message_and_to_the_call_of_their_id() {
        let part = |of_message: &str, id: &str, of_call: &str| CarriedMembers {
            origin: "p/m".to_owned(),
            members: members(of_message),
            calls: vec![CallMembers {
                id: id.to_owned(),
                members: members(of_call),
            }],
        };
        let parts = [
            part(
                r#"{"reasoning_details":[{"type":"a"}],"content":"x"}"#,
                "b",
                r#"{"extra_content":{"google":{"thought_signature":"S=="}},"function":{"signature":"F","name":"x"}}"#,
            ),
            part(r#"{"reasoning_details":[{"type":"b"}]}"#, "c", r#"{"x":1}"#),
        ];
        let text = parts[0].to_text();
        assert!(CarriedMembers::may_be_in(&text));
        assert_eq!(CarriedMembers::parse(&text).as_ref(), Some(&parts[0]));
        let mut message = members(
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a","function":{"name":"f"}},{"id":"b","function":{"name":"g"}}]}"#,
        );
        CarriedMembers::add_to(&parts, &mut message).expect("JSON");
        assert_eq!(
            Json::from_value(&message).expect("JSON").as_str(),
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a","function":{"name":"f"}},{"id":"b","function":{"name":"g","signature":"F"},"extra_content":{"google":{"thought_signature":"S=="}}}],"reasoning_details":[{"type":"a"},{"type":"b"}]}"#
        );
        for foreign in ["", "c2ln==", "clawless-members1:", "clawless-members1:[]"] {
            assert_eq!(CarriedMembers::parse(foreign), None, "{foreign}");
        }
    }
}
