//! The error responses of an operation: those that its access rule, its request and every request imply,
//! and those that the routes table names.

use std::collections::BTreeMap;

use anyhow::Result;
use clawless_api::messages;
use clawless_core::ErrorCode::{
    self, Internal, InvalidJson, InvalidType, InvalidValue, MissingParameter, RequestTimeout,
    RequestTooLarge, ResourceNotFound, ServiceUnavailable, UnknownParameter, UnsupportedMediaType,
};
use clawless_edge::http::described::DescribedRoute;
use serde_json::{Map, Value, json};

use crate::headers::{self, RETRY};

/// The error codes of a route by status.
pub(crate) fn by_status(route: &DescribedRoute) -> BTreeMap<u16, Vec<ErrorCode>> {
    let mut codes = vec![Internal, ServiceUnavailable, UnknownParameter, InvalidValue];
    if let Some(requirement) = &route.requirement {
        codes.extend(&requirement.errors);
    }
    if let Some(declared) = &route.declared {
        codes.extend(declared.errors);
        if !declared.request.is_empty() {
            codes.extend([
                InvalidJson,
                InvalidType,
                MissingParameter,
                RequestTimeout,
                RequestTooLarge,
                UnsupportedMediaType,
            ]);
        }
    }
    let names_a_resource = route
        .pattern
        .split('/')
        .any(|segment| segment.starts_with('{') && !segment.contains('…'));
    if names_a_resource {
        codes.push(ResourceNotFound);
    }
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    // In the order of the catalogue.
    for code in ErrorCode::ALL.iter().filter(|code| codes.contains(code)) {
        by_status.entry(code.status()).or_default().push(*code);
    }
    by_status
}

/// The schema of the errors of a route. Some surfaces have their own.
pub(crate) fn envelope(pattern: &str) -> &'static str {
    if pattern.starts_with(messages::ROUTE) {
        "MessageError"
    } else {
        "Error"
    }
}

/// The response with one of these codes.
pub(crate) fn response(pattern: &str, codes: &[ErrorCode], more_headers: &[&str]) -> Result<Value> {
    let reasons: Vec<_> = codes
        .iter()
        .map(|code| format!("`{code}`: {}", code.why()))
        .collect();
    let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let mut in_headers = Map::new();
    in_headers.insert(
        "x-request-id".to_owned(),
        headers::reference("x-request-id")?,
    );
    let can_wait = codes
        .iter()
        .any(|code| matches!(code.status(), 409 | 429 | 500..));
    for name in RETRY.iter().filter(|_| can_wait).chain(more_headers) {
        in_headers.insert((*name).to_owned(), headers::reference(name)?);
    }
    Ok(json!({
        "description": reasons.join("\n\n"),
        "headers": in_headers,
        "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{}", envelope(pattern)) } } },
        "x-error-codes": names,
    }))
}
