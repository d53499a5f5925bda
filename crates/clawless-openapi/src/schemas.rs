//! The schemas of all bodies. Requests and responses of one type can differ: a member with a default is
//! optional in a request and always present in a response. Then the request's schema gets another name.

use std::collections::BTreeSet;

use clawless_edge::http::contract::SchemaOf;
use schemars::SchemaGenerator;
use schemars::generate::{Contract, SchemaSettings};
use serde_json::{Map, Value, json};

/// The path of components.
const COMPONENTS: &str = "#/components/schemas/";

/// The end of the name of a request's schema that differs from the response's.
const OF_REQUEST: &str = "Input";

/// Collects schemas.
pub(crate) struct Schemas {
    requests: SchemaGenerator,
    responses: SchemaGenerator,
}

/// Which of two schemas of a type applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// What clients send.
    Request,
    /// What clients receive.
    Response,
}

impl Schemas {
    /// No schemas yet.
    pub(crate) fn new() -> Self {
        let generator = |contract| {
            let settings = SchemaSettings::draft2020_12().with(|settings| {
                settings.meta_schema = None;
                settings.definitions_path = "/components/schemas".into();
                settings.contract = contract;
            });
            settings.into_generator()
        };
        Self {
            requests: generator(Contract::Deserialize),
            responses: generator(Contract::Serialize),
        }
    }

    /// The schema of a type, usually a reference to a component.
    pub(crate) fn schema(&mut self, of: SchemaOf, direction: Direction) -> Value {
        let generator = match direction {
            Direction::Request => &mut self.requests,
            Direction::Response => &mut self.responses,
        };
        plain(of(generator).to_value())
    }

    /// All components, and the names of those that requests use under another name.
    pub(crate) fn finish(mut self) -> (Map<String, Value>, BTreeSet<String>) {
        let clean = |definitions: Map<String, Value>| -> Map<String, Value> {
            let cleaned = definitions.into_iter();
            cleaned
                .map(|(name, schema)| (name, plain(schema)))
                .collect()
        };
        let requests = clean(self.requests.take_definitions(false));
        let mut components = clean(self.responses.take_definitions(false));
        let renamed = differing(&requests, &components);
        for (name, mut schema) in requests {
            rename_references(&mut schema, &renamed);
            let name = if renamed.contains(&name) {
                name + OF_REQUEST
            } else {
                name
            };
            components.insert(name, schema);
        }
        (components, renamed)
    }
}

/// The names of schemas that differ, or that refer to one that does.
fn differing(requests: &Map<String, Value>, responses: &Map<String, Value>) -> BTreeSet<String> {
    let shared: Vec<_> = requests
        .iter()
        .filter_map(|(name, schema)| Some((name, schema, responses.get(name)?)))
        .collect();
    let mut found = BTreeSet::new();
    loop {
        let before = found.len();
        for (name, request, response) in &shared {
            if request != response || refers_to_any(request, &found) {
                found.insert((*name).clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

fn refers_to_any(schema: &Value, names: &BTreeSet<String>) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(name, value)| {
            let target = value
                .as_str()
                .and_then(|text| text.strip_prefix(COMPONENTS));
            name == "$ref" && target.is_some_and(|target| names.contains(target))
                || refers_to_any(value, names)
        }),
        Value::Array(values) => values.iter().any(|value| refers_to_any(value, names)),
        _ => false,
    }
}

/// Makes references of a request name the request's schemas.
pub(crate) fn rename_references(schema: &mut Value, renamed: &BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                let target = value
                    .as_str()
                    .and_then(|text| text.strip_prefix(COMPONENTS));
                match target {
                    Some(target) if name == "$ref" && renamed.contains(target) => {
                        *value = json!(format!("{COMPONENTS}{target}{OF_REQUEST}"));
                    }
                    _ => rename_references(value, renamed),
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                rename_references(value, renamed);
            }
        }
        _ => {}
    }
}

/// A schema without what only matters in Rust: sizes of integers, defaults that are null, marks of the
/// documentation.
fn plain(mut schema: Value) -> Value {
    clean(&mut schema);
    schema
}

fn clean(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("default") == Some(&Value::Null) {
                members.remove("default");
            }
            match members.get("format").and_then(Value::as_str) {
                Some("uint64" | "uint") => {
                    drop(members.insert("format".to_owned(), "int64".into()));
                }
                Some("uint32" | "uint16" | "uint8" | "float") => drop(members.remove("format")),
                _ => {}
            }
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = prose(text);
            }
            members.values_mut().for_each(clean);
        }
        Value::Array(values) => values.iter_mut().for_each(clean),
        _ => {}
    }
}

/// A comment as prose: its paragraphs on one line each, without links to Rust items.
fn prose(comment: &str) -> String {
    let paragraphs = comment.split("\n\n").map(|paragraph| {
        let text = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        text.replace("[`", "`")
            .replace("`]", "`")
            .replace("`OpenAI`", "OpenAI")
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_that_differs_for_requests_is_renamed_with_all_that_refer_to_it() {
        let same = json!({ "type": "string" });
        let outer = json!({ "properties": { "a": { "$ref": "#/components/schemas/Inner" } } });
        let map = |inner: Value| {
            let members = [
                ("Inner", inner),
                ("Outer", outer.clone()),
                ("Same", same.clone()),
            ];
            members
                .map(|(name, schema)| (name.to_owned(), schema))
                .into_iter()
                .collect()
        };
        let found = differing(
            &map(json!({ "type": "object" })),
            &map(json!({ "required": ["a"] })),
        );
        assert_eq!(found.iter().collect::<Vec<_>>(), ["Inner", "Outer"]);
        let mut schema = outer.clone();
        rename_references(&mut schema, &found);
        assert_eq!(
            schema["properties"]["a"]["$ref"],
            "#/components/schemas/InnerInput"
        );
    }

    #[test]
    fn comments_become_prose() {
        assert_eq!(
            prose("The names of `OpenAI`,\nsee [`Other`].\n\nMore."),
            "The names of OpenAI, see `Other`.\n\nMore."
        );
    }
}
