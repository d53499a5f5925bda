//! JSON bodies of requests. Every body is read through this module, which names the invalid parameter
//! in its errors.

use clawless_core::json::{self, Json, MAX_DEPTH, ReadError, error_reason};
use clawless_core::members::Members;
use clawless_core::{ApiError, ErrorCode};
use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed};

/// Checks that a body is UTF-8 and not nested too deeply for the parsers of providers.
///
/// # Errors
/// 400 otherwise.
pub fn text(body: &[u8]) -> Result<&str, ApiError> {
    if json::is_too_deep(body) {
        return Err(ApiError::new(
            ErrorCode::InvalidJson,
            format!("The body nests deeper than {MAX_DEPTH} levels."),
        ));
    }
    std::str::from_utf8(body)
        .map_err(|_| ApiError::new(ErrorCode::InvalidJson, "The body is not valid UTF-8."))
}

/// As [`text`], for a request whose parts go to providers as they are: its member names must be written
/// plainly, since what a part costs is found by searching its text.
///
/// # Errors
/// 400 otherwise.
pub fn plain_text(body: &[u8]) -> Result<&str, ApiError> {
    let text = text(body)?;
    match json::disguised_name(text) {
        None => Ok(text),
        Some(name) => Err(ApiError::new(
            ErrorCode::InvalidJson,
            format!("The member name `{name}` escapes letters or digits: write them as they are."),
        )),
    }
}

/// Deserializes a text that is one JSON value. An array is never accepted as an object.
///
/// # Errors
/// 400 that names the invalid parameter, including unknown ones of types with
/// `deny_unknown_fields`.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ApiError> {
    json::read(text).map_err(|error| read_error(&error))
}

/// Deserializes a text that is one JSON value, with a seed.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_seed<'a, S: DeserializeSeed<'a>>(
    text: &'a str,
    seed: S,
) -> Result<S::Value, ApiError> {
    json::read_seed(text, seed).map_err(|error| read_error(&error))
}

/// Rejects duplicate members of objects, at any depth. Derived types reject them anyway, but maps
/// and `Value` keep the last member, where other parsers keep the first.
///
/// # Errors
/// 400 that names the member.
pub fn reject_duplicate_members(text: &str) -> Result<(), ApiError> {
    match json::duplicate_member(text) {
        None => Ok(()),
        Some(path) => {
            let message = format!("Invalid value: duplicate field `{path}`.");
            Err(ApiError::new(ErrorCode::InvalidType, message).param(path))
        }
    }
}

/// Deserializes a body of settings. Rejects duplicate members at any depth; an empty body is an
/// empty object.
///
/// # Errors
/// 400 that names the invalid parameter.
pub fn read_settings<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let text = text(body)?;
    let text = if text.is_empty() { "{}" } else { text };
    reject_duplicate_members(text)?;
    read(text)
}

/// The members of a body, for [`member`]: less code than a type of their own. Rejects duplicates as
/// [`read_settings`].
///
/// # Errors
/// 400 if it is not an object.
pub fn members(body: &[u8]) -> Result<Members, ApiError> {
    let text = text(body)?;
    if text.is_empty() {
        return Ok(Members::default());
    }
    reject_duplicate_members(text)?;
    let json = Json::parse(text.to_owned()).map_err(|error| not_json(&error.to_string()))?;
    json.read().map_err(|error| {
        let message = format!("Invalid value: {}.", error_reason(&error));
        ApiError::new(ErrorCode::InvalidType, message)
    })
}

/// A member of a body; none if it is `null`.
///
/// # Errors
/// 400 for another type.
pub fn member<T: DeserializeOwned>(members: &Members, name: &str) -> Result<Option<T>, ApiError> {
    let value = members.get(name).filter(|value| value.as_str() != "null");
    let read = value.map(Json::read).transpose();
    read.map_err(|error| invalid_member(name, &error_reason(&error)))
}

fn not_json(reason: &str) -> ApiError {
    let message = format!("The body is not valid JSON: {reason}.");
    ApiError::new(ErrorCode::InvalidJson, message)
}

fn invalid_member(path: &str, reason: &str) -> ApiError {
    let message = format!("Invalid `{path}`: {reason}.");
    ApiError::new(ErrorCode::InvalidType, message).param(path)
}

