//! The headers of requests and responses.

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// A header: its name, its schema and its meaning.
struct Header {
    name: &'static str,
    schema: fn() -> Value,
    description: &'static str,
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn request_id() -> Value {
    json!({ "type": "string", "pattern": "^req_[0-7][0-9A-HJKMNP-TV-Z]{25}$" })
}

fn session_id() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,128}$" })
}

fn truth() -> Value {
    json!({ "type": "string", "enum": ["true", "false"] })
}

const fn header(name: &'static str, schema: fn() -> Value, description: &'static str) -> Header {
    Header {
        name,
        schema,
        description,
    }
}

/// The headers of requests.
const OF_REQUESTS: [Header; 6] = [
    header(
        "x-session-id",
        session_id,
        "The session that the messages continue; created if it does not exist.",
    ),
    header(
        "idempotency-key",
        key,
        "Identifies repeats of the request: they get the stored answer for 24 hours.",
    ),
    header(
        "if-match",
        text,
        "The `etag` of the version that the change expects.",
    ),
    header("accept", text, "The wanted content type."),
    header(
        "anthropic-version",
        text,
        "The version of the Messages API, such as `2023-06-01`. Its clients get models in its form.",
    ),
    header(
        "anthropic-beta",
        text,
        "Beta features, for providers whose profile lists them.",
    ),
];

fn key() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" })
}

/// The headers of responses.
const OF_RESPONSES: [Header; 23] = [
    header("x-request-id", request_id, "The request's id."),
    header(
        "x-ratelimit-limit-requests",
        count,
        "The most requests at once.",
    ),
    header(
        "x-ratelimit-remaining-requests",
        count,
        "The remaining requests.",
    ),
    header(
        "x-ratelimit-reset-requests",
        text,
        "The time until all requests are available again, such as `1.5s` or `6m0s`.",
    ),
    header(
        "x-ratelimit-limit-tokens",
        count,
        "The tokens of the month.",
    ),
    header(
        "x-ratelimit-remaining-tokens",
        count,
        "The remaining tokens.",
    ),
    header(
        "x-ratelimit-reset-tokens",
        text,
        "The time until the month ends, such as `26h0m0s`.",
    ),
    header(
        "retry-after",
        count,
        "The seconds after which a retry can succeed.",
    ),
    header("retry-after-ms", count, "The same in milliseconds."),
    header(
        "x-should-retry",
        truth,
        "Whether SDKs retry; absent if the status tells.",
    ),
    header("x-session-id", session_id, "The session."),
    header("x-clawless-model", text, "The model that answered."),
    header(
        "x-clawless-route",
        text,
        "The models that could answer, and why.",
    ),
    header(
        "x-clawless-tries",
        count,
        "The calls of providers; 0 for a stored answer.",
    ),
    header(
        "x-clawless-dropped",
        text,
        "The parameters that had no effect.",
    ),
    header(
        "x-clawless-history-dropped",
        text,
        "What of the history did not fit the model.",
    ),
    header(
        "idempotent-replayed",
        truth,
        "`true` if the answer was stored before.",
    ),
    header(
        "x-original-request-id",
        request_id,
        "The request that produced the stored answer.",
    ),
    header("etag", text, "The version."),
    header("location", text, "The path of the created object."),
    header("allow", text, "The methods of the path."),
    header("content-security-policy", text, "What the page may load."),
    header("request-id", request_id, "The same as `x-request-id`."),
];

/// The headers of every error that says when to retry.
pub(crate) const RETRY: [&str; 3] = ["retry-after", "retry-after-ms", "x-should-retry"];

/// The header parameter of a request.
pub(crate) fn parameter(name: &str, is_required: bool) -> Result<Value> {
    let header = OF_REQUESTS.iter().find(|header| header.name == name);
    let header = header.with_context(|| format!("no request header {name} is described"))?;
    Ok(json!({
        "name": header.name,
        "in": "header",
        "required": is_required,
        "description": header.description,
        "schema": (header.schema)(),
    }))
}

/// The reference to a response header.
pub(crate) fn reference(name: &str) -> Result<Value> {
    let known = OF_RESPONSES.iter().any(|header| header.name == name);
    known
        .then(|| json!({ "$ref": format!("#/components/headers/{name}") }))
        .with_context(|| format!("no response header {name} is described"))
}

/// A response header as a component.
pub(crate) fn component(name: &str) -> Option<Value> {
    let header = OF_RESPONSES.iter().find(|header| header.name == name)?;
    Some(json!({ "description": header.description, "schema": (header.schema)() }))
}
