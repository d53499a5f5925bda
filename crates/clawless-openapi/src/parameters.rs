//! The parameters of paths and queries. The routes tables have their names.

use anyhow::{Result, bail};
use clawless_api::messages;
use serde_json::{Value, json};

use crate::headers;

/// A path as `OpenAPI` writes it, without the mark of a parameter of several segments.
pub(crate) fn path(pattern: &str) -> String {
    pattern.replace('…', "")
}

/// The parameters in a path.
pub(crate) fn of_path(pattern: &str) -> Result<Vec<Value>> {
    let mut parameters = Vec::new();
    let mut before = "";
    for segment in pattern.split('/') {
        let name = segment
            .strip_prefix('{')
            .and_then(|it| it.strip_suffix('}'));
        if let Some(name) = name {
            let (name, has_slashes) = (name.trim_end_matches('…'), name.ends_with('…'));
            let (what, schema) = path_value(before, name)?;
            let mut parameter = json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": what,
                "schema": schema,
            });
            if let (true, Some(members)) = (has_slashes, parameter.as_object_mut()) {
                members.insert("x-multi-segment".to_owned(), true.into());
            }
            parameters.push(parameter);
        }
        before = segment;
    }
    Ok(parameters)
}

/// What the segment after `collection` names.
fn path_value(collection: &str, name: &str) -> Result<(&'static str, Value)> {
    let session = || json!({ "type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,128}$" });
    Ok(match collection {
        "models" => (
            "The name of a model or an alias.",
            json!({ "type": "string", "minLength": 1 }),
        ),
        "sessions" => ("The session's id.", session()),
        "conversations" => ("The conversation's id: that of a session.", session()),
        "responses" => ("The response's id.", id("resp")),
        "messages" => ("The message's id.", id("msg")),
        "turns" => ("The request's id, from `x-request-id`.", id("req")),
        "tenants" => ("The tenant's id.", id("ten")),
        "keys" => ("The key's id.", id("key")),
        "tokens" => ("The token's id.", id("adm")),
        _ => bail!("the path parameter {name} after `{collection}` is not described"),
    })
}

/// Whether a route lists items under `OpenAI`'s names.
fn is_of_items(pattern: &str) -> bool {
    pattern.ends_with("/items") || pattern.ends_with("/input_items")
}

fn id(prefix: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^{prefix}_[0-7][0-9A-HJKMNP-TV-Z]{{25}}$") })
}

/// A parameter of a query, by its name in the routes table.
pub(crate) fn of_query(pattern: &str, name: &str) -> Result<Value> {
    let moment = || json!({ "type": "integer", "format": "int64", "minimum": 0 });
    let (description, schema) = match name {
        "limit" if pattern == "/v1/models" => (
            "The most models on a page, for clients of the Messages API.",
            json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 20 }),
        ),
        "after_id" => (
            "The models after this one, for clients of the Messages API.",
            json!({ "type": "string" }),
        ),
        "before_id" => (
            "The models before this one, for clients of the Messages API.",
            json!({ "type": "string" }),
        ),
        "after" if is_of_items(pattern) => {
            ("The items after this one.", json!({ "type": "string" }))
        }
        "order" if is_of_items(pattern) => (
            "Oldest or newest first.",
            json!({ "type": "string", "enum": ["asc", "desc"], "default": "desc" }),
        ),
        "beta" => (
            "Has no effect; SDKs of the Messages API send it.",
            json!({ "type": "string" }),
        ),
        "limit" => (
            "The most items on a page.",
            json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 }),
        ),
        "cursor" => (
            "`next_cursor` of the previous page.",
            json!({ "type": "string" }),
        ),
        "title" => (
            "The title contains this text; ASCII letters match in either case.",
            json!({ "type": "string", "maxLength": 2048 }),
        ),
        "metadata[]" => return Ok(labels()),
        "created_after" => ("Created at this second or later.", moment()),
        "created_before" => ("Created before this second.", moment()),
        "order" => (
            "Oldest or newest first.",
            json!({ "type": "string", "enum": ["asc", "desc"], "default": "asc" }),
        ),
        "after" => ("The messages after this one.", id("msg")),
        "before" => ("The messages before this one.", id("msg")),
        "from" => (
            "The beginning of the period, in seconds since 1970 (UTC); this month by default.",
            moment(),
        ),
        "to" => (
            "The end of the period, in seconds since 1970 (UTC), not included.",
            moment(),
        ),
        "format" => (
            "The format of the report.",
            json!({ "type": "string", "enum": ["json", "csv"] }),
        ),
        "tenant_id" => ("The entries of this tenant only.", id("ten")),
        _ => bail!("the query parameter {name} is not described"),
    };
    Ok(json!({
        "name": name,
        "in": "query",
        "required": false,
        "description": description,
        "schema": schema,
    }))
}

/// `metadata[key]=value`.
fn labels() -> Value {
    json!({
        "name": "metadata",
        "in": "query",
        "required": false,
        "style": "deepObject",
        "explode": true,
        "description": "The label `key` has this value: `metadata[key]=value`.",
        "schema": {
            "type": "object",
            "maxProperties": 16,
            "additionalProperties": { "type": "string" },
        },
    })
}

/// All parameters of an operation.
pub(crate) fn of_operation(
    pattern: &str,
    query: &[&str],
    in_headers: &[String],
) -> Result<Vec<Value>> {
    let mut parameters = of_path(pattern)?;
    for name in query {
        parameters.push(of_query(pattern, name)?);
    }
    for name in in_headers {
        let is_required = name == "anthropic-version" && pattern.starts_with(messages::ROUTE);
        parameters.push(headers::parameter(name, is_required)?);
    }
    Ok(parameters)
}
