//! Schemas of tools for the Messages API, which accepts fewer than other APIs: an object at the top,
//! without alternatives there, and with plain property names.

use clawless_core::json::Json;
use clawless_core::members::Members;
use clawless_core::tool::FunctionTool;
use serde_json::{Map, Value};

use super::messages::unsupported;
use crate::error::LlmError;

/// The longest name of a property, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// How many alternatives and references are followed. References may be endless.
const MAX_PARTS: u32 = 256;

/// The members that combine schemas.
const ALL: &str = "allOf";
const ANY: [&str; 2] = ["anyOf", "oneOf"];

/// The schema of a function, the tool at this position.
///
/// # Errors
/// The API rejects the schema, and no other one has its meaning.
pub(super) fn of(position: usize, function: &FunctionTool) -> Result<Json, LlmError> {
    let schema = object_schema(function.parameters.as_ref())?;
    let Ok(members) = schema.read::<Members>() else {
        return Ok(schema);
    };
    let param = format!("tools[{position}].function.parameters");
    let has = |name: &str| members.get(name).is_some();
    let has_alternatives = ANY.into_iter().any(has);
    let refused = || {
        unsupported(
            param.clone(),
            "a schema with `anyOf`, `oneOf` or `allOf` at its top that is not of objects, or that is `strict`",
        )
    };
    let schema = if has_alternatives || has(ALL) {
        if function.strict == Some(true) && has_alternatives {
            return Err(refused());
        }
        one_object(&schema)?.ok_or_else(refused)?
    } else {
        schema
    };
    let properties = schema.read::<Members>().ok();
    let properties = properties.map(|mut members| members.take_object("properties"));
    let mut names = properties.iter().flat_map(|it| &it.0).map(|(name, _)| name);
    match names.find(|name| !is_plain(name)) {
        None => Ok(schema),
        Some(name) => {
            let name: String = name.chars().take(MAX_NAME_BYTES).collect();
            let what = format!(
                "the property `{name}`: a name has at most {MAX_NAME_BYTES} letters, digits and characters of `_.-`"
            );
            Err(unsupported(format!("{param}.properties"), &what))
        }
    }
}

fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_plain)
}

/// An object schema: the API requires `type`, which other APIs do not.
fn object_schema(parameters: Option<&Json>) -> Result<Json, LlmError> {
    let mut members: Members = match parameters.filter(|json| json.as_str() != "null") {
        Some(schema) => match schema.read() {
            Ok(members) => members,
            Err(_) => return Ok(schema.clone()),
        },
        None => Members(Vec::new()),
    };
    let is_type = |(name, value): &(String, Json)| name == "type" && value.as_str() == "\"object\"";
    if let (Some(schema), true) = (parameters, members.0.iter().any(is_type)) {
        return Ok(schema.clone());
    }
    members.0.retain(|(name, _)| name != "type");
    let object = Json::from_value("object").map_err(malformed)?;
    members.0.insert(0, ("type".to_owned(), object));
    Json::from_value(&members).map_err(malformed)
}

/// A schema with the alternatives at its top merged into one object, which allows whatever they allow.
/// The description says what it does not: which members belong together. `None` if one of the parts
/// is no object.
fn one_object(schema: &Json) -> Result<Option<Json>, LlmError> {
    let root: Value = schema.read().map_err(malformed)?;
    let mut parts_left = MAX_PARTS;
    let Some(merged) = Shape::of(&root, &root, &mut parts_left) else {
        return Ok(None);
    };
    let Value::Object(mut object) = root else {
        return Ok(None);
    };
    object.remove(ALL);
    let mut notes: Vec<String> = Vec::new();
    notes.extend(
        object
            .get("description")
            .and_then(Value::as_str)
            .map(str::to_owned),
    );
    for name in ANY {
        if let Some(alternatives) = object.remove(name) {
            notes.push(format!("The input must match `{name}` of {alternatives}."));
        }
    }
    if !notes.is_empty() {
        object.insert("description".to_owned(), notes.join(" ").into());
    }
    object.insert("properties".to_owned(), merged.properties.into());
    object.remove("required");
    if !merged.required.is_empty() {
        object.insert("required".to_owned(), merged.required.into());
    }
    Json::from_value(&object).map(Some).map_err(malformed)
}

/// The properties of an object, and those that it must have.
#[derive(Default)]
struct Shape {
    properties: Map<String, Value>,
    required: Vec<String>,
}

