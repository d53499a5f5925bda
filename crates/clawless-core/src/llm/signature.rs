//! Signatures of reasoning for clients that return content blocks. A signature is valid only at the
//! provider and model that made it, so the client's copy names them.

use serde::{Deserialize, Serialize};

use super::client_text::ClientText;

/// A signature, or encrypted reasoning, with the model that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The model, as `provider/model`.
    pub origin: String,
    /// The signature, as the provider sent it.
    pub signature: String,
}

impl ClientText for Signature {
    const PREFIX: &'static str = "clawless1:";
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
