//! Merges unknown members of messages and tool calls. They are sent to the client, stored in the
//! session and replayed to the model that produced them.
//!
//! Deltas of one member become one value by these rules, which fit what servers send in pieces:
//! - `null` and empty values add nothing, and neither does a value that repeats the known one;
//! - a text at the top, or under one of [`TEXTS`], is appended to the known text;
//! - any other text, number or boolean replaces the known one: ids, types, signatures, URLs;
//! - objects are merged member by member;
//! - of a list, objects with the `index` and the `type` of a known item are merged into it, a list
//!   that begins with all known items replaces them, and other items are appended.

use serde_json::{Map, Value};

use super::Members;
use crate::json::Json;

/// Nested text members that are sent in pieces.
const TEXTS: [&str; 9] = [
    "arguments",
    "content",
    "data",
    "input",
    "reasoning",
    "summary",
    "text",
    "thinking",
    "transcript",
];

/// Top-level text members that are sent whole.
const WHOLE: [&str; 7] = ["id", "type", "name", "format", "model", "status", "phase"];

/// The maximum number of bytes kept per member.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Members that are being merged.
#[derive(Debug, Clone, Default)]
pub struct MergedMembers(Vec<Merged>);

#[derive(Debug, Clone)]
struct Merged {
    name: String,
    bytes: usize,
    value: Slot,
}

/// A value, kept as raw JSON while it has one piece.
#[derive(Debug, Clone)]
enum Slot {
    One(Json),
    Several(Value),
}

impl MergedMembers {
    /// Merges the next delta.
    pub fn add(&mut self, delta: &Members) {
        for (name, json) in &delta.0 {
            let known = self.0.iter_mut().find(|it| it.name == *name);
            match known {
                Some(known) => known.add(json),
                None => self.0.push(Merged {
                    name: name.clone(),
                    bytes: json.as_str().len(),
                    value: Slot::One(json.clone()),
                }),
            }
        }
    }

    /// Adds values that replace the known ones.
    pub fn replace(&mut self, members: &Members) {
        for (name, _) in &members.0 {
            self.0.retain(|it| it.name != *name);
        }
        self.add(members);
    }

    /// The merged members, in the order in which they began.
    pub fn finish(self) -> Members {
        let members = self.0.into_iter().filter_map(|it| {
            let value = match it.value {
                Slot::One(json) => json,
                Slot::Several(value) => Json::from_value(&value).ok()?,
            };
            Some((it.name, value))
        });
        Members(members.collect())
    }
}

impl Merged {
    fn add(&mut self, json: &Json) {
        if matches!(&self.value, Slot::One(known) if known == json) {
            return;
        }
        self.bytes = self.bytes.saturating_add(json.as_str().len());
        if self.bytes > MAX_BYTES {
            return;
        }
        // Values that the parser rejects stay raw.
        let Ok(more) = json.read::<Value>() else {
            return;
        };
        let mut known = match &mut self.value {
            Slot::Several(known) => std::mem::take(known),
            Slot::One(known) => match known.read() {
                Ok(known) => known,
                Err(_) => return,
            },
        };
        merge(&mut known, more, !is_whole(&self.name));
        self.value = Slot::Several(known);
    }
}

/// The members that differ from the known ones, which are updated; `None` if there are none.
pub fn news(known: &mut Members, mut members: Members) -> Option<Members> {
    members
        .0
        .retain(|(name, value)| known.get(name) != Some(value));
    for (name, value) in &members.0 {
        known.0.retain(|(known, _)| known != name);
        known.0.push((name.clone(), value.clone()));
    }
    (!members.is_empty()).then_some(members)
}

/// Whether a top-level text of this name is sent whole.
fn is_whole(name: &str) -> bool {
    WHOLE.contains(&name) || name.ends_with("_id") || name.ends_with("signature")
}

fn merge(known: &mut Value, more: Value, is_text: bool) {
    match (known, more) {
        (_, Value::Null) => {}
        (Value::String(known), Value::String(more)) if is_text => {
            known.push_str(&more);
        }
        (_, Value::String(more)) if more.is_empty() => {}
        (Value::Object(known), Value::Object(more)) => merge_objects(known, more),
        (Value::Array(known), Value::Array(more)) => merge_lists(known, more),
        (known, more) => *known = more,
    }
}