impl Shape {
    /// The shape of a schema with its alternatives; `None` if it is of no object, or has too many.
    fn of(schema: &Value, root: &Value, parts_left: &mut u32) -> Option<Self> {
        *parts_left = parts_left.checked_sub(1)?;
        let schema = schema.as_object()?;
        if schema.get("type").is_some_and(|it| it != "object") {
            return None;
        }
        let mut shape = Self::default();
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            shape.properties.clone_from(properties);
        }
        let required = schema.get("required").and_then(Value::as_array);
        shape.require(required.into_iter().flatten().filter_map(Value::as_str));
        if let Some(reference) = schema.get("$ref") {
            let path = reference.as_str()?.strip_prefix('#')?;
            shape.add_all(Self::of(root.pointer(path)?, root, parts_left)?);
        }
        for part in schema
            .get(ALL)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            shape.add_all(Self::of(part, root, parts_left)?);
        }
        for alternatives in ANY.iter().filter_map(|name| schema.get(*name)) {
            let parts = alternatives.as_array()?.iter();
            let parts: Vec<Self> = parts
                .map(|part| Self::of(part, root, parts_left))
                .collect::<Option<_>>()?;
            shape.add_any(parts);
        }
        Some(shape)
    }

    fn require<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        for name in names {
            if !self.required.iter().any(|known| known == name) {
                self.required.push(name.to_owned());
            }
        }
    }

    /// Adds a part that the object matches, too.
    fn add_all(&mut self, part: Self) {
        self.add_properties(part.properties, ALL);
        self.require(part.required.iter().map(String::as_str));
    }

    /// Adds parts of which the object matches one.
    fn add_any(&mut self, parts: Vec<Self>) {
        let mut common = parts
            .first()
            .map_or_else(Vec::new, |it| it.required.clone());
        common.retain(|name| parts.iter().all(|part| part.required.contains(name)));
        let mut any = Self::default();
        for part in parts {
            any.add_properties(part.properties, "anyOf");
        }
        self.add_properties(any.properties, ALL);
        self.require(common.iter().map(String::as_str));
    }

    fn add_properties(&mut self, properties: Map<String, Value>, how: &str) {
        for (name, more) in properties {
            match self.properties.get_mut(&name) {
                Some(known) if *known == more => {}
                Some(known) => *known = combined(std::mem::take(known), more, how),
                None => {
                    self.properties.insert(name, more);
                }
            }
        }
    }
}

/// Two schemas of one property.
fn combined(known: Value, more: Value, how: &str) -> Value {
    let mut object = Map::new();
    object.insert(how.to_owned(), vec![known, more].into());
    object.into()
}

#[allow(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn malformed(error: serde_json::Error) -> LlmError {
    LlmError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(parameters: &Value, strict: bool) -> Result<Value, String> {
        let function = FunctionTool {
            name: "f".to_owned(),
            parameters: Some(Json::parse(parameters.to_string()).expect("JSON")),
            strict: Some(strict),
            ..FunctionTool::default()
        };
        match of(3, &function) {
            Ok(schema) => Ok(schema.read().expect("JSON")),
            Err(LlmError::Unsupported { param, .. }) => Err(param),
            Err(other) => Err(other.to_string()),
        }
    }

    #[test]
    fn alternatives_at_the_top_become_one_object() {
        let text = json!({"type": "string"});
        let alternatives = json!([
            {"type": "object", "properties": {"a": text, "x": text}, "required": ["a", "x"]},
            {"$ref": "#/$defs/B"},
        ]);
        let definitions = json!({"B": {"properties": {"b": text, "x": {"type": "number"}}, "required": ["x", "b"]}});
        let schema = json!({"$defs": definitions, "description": "D.", "properties": {"y": text}, "required": ["y"], "oneOf": alternatives});
        let note = format!("D. The input must match `oneOf` of {alternatives}.");
        let expected = json!({
            "$defs": definitions,
            "type": "object",
            "description": note,
            "properties": {"a": text, "b": text, "x": {"anyOf": [text, {"type": "number"}]}, "y": text},
            "required": ["y", "x"],
        });
        assert_eq!(sent(&schema, false), Ok(expected));
        let all = json!({"type": "object", "allOf": [{"properties": {"a": text}, "required": ["a"]}, {"properties": {"b": text}}]});
        let expected =
            json!({"type": "object", "properties": {"a": text, "b": text}, "required": ["a"]});
        assert_eq!(sent(&all, true), Ok(expected));
        let groups = json!({"type": "object", "properties": {"a": text, "b": text}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]});
        let object = sent(&groups, false).expect("adapted");
        assert!(object.get("anyOf").is_none() && object.get("required").is_none());
        // Alternatives of a property stay.
        let nested =
            json!({"type": "object", "properties": {"a": {"anyOf": [text, {"type": "null"}]}}});
        assert_eq!(sent(&nested, true), Ok(nested));
    }

    #[test]
    fn schemas_that_the_api_rejects_are_named() {
        let param = "tools[3].function.parameters";
        let text = json!({"anyOf": [{"type": "object"}, {"type": "string"}]});
        let unknown = json!({"allOf": [{"$ref": "https://x.example/schema"}]});
        let endless = json!({"allOf": [{"$ref": "#"}]});
        for schema in [text, unknown, endless] {
            assert_eq!(sent(&schema, false), Err(param.to_owned()), "{schema}");
        }
        let alternatives = json!({"anyOf": [{"required": ["a"]}]});
        assert_eq!(sent(&alternatives, true), Err(param.to_owned()));
        let long = "a".repeat(65);
        for (name, is_sent) in [
            ("a.b_c-1", true),
            ("filter[id]", false),
            ("$top", false),
            (&long, false),
            ("", false),
        ] {
            let schema = json!({"type": "object", "properties": {name: {"type": "string", "properties": {"$x": {}}}}});
            let expected = if is_sent {
                Ok(schema.clone())
            } else {
                Err(format!("{param}.properties"))
            };
            assert_eq!(sent(&schema, false), expected, "{name}");
        }
    }
}
