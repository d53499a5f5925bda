//! Examples of bodies that the texts have none for, made from their schemas.

use serde_json::{Map, Value, json};

/// The deepest nesting of an example.
const MAX_DEPTH: usize = 24;

/// The number of an id in examples.
const ULID: &str = "01KB5Q2W6Z4X8Y0C2E4G6J8N0P";

/// Adds examples to the JSON bodies of an operation that have none.
pub(crate) fn complete(operation: &mut Map<String, Value>, components: &Map<String, Value>) {
    let mut bodies: Vec<&mut Value> = Vec::new();
    for (name, value) in operation.iter_mut() {
        match name.as_str() {
            "requestBody" => bodies.push(value),
            "responses" => bodies.extend(
                value
                    .as_object_mut()
                    .into_iter()
                    .flatten()
                    .filter(|(status, _)| status.starts_with('2'))
                    .map(|(_, response)| response),
            ),
            _ => {}
        }
    }
    for body in bodies {
        let media = body.pointer_mut("/content/application~1json");
        let Some(media) = media.and_then(Value::as_object_mut) else {
            continue;
        };
        if let (false, Some(schema)) = (media.contains_key("example"), media.get("schema")) {
            let example = sample(schema, components, 0);
            media.insert("example".to_owned(), example);
        }
    }
}

/// A value that a schema accepts.
fn sample(schema: &Value, components: &Map<String, Value>, depth: usize) -> Value {
    let Some(members) = schema.as_object().filter(|_| depth < MAX_DEPTH) else {
        return Value::Null;
    };
    let again = |schema: &Value| sample(schema, components, depth + 1);
    if let Some(target) = members.get("$ref").and_then(Value::as_str) {
        let name = target.rsplit('/').next().unwrap_or_default();
        return components.get(name).map_or(Value::Null, again);
    }
    if let Some(value) = members.get("const").or_else(|| members.get("default")) {
        return value.clone();
    }
    for choice in ["enum", "anyOf", "oneOf"] {
        let first = members
            .get(choice)
            .and_then(Value::as_array)
            .and_then(|all| all.first());
        match first {
            Some(value) if choice == "enum" => return value.clone(),
            Some(schema) if !members.contains_key("properties") => return again(schema),
            _ => {}
        }
    }
    let kinds = match members.get("type") {
        Some(Value::Array(kinds)) => kinds.clone(),
        Some(kind) => vec![kind.clone()],
        None => Vec::new(),
    };
    if kinds.iter().any(|kind| kind == "null") {
        return Value::Null;
    }
    match kinds.first().and_then(Value::as_str) {
        Some("object") => {
            let required = members.get("required").and_then(Value::as_array);
            let required: Vec<_> = required
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let properties = members.get("properties").and_then(Value::as_object);
            let shown = properties
                .into_iter()
                .flatten()
                .filter(|(name, _)| required.contains(&name.as_str()))
                .map(|(name, schema)| (name.clone(), again(schema)));
            Value::Object(shown.collect())
        }
        Some("array") => json!([members.get("items").map_or(Value::Null, again)]),
        Some("string") => text(members.get("pattern").and_then(Value::as_str)),
        Some("boolean") => json!(false),
        Some("integer" | "number") => members.get("minimum").cloned().unwrap_or_else(|| json!(0)),
        _ => json!({}),
    }
}

/// A text of a pattern: an id, or a name.
fn text(pattern: Option<&str>) -> Value {
    let prefix = pattern.and_then(|pattern| pattern.strip_prefix('^')?.split_once("[0-7]"));
    match prefix {
        Some((prefix, _)) => json!(format!("{prefix}{ULID}")),
        None => json!("example"),
    }
}