fn merge_objects(known: &mut Map<String, Value>, more: Map<String, Value>) {
    for (name, value) in more {
        let is_text = TEXTS.contains(&name.as_str());
        match known.get_mut(&name) {
            Some(known) => merge(known, value, is_text),
            None => {
                known.insert(name, value);
            }
        }
    }
}

fn merge_lists(known: &mut Vec<Value>, more: Vec<Value>) {
    if more.starts_with(known) {
        *known = more;
        return;
    }
    for item in more {
        let place = |it: &Value| Some((it.get("index")?.as_u64()?, it.get("type").cloned()));
        let place_of_item = place(&item);
        let same = known
            .iter_mut()
            .find(|it| place_of_item.is_some() && place(it) == place_of_item);
        match same {
            Some(known) if *known == item => {}
            Some(known) => merge(known, item, false),
            None => known.push(item),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The merged value of a member `name` that is sent in these pieces.
    fn merged(name: &str, pieces: &[&str]) -> String {
        let mut merged = MergedMembers::default();
        for piece in pieces {
            let json = Json::parse((*piece).to_owned()).expect("JSON");
            merged.add(&Members(vec![(name.to_owned(), json)]));
        }
        let members = merged.finish();
        members.get(name).expect("kept").as_str().to_owned()
    }

    #[test]
    fn deltas_of_a_member_are_merged() {
        let cases: &[(&str, &[&str], &str)] = &[
            ("x", &[r#"{ "a":1.0}"#], r#"{ "a":1.0}"#),
            (
                "reasoning_text",
                &[r#""a""#, r#""b""#, r#""b""#],
                r#""abb""#,
            ),
            ("thought_signature", &[r#""a""#, r#""a""#], r#""a""#),
            ("name", &[r#""a""#, r#""b""#], r#""b""#),
            ("n", &["1", "2", "null"], "2"),
            (
                "reasoning_details",
                &[
                    r#"[{"type":"reasoning.text","text":"Let","index":0}]"#,
                    r#"[{"type":"reasoning.text","text":" me","index":0}]"#,
                    r#"[{"type":"reasoning.text","signature":"s","index":0}]"#,
                    r#"[{"type":"reasoning.encrypted","data":"gA","id":"rs_1","index":0}]"#,
                ],
                r#"[{"index":0,"signature":"s","text":"Let me","type":"reasoning.text"},{"data":"gA","id":"rs_1","index":0,"type":"reasoning.encrypted"}]"#,
            ),
            (
                "annotations",
                &[r#"[{"a":1}]"#, r#"[{"b":2}]"#, r#"[{"a":1},{"b":2}]"#],
                r#"[{"a":1},{"b":2}]"#,
            ),
            (
                "images",
                &[
                    r#"[{"type":"image_url","image_url":{"url":"data:a"},"index":0}]"#,
                    r#"[{"type":"image_url","image_url":{"url":"data:a"},"index":0},{"type":"image_url","image_url":{"url":"data:b"},"index":1}]"#,
                ],
                r#"[{"image_url":{"url":"data:a"},"index":0,"type":"image_url"},{"image_url":{"url":"data:b"},"index":1,"type":"image_url"}]"#,
            ),
            (
                "extra_content",
                &[
                    r#"{"google":{"thought_signature":"E"}}"#,
                    r#"{"google":{"thought":true}}"#,
                ],
                r#"{"google":{"thought":true,"thought_signature":"E"}}"#,
            ),
            ("mixed", &[r#""a""#, r#"{"b":1}"#], r#"{"b":1}"#),
        ];
        for (name, pieces, expected) in cases {
            assert_eq!(merged(name, pieces), *expected, "{name}");
        }
    }

    #[test]
    fn unmergeable_values_stay_raw() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        assert_eq!(merged("x", &[&deep, "[1]"]), deep);
        assert_eq!(merged("x", &["[1]", &deep]), "[1]");
        assert_eq!(merged("x", &["1e999", "2"]), "1e999");
    }
}
