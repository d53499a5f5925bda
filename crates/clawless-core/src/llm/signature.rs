//! Signatures of reasoning for clients that return content blocks. A signature is valid only at the
//! provider and model that made it, so the client's copy names them.

use serde::{Deserialize, Serialize};

use crate::json;

/// The text that the client's copy begins with.
const PREFIX: &str = "clawless1:";

/// A signature, or encrypted reasoning, with the model that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The model, as `provider/model`.
    pub origin: String,
    /// The signature, as the provider sent it.
    pub signature: String,
}

impl Signature {
    /// The text for the client.
    pub fn to_text(&self) -> String {
        // Serializing strings cannot fail.
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{PREFIX}{json}")
    }

    /// Parses a text that a client has returned; `None` for one that another service wrote.
    pub fn parse(text: &str) -> Option<Self> {
        json::read(text.strip_prefix(PREFIX)?).ok()
    }

    /// Whether JSON may contain such a text.
    pub fn may_be_in(json: &str) -> bool {
        json.contains(PREFIX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_parsed_as_it_was_written() {
        let signature = Signature {
            origin: "p/m:1".to_owned(),
            signature: "c2ln\"==".to_owned(),
        };
        assert!(Signature::may_be_in(&signature.to_text()));
        assert_eq!(Signature::parse(&signature.to_text()), Some(signature));
        for foreign in ["", "c2ln==", "clawless1:", "clawless1:[]", "clawless1:{}"] {
            assert_eq!(Signature::parse(foreign), None, "{foreign}");
        }
    }
}