fn read_error(error: &ReadError) -> ApiError {
    if !error.is_data() {
        return not_json(&error.reason_with_position());
    }
    let (path, reason) = (error.path.clone(), error.reason());
    if let Some(name) = reason.strip_prefix("missing field ") {
        let name = name.trim_matches('`');
        return ApiError::new(
            ErrorCode::MissingParameter,
            format!("You must provide the parameter `{name}`."),
        )
        .param(name);
    }
    if reason.starts_with("unknown field ") {
        return ApiError::new(
            ErrorCode::UnknownParameter,
            format!("`{path}` is not a parameter of this route."),
        )
        .param(path);
    }
    if path.is_empty() {
        let message = format!("Invalid value: {reason}.");
        return ApiError::new(ErrorCode::InvalidType, message);
    }
    invalid_member(&path, &reason)
}

/// The first violated rule of a validation report, as an error that names its parameter.
pub fn invalid_value(report: &garde::Report) -> ApiError {
    let Some((path, rule)) = report.iter().next() else {
        return ApiError::new(ErrorCode::InvalidValue, "The request is invalid.");
    };
    let path = path.to_string();
    ApiError::new(
        ErrorCode::InvalidValue,
        format!("Invalid `{path}`: {rule}."),
    )
    .param(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[allow(dead_code, reason = "only read")]
        inner: Inner,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[allow(dead_code, reason = "only read")]
        count: u64,
    }

    #[test]
    fn invalid_parameter_is_named() {
        let cases = [
            (
                r#"{"inner":{"count":1,"more":2}}"#,
                "unknown_parameter",
                Some("inner.more"),
            ),
            (
                r#"{"inner":{"count":1},"tenant_id":2}"#,
                "unknown_parameter",
                Some("tenant_id"),
            ),
            (
                r#"{"inner":{}}"#,
                "missing_required_parameter",
                Some("count"),
            ),
            (
                r#"{"inner":{"count":-1}}"#,
                "invalid_type",
                Some("inner.count"),
            ),
            (r#"{"inner":{"count":1}} x"#, "invalid_json", None),
            (r#"{"inner":"#, "invalid_json", None),
        ];
        for (body, code, param) in cases {
            let error = read::<Outer>(body).expect_err(body);
            assert_eq!(
                (error.code.as_str(), error.param.as_deref()),
                (code, param),
                "{body}"
            );
        }
        assert_eq!(text(&[0xff]).expect_err("no UTF-8").status(), 400);
    }

    #[test]
    fn a_member_name_with_escaped_letters_is_rejected_at_any_depth() {
        for body in [
            r#"{"mod\u0065l":"m"}"#,
            r#"{"a":[{"cache_control":{"type":"ephemeral","tt\u006C" : "1h"}}]}"#,
            r#"{"source\u005f":1}"#,
            r#"{"x\"\u0031":1}"#,
        ] {
            let error = plain_text(body.as_bytes()).expect_err(body);
            assert_eq!(error.code, ErrorCode::InvalidJson, "{body}");
        }
        for body in [
            r#"{"gr\u00f6\u00dfe":"\u0041","b":["\u0063"],"c":"\\u0061"}"#,
            r#"{"a\u003cb":1,"\\u0061":2,"d":"x\u0061" }"#,
        ] {
            assert!(plain_text(body.as_bytes()).is_ok(), "{body}");
        }
    }

    #[test]
    fn duplicate_member_is_rejected_at_any_depth_and_in_any_spelling() {
        for (body, param) in [
            (r#"{"a":1,"b":2,"a":1}"#, "a"),
            (r#"{"limits":{"burst":1,"burst":2}}"#, "limits.burst"),
            (r#"{"a":[{},{"x":null,"\u0078":true}]}"#, "a.x"),
            (r#"{"a\"":{"b":[]},"a\"" : 1}"#, "a\""),
            (r#"[{"a":"{","b":["}",{"c":1}],"a":0}]"#, "a"),
        ] {
            let error = reject_duplicate_members(body).expect_err(body);
            let result = (error.status(), error.param.as_deref());
            assert_eq!(result, (400, Some(param)), "{body}");
            assert!(error.message.contains("duplicate field"), "{body}");
        }
        let valid = [
            r#"{"a":{"x":1.5},"b":{"x":-1}}"#,
            r#"[1,"a","a",null,{"a":["a","a"]},{"a":"a"}]"#,
            "5",
            // Invalid JSON: its parser reports it.
            r#"}{"a"]"a",""#,
        ];
        for body in valid {
            assert!(reject_duplicate_members(body).is_ok(), "{body}");
        }
    }
}
