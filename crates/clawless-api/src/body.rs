//! A request's body: from bytes to a type, or an error that names the parameter at fault.

use clawless_core::json::{self, MAX_DEPTH};
use clawless_core::{ApiError, ErrorCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Checks that a body is a text that every parser behind us can take.
///
/// # Errors
/// 400 where it nests too deep or is not UTF-8.
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

/// Reads a text that is one JSON value as a type. What a type with `deny_unknown_fields` does not
/// know is refused by name.
///
/// # Errors
/// 400 that says where it went wrong.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| explain(error.inner(), error.path().to_string()))?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// Refuses a text in which a member of an object stands twice, at any depth. Types with named members
/// refuse that by themselves; maps and free values would keep the last without a word, where another
/// reader keeps the first.
///
/// # Errors
/// 400 that names the member.
pub fn refuse_repeated_members(text: &str) -> Result<(), ApiError> {
    match json::repeated_member(text) {
        None => Ok(()),
        Some(path) => {
            let message = format!("Invalid value: duplicate field `{path}`.");
            Err(ApiError::new(ErrorCode::InvalidType, message).param(path))
        }
    }
}

/// Reads a body of settings as a type: rejects duplicate members at any depth; an empty body is an
/// empty object.
///
/// # Errors
/// 400 that names the invalid parameter.
pub fn read_settings<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let text = text(body)?;
    let text = if text.is_empty() { "{}" } else { text };
    refuse_repeated_members(text)?;
    read(text)
}

fn malformed(error: &serde_json::Error) -> ApiError {
    ApiError::new(
        ErrorCode::InvalidJson,
        format!("The body is not valid JSON: {error}."),
    )
}

fn explain(error: &serde_json::Error, path: String) -> ApiError {
    if !error.is_data() {
        return malformed(error);
    }
    let reason = json::error_reason(error);
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
    let error = ApiError::new(ErrorCode::InvalidType, format!("Invalid value: {reason}."));
    if path == "." {
        error
    } else {
        error.param(path)
    }
}

/// The first broken rule of a report, as an error that names its parameter.
pub fn invalid_value(report: &garde::Report) -> ApiError {
    let Some((path, broken)) = report.iter().next() else {
        return ApiError::new(ErrorCode::InvalidValue, "The request breaks a rule.");
    };
    let path = path.to_string();
    ApiError::new(
        ErrorCode::InvalidValue,
        format!("Invalid `{path}`: {broken}."),
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
    fn what_is_wrong_is_named() {
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
    fn a_member_that_stands_twice_is_refused_at_any_depth_and_in_any_spelling() {
        for (body, param) in [
            (r#"{"a":1,"b":2,"a":1}"#, "a"),
            (r#"{"limits":{"burst":1,"burst":2}}"#, "limits.burst"),
            (r#"{"a":[{},{"x":null,"\u0078":true}]}"#, "a.x"),
            (r#"{"a\"":{"b":[]},"a\"" : 1}"#, "a\""),
            (r#"[{"a":"{","b":["}",{"c":1}],"a":0}]"#, "a"),
        ] {
            let error = refuse_repeated_members(body).expect_err(body);
            let said = (error.status(), error.param.as_deref());
            assert_eq!(said, (400, Some(param)), "{body}");
            assert!(error.message.contains("duplicate field"), "{body}");
        }
        let good = [
            r#"{"a":{"x":1.5},"b":{"x":-1}}"#,
            r#"[1,"a","a",null,{"a":["a","a"]},{"a":"a"}]"#,
            "5",
            // No JSON, which whoever reads it will say.
            r#"}{"a"]"a",""#,
        ];
        for body in good {
            assert!(refuse_repeated_members(body).is_ok(), "{body}");
        }
    }
}
