//! A tenant's own fallbacks: one list for everything, or one for each class of request.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::classify::QueryClass;

/// The models that stand in for the first, in order. On the wire a list, or an object of lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Fallback {
    /// The same for every request.
    All(Vec<String>),
    /// By the class of what is asked.
    ByClass(Box<ClassFallback>),
}

/// The fallbacks of each class; a class without a list has none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassFallback {
    /// Of simple requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub simple: Vec<String>,
    /// Of those that ask for thought.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub complex: Vec<String>,
    /// Of programming.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub code: Vec<String>,
    /// Of images.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vision: Vec<String>,
}

impl Default for Fallback {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl Fallback {
    /// The models for a request of this class.
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

    /// Every list, with the name of the parameter that it is set by.
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

    fn read(text: &str) -> Result<Fallback, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn a_list_holds_for_every_class_and_an_object_for_each() {
        let all = read(r#"["a","b"]"#).expect("a list");
        let classed = read(r#"{"code":["c"],"simple":[]}"#).expect("lists");
        for (class, expected) in [
            (QueryClass::Simple, vec![]),
            (QueryClass::Complex, vec![]),
            (QueryClass::Code, vec!["c".to_owned()]),
            (QueryClass::Vision, vec![]),
        ] {
            assert_eq!(all.of(class), ["a", "b"]);
            assert_eq!(classed.of(class), expected);
        }
        let written = |it: &Fallback| serde_json::to_string(it).expect("JSON");
        assert_eq!(written(&all), r#"["a","b"]"#);
        assert_eq!(written(&classed), r#"{"code":["c"]}"#);
        assert_eq!(written(&Fallback::default()), "[]");
    }

    #[test]
    fn what_is_neither_is_refused() {
        for bad in [r#""a""#, "[1]", r#"{"other":[]}"#, r#"{"code":"c"}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
