//! Schemas of bodies that have no type of their own: a request that is read into several types, a patch,
//! an event of a stream.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// Gives a type the schema of another, under the other's name.
macro_rules! described_as {
    ($type:ty => $other:ty) => {
        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                <$other>::inline_schema()
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                <$other>::schema_name()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                <$other>::schema_id()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                <$other>::json_schema(generator)
            }
        }
    };
}

pub(crate) use described_as;

/// Gives a type the schema that a function of the generator returns, under a name of the API.
macro_rules! component {
    ($type:ty, $name:literal, $schema:expr) => {
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema = $schema;
                schema(generator)
            }
        }
    };
}

pub(crate) use component;

/// An object with these members, of which the `required` ones are always there.
pub(crate) fn object(required: &[&str], members: &Value) -> Value {
    json!({ "type": "object", "required": required, "properties": members })
}

/// An object whose member `type` is `name`, with these members besides it.
pub(crate) fn variant(name: &str, required: &[&str], members: &Value) -> Value {
    let mut properties = json!({ "type": { "const": name } });
    if let (Some(all), Some(own)) = (properties.as_object_mut(), members.as_object()) {
        all.extend(own.clone());
    }
    let required: Vec<&str> = ["type"]
        .into_iter()
        .chain(required.iter().copied())
        .collect();
    titled(name, object(&required, &properties))
}

/// The same object, which may have members beyond these.
pub(crate) fn open(mut schema: Value) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("additionalProperties".to_owned(), true.into());
    }
    schema
}

/// A schema with a description.
pub(crate) fn described(text: &str, mut schema: Value) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), text.into());
    }
    schema
}

/// A schema with a title.
pub(crate) fn titled(title: &str, mut schema: Value) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("title".to_owned(), title.into());
    }
    schema
}

/// One of these schemas.
pub(crate) fn any_of(choices: impl IntoIterator<Item = Value>) -> Value {
    json!({ "anyOf": choices.into_iter().collect::<Vec<_>>() })
}

/// The schema of a JSON merge patch (RFC 7396) of a `T`: no member is required, and `null` resets those
/// that have a default.
pub(crate) fn merge_patch<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = T::json_schema(generator);
    let required = schema.remove("required").unwrap_or(Value::Null);
    let is_required = |name: &str| {
        let mut names = required.as_array().into_iter().flatten();
        names.any(|required| required == name)
    };
    let members = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, member) in members.into_iter().flatten() {
        if let Some(member) = member.as_object_mut() {
            member.remove("default");
        }
        if !is_required(name) {
            *member = nullable(member.take());
        }
    }
    let text = "A JSON merge patch (RFC 7396): `null` resets a setting to its default.";
    schema.insert("description".to_owned(), text.into());
    schema
}

/// A schema that also accepts `null`.
fn nullable(mut schema: Value) -> Value {
    let is_null =
        |value: &Value| value == "null" || value.get("type").is_some_and(|it| it == "null");
    let accepts_null = ["type", "anyOf"].into_iter().any(|member| {
        let choices = schema.get(member).and_then(Value::as_array);
        choices.is_some_and(|choices| choices.iter().any(is_null))
    });
    if accepts_null {
        return schema;
    }
    let description = schema
        .as_object_mut()
        .and_then(|it| it.remove("description"));
    let mut nullable = json!({ "anyOf": [schema, { "type": "null" }] });
    if let (Some(text), Some(members)) = (description, nullable.as_object_mut()) {
        members.insert("description".to_owned(), text);
    }
    nullable
}
