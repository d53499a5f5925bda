//! A tenant's fallback models: one list for all requests, or one per request class.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::query_class::QueryClass;

/// Fallback models in order. Serialised as a list, or as an object of lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Fallback {
    /// The same list for every request.
    All(Vec<String>),
    /// One list per request class.
    ByClass(Box<ClassFallback>),
}

/// Fallbacks per class; a class without a list has none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ClassFallback {
    /// Simple requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub simple: Vec<String>,
    /// Complex requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub complex: Vec<String>,
    /// Programming requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub code: Vec<String>,
    /// Requests with images.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vision: Vec<String>,
}

impl Default for Fallback {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl Fallback {
    /// The fallback models of a request class.
    pub fn of(&self, class: QueryClass) -> &[String] {
        match self {
            Self::All(models) => models,
            Self::ByClass(lists) => match class {
                QueryClass::Simple => &lists.simple,
                QueryClass::Complex => &lists.complex,
                QueryClass::Code => &lists.code,
                QueryClass::Vision => &lists.vision,
            },
        }
    }

    /// All lists with the names of their parameters.
    pub fn lists(&self) -> Vec<(&'static str, &[String])> {
        match self {
            Self::All(models) => vec![("fallback", models)],
            Self::ByClass(lists) => vec![
                ("fallback.simple", &lists.simple),
                ("fallback.complex", &lists.complex),
                ("fallback.code", &lists.code),
                ("fallback.vision", &lists.vision),
            ],
        }
    }
}

impl<'de> Deserialize<'de> for Fallback {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lists;

        impl<'de> Visitor<'de> for Lists {
            type Value = Fallback;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of models, or an object with a list for each class")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, names: A) -> Result<Fallback, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(names)).map(Fallback::All)
            }

            fn visit_map<A: MapAccess<'de>>(self, lists: A) -> Result<Fallback, A::Error> {
                Box::deserialize(MapAccessDeserializer::new(lists)).map(Fallback::ByClass)
            }
        }

        deserializer.deserialize_any(Lists)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Fallback, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn a_list_applies_to_every_class_and_an_object_to_each() {
        let all = parse(r#"["a","b"]"#).expect("a list");
        let classed = parse(r#"{"code":["c"],"simple":[]}"#).expect("lists");
        for (class, expected) in [
            (QueryClass::Simple, vec![]),
            (QueryClass::Complex, vec![]),
            (QueryClass::Code, vec!["c".to_owned()]),
            (QueryClass::Vision, vec![]),
        ] {
            assert_eq!(all.of(class), ["a", "b"]);
            assert_eq!(classed.of(class), expected);
        }
        let encode = |fallback: &Fallback| serde_json::to_string(fallback).expect("JSON");
        assert_eq!(encode(&all), r#"["a","b"]"#);
        assert_eq!(encode(&classed), r#"{"code":["c"]}"#);
        assert_eq!(encode(&Fallback::default()), "[]");
    }

    #[test]
    fn other_json_types_are_rejected() {
        for bad in [r#""a""#, "[1]", r#"{"other":[]}"#, r#"{"code":"c"}"#] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
