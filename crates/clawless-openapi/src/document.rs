//! An `OpenAPI` 3.1 document of a surface.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use clawless_api::envelope::Envelope;
use clawless_api::messages::MessageError;
use clawless_edge::http::contract::{Content, Declared, Payload};
use clawless_edge::http::described::DescribedRoute;
use serde_json::{Map, Value, json};

use crate::errors;
use crate::example;
use crate::headers;
use crate::parameters;
use crate::schemas::{Direction, Schemas, rename_references};
use crate::surface::Surface;
use crate::texts::Operation;

/// The document of a surface.
pub(crate) fn build(surface: &Surface) -> Result<Value> {
    let mut schemas = Schemas::new();
    let mut envelopes = vec![<Envelope<'_> as Payload>::CONTENT];
    let is_own = |route: &DescribedRoute| errors::envelope(route.pattern) != "Error";
    if surface.routes.iter().any(is_own) {
        envelopes.push(<MessageError as Payload>::CONTENT);
    }
    for envelope in envelopes {
        if let Content::Json(schema) = envelope {
            schemas.schema(schema, Direction::Response);
        }
    }
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in &surface.routes {
        let name = format!("{} {}", route.method, route.pattern);
        let texts = surface.texts.operations.get(&name);
        let texts = texts.with_context(|| format!("{name} has no texts"))?;
        let operation = operation(route, texts, &mut schemas)
            .with_context(|| format!("can't describe {name}"))?;
        let path = paths.entry(parameters::path(route.pattern)).or_default();
        path.insert(route.method.to_lowercase(), operation);
    }
    let (components, renamed) = schemas.finish();
    let mut paths = json!(paths);
    for operation in operations(&mut paths) {
        if let Some(body) = operation.get_mut("requestBody") {
            rename_references(body, &renamed);
        }
        example::complete(operation, &components);
    }
    let components = used(&paths, components);
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": surface.texts.title,
            "version": env!("CARGO_PKG_VERSION"),
            "description": surface.texts.description.trim(),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The gateway that serves this description." }],
        "tags": surface.texts.tags.iter()
            .map(|tag| json!({ "name": tag.name, "description": tag.description }))
            .collect::<Vec<_>>(),
        "security": [{ (surface.scheme.name): [] }],
        "paths": paths,
        "components": {
            "headers": used_headers(&paths),
            "schemas": components,
            "securitySchemes": {
                (surface.scheme.name): {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": surface.scheme.format,
                    "description": surface.scheme.description,
                },
            },
        },
    }))
}

/// The components that operations or other used components refer to.
fn used(paths: &Value, mut components: Map<String, Value>) -> Map<String, Value> {
    loop {
        let before = components.len();
        let text = json!([paths, components]).to_string();
        components.retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
        if components.len() == before {
            return components;
        }
    }
}

/// All operations of a `paths` object.
pub(crate) fn operations(paths: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let paths = paths.as_object_mut().into_iter().flat_map(Map::values_mut);
    let methods = paths
        .filter_map(Value::as_object_mut)
        .flat_map(Map::values_mut);
    methods.filter_map(Value::as_object_mut)
}

fn operation(route: &DescribedRoute, texts: &Operation, schemas: &mut Schemas) -> Result<Value> {
    let declared = route
        .declared
        .context("the routes table declares no types")?;
    let mut operation = Map::new();
    operation.insert("operationId".to_owned(), json!(texts.id));
    operation.insert("tags".to_owned(), json!([texts.tag]));
    operation.insert("summary".to_owned(), json!(texts.summary));
    operation.insert("description".to_owned(), json!(texts.description.trim()));
    let parameters = parameters::of_operation(route.pattern, route.query, &texts.request_headers)?;
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), json!(parameters));
    }
    let security = route
        .requirement
        .as_ref()
        .map(|requirement| json!([{ (requirement.scheme): requirement.permissions }]));
    // A public route has no requirement.
    operation.insert("security".to_owned(), security.unwrap_or_else(|| json!([])));
    if let Some(body) = request_body(&declared, texts, schemas)? {
        operation.insert("requestBody".to_owned(), body);
    }
    let responses = responses(route, &declared, texts, schemas)?;
    operation.insert("responses".to_owned(), responses);
    Ok(Value::Object(operation))
}

fn request_body(
    declared: &Declared,
    texts: &Operation,
    schemas: &mut Schemas,
) -> Result<Option<Value>> {
    let Some(Content::Json(schema)) = declared.request.first() else {
        return Ok(None);
    };
    let mut media = json!({ "schema": schemas.schema(*schema, Direction::Request) });
    if let (Some(example), Some(media)) = (texts.request()?, media.as_object_mut()) {
        media.insert("example".to_owned(), example);
    }
    Ok(Some(json!({ "content": { "application/json": media } })))
}

