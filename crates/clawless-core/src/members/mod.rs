//! JSON objects whose members are carried and not interpreted.

mod merged;

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::json::Json;

pub use merged::{MergedMembers, news};

/// The members of an object in their order, each value as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members(pub Vec<(String, Json)>);

impl Members {
    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of the member of this name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value)
    }

    /// Removes the member of this name and returns its own members; none if it is absent or not an
    /// object.
    #[must_use]
    pub fn take_object(&mut self, name: &str) -> Self {
        let object = self.get(name).and_then(|json| json.read().ok());
        self.0.retain(|(known, _)| known != name);
        object.unwrap_or_default()
    }

    /// Adds these members as one object. Nothing is added if there are none.
    pub fn push_object(&mut self, name: &str, members: &Self) {
        if let (false, Ok(object)) = (members.is_empty(), Json::from_value(members)) {
            self.0.push((name.to_owned(), object));
        }
    }

    /// The members without those of these names.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|(name, _)| !names.contains(&name.as_str()));
        self
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Objects;

        impl<'de> Visitor<'de> for Objects {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Objects)
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
