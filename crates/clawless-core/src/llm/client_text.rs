//! Values that clients return as a text which they do not read and may not change.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::json;

/// A value with such a text: a prefix that no other service writes, then JSON.
pub trait ClientText: Serialize + DeserializeOwned {
    /// The text that the client's copy begins with.
    const PREFIX: &'static str;

    /// The text for the client.
    fn to_text(&self) -> String {
        // Serializing JSON and strings cannot fail.
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{}{json}", Self::PREFIX)
    }

    /// Parses a text that a client has returned; `None` for one that another service wrote.
    fn parse(text: &str) -> Option<Self> {
        json::read(text.strip_prefix(Self::PREFIX)?).ok()
    }

    /// Whether JSON may contain such a text.
    fn may_be_in(json: &str) -> bool {
        json.contains(Self::PREFIX)
    }
}