fn responses(
    route: &DescribedRoute,
    declared: &Declared,
    texts: &Operation,
    schemas: &mut Schemas,
) -> Result<Value> {
    let of_caller = route.requirement.as_ref().map_or(&[][..], |it| it.headers);
    let mut responses: BTreeMap<String, Value> = BTreeMap::new();
    for response in declared.responses {
        let (media_type, media) = media(response.content, response.status, texts, schemas)?;
        let entry = responses.entry(response.status.to_string()).or_insert_with(
            || json!({ "description": description(response.status), "headers": {}, "content": {} }),
        );
        if let Some(content) = entry.get_mut("content").and_then(Value::as_object_mut) {
            match content.get_mut(media_type) {
                None => drop(content.insert(media_type.to_owned(), media)),
                // Two forms of one type, for clients of different APIs.
                Some(first) => either(first, media.get("schema")),
            }
        }
        let own = texts.response_headers.iter().map(String::as_str);
        let names = ["x-request-id"]
            .into_iter()
            .chain(own)
            .chain(of_caller.iter().copied());
        if let Some(headers) = entry.get_mut("headers").and_then(Value::as_object_mut) {
            for name in names {
                headers.insert(name.to_owned(), headers::reference(name)?);
            }
        }
    }
    for (status, codes) in errors::by_status(route) {
        let own = texts.response_headers.iter().map(String::as_str);
        let more: Vec<&str> = of_caller.iter().copied().chain(own).collect();
        let more = if is_after_admission(status) {
            more.as_slice()
        } else {
            &[]
        };
        let error = errors::response(route.pattern, &codes, more)?;
        let status = status.to_string();
        match responses.get_mut(&status) {
            None => drop(responses.insert(status, error)),
            // A report with the status of an error, such as the health's.
            Some(report) => also(report, &error),
        }
    }
    Ok(json!(responses))
}

/// Lets a body have another schema, too.
fn either(media: &mut Value, other: Option<&Value>) {
    if let (Some(own), Some(other)) = (media.get_mut("schema"), other) {
        *own = json!({ "anyOf": [own.take(), other] });
    }
}

/// Whether a caller is known when an error of this status occurs.
const fn is_after_admission(status: u16) -> bool {
    !matches!(status, 401)
}

/// Adds an error to a response that has another body with the same status.
fn also(report: &mut Value, error: &Value) {
    let Some(own) = report.pointer("/content/application~1json/schema").cloned() else {
        return;
    };
    let Some(other) = error.pointer("/content/application~1json/schema") else {
        return;
    };
    let schema = json!({ "anyOf": [own, other] });
    if let Some(place) = report.pointer_mut("/content/application~1json/schema") {
        *place = schema;
    }
    if let (Some(report), Some(codes)) = (report.as_object_mut(), error.get("x-error-codes")) {
        report.insert("x-error-codes".to_owned(), codes.clone());
    }
}

/// A body, under its content type.
fn media(
    content: Content,
    status: u16,
    texts: &Operation,
    schemas: &mut Schemas,
) -> Result<(&'static str, Value)> {
    Ok(match content {
        Content::Json(schema) => {
            let schema = schemas.schema(schema, Direction::Response);
            let mut media = json!({ "schema": schema });
            let example = texts.response()?.filter(|_| status < 300 && status != 202);
            if let (Some(example), Some(media)) = (example, media.as_object_mut()) {
                media.insert("example".to_owned(), example);
            }
            ("application/json", media)
        }
        Content::Events(schema) => {
            let schema = schemas.schema(schema, Direction::Response);
            let mut media = json!({
                "schema": { "type": "string", "description": "Server-sent events." },
                "x-event-schema": schema,
            });
            if let (Some(example), Some(media)) = (&texts.events, media.as_object_mut()) {
                media.insert("example".to_owned(), json!(example));
            }
            ("text/event-stream", media)
        }
        Content::Html => (
            "text/html",
            json!({ "schema": { "type": "string", "description": "A web page." } }),
        ),
        Content::Csv => (
            "text/csv",
            json!({ "schema": { "type": "string", "description": "A table with a header line (RFC 4180)." } }),
        ),
    })
}

fn description(status: u16) -> &'static str {
    match status {
        200 => "The request succeeded.",
        201 => "The object is created.",
        202 => "There is more to do: repeat the request.",
        503 => "The service cannot answer chats.",
        _ => "See the schema.",
    }
}

/// The components of all headers that responses refer to.
fn used_headers(paths: &Value) -> Map<String, Value> {
    let mut names = Vec::new();
    collect(paths, &mut names);
    let headers = names.into_iter();
    headers
        .filter_map(|name| Some((name.clone(), headers::component(&name)?)))
        .collect()
}

fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let target = members.get("$ref").and_then(Value::as_str);
            let name = target.and_then(|target| target.strip_prefix("#/components/headers/"));
            names.extend(name.map(str::to_owned));
            members.values().for_each(|value| collect(value, names));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use clawless_core::ErrorCode;

    use super::*;

    /// The error codes that any operation describes.
    fn described_codes(surface: &Surface) -> Vec<ErrorCode> {
        let codes = surface.routes.iter().map(errors::by_status);
        codes
            .flat_map(|codes| codes.into_values().flatten())
            .collect()
    }

    #[test]
    fn every_error_code_is_described_by_some_operation() {
        let surfaces = [Surface::gateway(), Surface::admin()].map(|it| it.expect("valid texts"));
        let described: Vec<_> = surfaces.iter().flat_map(described_codes).collect();
        for code in ErrorCode::ALL {
            // These answer requests that match no operation.
            let is_of_no_route =
                matches!(code, ErrorCode::RouteNotFound | ErrorCode::MethodNotAllowed);
            assert_eq!(described.contains(code), !is_of_no_route, "{code}");
        }
    }
}
