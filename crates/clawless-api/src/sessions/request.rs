//! Parsing and validation of `POST` and `PATCH` of sessions.

#![allow(
    clippy::option_option,
    reason = "an absent member, `null` and a value differ in meaning"
)]

use std::collections::BTreeMap;

use clawless_core::chat::{ReasoningEffort, check_metadata};
use clawless_core::session::{Change, NewSession};
use clawless_core::time_zone::TimeZone;
use clawless_core::tool;
use clawless_core::{ApiError, ErrorCode, Millis, SessionId, Timestamp};
use serde::{Deserialize, Deserializer};

use crate::body;
use crate::fields::{check_model, check_session_id, check_template, invalid};

/// The maximum length of a title, in characters.
const MAX_TITLE_CHARS: usize = 200;
/// The maximum length of a system prompt, in bytes. Far below the limit of a D1 row.
const MAX_PROMPT_BYTES: usize = 64 * 1024;
/// The maximum number of tool names.
const MAX_TOOLS: usize = 64;
/// The maximum lifetime of a session with an expiry: 10 years.
const MAX_TTL: Millis = Millis::from_secs(10 * 366 * 24 * 60 * 60);

/// The settings of a session, for both routes.
#[derive(Debug, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "NewSession")
)]
#[serde(deny_unknown_fields)]
pub struct SessionBody {
    /// The id; generated if absent. Ids of the form `ses_…` are reserved.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<clawless_core::SessionId>")
    )]
    id: Option<String>,
    /// A title for people.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", extend("minLength" = 1, "maxLength" = MAX_TITLE_CHARS)))]
    title: Option<Option<String>>,
    /// Labels: up to 16 pairs. A list of sessions can be filtered by them.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<clawless_core::schema::Metadata>")
    )]
    metadata: Option<Option<BTreeMap<String, String>>>,
    /// The system prompt, after that of the tenant.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", extend("minLength" = 1, "maxLength" = MAX_PROMPT_BYTES)))]
    system_prompt: Option<Option<String>>,
    /// The model for requests without one.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", extend("minLength" = 1, "maxLength" = 256)))]
    model: Option<Option<String>>,
    /// The reasoning effort for requests without one.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<ReasoningEffort>"))]
    thinking_level: Option<Option<ReasoningEffort>>,
    /// The server tools; those of the tenant if absent.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>", extend("maxItems" = MAX_TOOLS)))]
    tools: Option<Option<Vec<String>>>,
    /// The time zone of dates in the system prompt; that of the tenant if absent.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<TimeZone>"))]
    time_zone: Option<Option<TimeZone>>,
    /// When the session is deleted, in seconds since 1970 (UTC).
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    expires_at: Option<Option<u64>>,
    /// When the session is deleted, in seconds from now. Excludes `expires_at`.
    ttl: Option<u64>,
}

/// The body of a change: the settings without the id. `null` removes one.
#[derive(Debug)]
pub enum SessionChange {}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for SessionChange {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SessionChange".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = SessionBody::json_schema(generator);
        let members = schema.get_mut("properties");
        if let Some(members) = members.and_then(serde_json::Value::as_object_mut) {
            members.remove("id");
        }
        schema.insert(
            "description".to_owned(),
            "Settings to change; `null` removes one.".into(),
        );
        schema
    }
}

/// Distinguishes `null` (`Some(None)`) from an absent member (`None`).
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Parses the body of a new session: the id if the client chose one, and the settings. The body may
/// be empty.
///
/// # Errors
/// 400 that names the invalid parameter.
pub fn parse_new(body: &[u8], now: Timestamp) -> Result<(Option<SessionId>, NewSession), ApiError> {
    let settings: SessionBody = body::read_settings(body)?;
    let id = settings.id.as_deref().map(chosen_id).transpose()?;
    let change = settings.check(now)?;
    let new = NewSession {
        title: change.title.flatten(),
        metadata: change.metadata.unwrap_or_default(),
        system_prompt: change.system_prompt.flatten(),
        model: change.model.flatten(),
        thinking_level: change.thinking_level.flatten(),
        tools: change.tools.flatten(),
        time_zone: change.time_zone.flatten(),
        expires_at: change.expires_at.flatten(),
    };
    Ok((id, new))
}

/// Parses the body of a change of a session's settings.
///
/// # Errors
/// 400 that names the invalid parameter.
pub fn parse_change(body: &[u8], now: Timestamp) -> Result<Change, ApiError> {
    let settings: SessionBody = body::read_settings(body)?;
    if settings.id.is_some() {
        let message = "`id` is not a parameter of this route: the id of a session cannot change.";
        return Err(ApiError::new(ErrorCode::UnknownParameter, message).param("id"));
    }
    settings.check(now)
}

/// Validates an id that the client chose. The generated form is reserved.
fn chosen_id(text: &str) -> Result<SessionId, ApiError> {
    let id = check_session_id(text, "id")?;
    if id.is_generated() {
        let message =
            "An `id` of this form is reserved for generated ids. Omit it, or choose another one.";
        return Err(invalid("id", message));
    }
    Ok(id)
}

impl SessionBody {
    fn check(self, now: Timestamp) -> Result<Change, ApiError> {
        if let Some(Some(title)) = &self.title {
            let fits = (1..=MAX_TITLE_CHARS).contains(&title.chars().count());
            if !fits || title.contains(char::is_control) {
                return Err(invalid(
                    "title",
                    format!(
                        "Invalid `title`: 1 to {MAX_TITLE_CHARS} characters, no control characters."
                    ),
                ));
            }
        }
        if let Some(Some(prompt)) = &self.system_prompt {
            let fits = (1..=MAX_PROMPT_BYTES).contains(&prompt.len());
            if !fits || prompt.contains('\0') {
                return Err(invalid(
                    "system_prompt",
                    format!(
                        "Invalid `system_prompt`: 1 to {MAX_PROMPT_BYTES} bytes, no NUL characters."
                    ),
                ));
            }
            check_template(prompt)?;
        }
        if let Some(metadata) = &self.metadata {
            check_metadata(metadata, &())
                .map_err(|error| invalid("metadata", format!("Invalid `metadata`: {error}.")))?;
        }
        if let Some(Some(tools)) = &self.tools {
            check_tools(tools)?;
        }
        let model = match self.model {
            Some(Some(model)) => Some(Some(check_model(model)?)),
            other => other,
        };
        Ok(Change {
            title: self.title,
            metadata: self.metadata.map(Option::unwrap_or_default),
            system_prompt: self.system_prompt,
            model,
            thinking_level: self.thinking_level,
            tools: self.tools,
            time_zone: self.time_zone,
            expires_at: expiry(self.expires_at, self.ttl, now)?,
        })
    }
}

fn check_tools(tools: &[String]) -> Result<(), ApiError> {
    if tools.len() > MAX_TOOLS {
        let message = format!("Invalid `tools`: up to {MAX_TOOLS} names.");
        return Err(invalid("tools", message));
    }
    tool::check_server_tools(tools).map_err(|why| invalid("tools", why))
}

/// The time of expiry, from `expires_at` (seconds since 1970) or `ttl` (seconds from now).
fn expiry(
    at: Option<Option<u64>>,
    ttl: Option<u64>,
    now: Timestamp,
) -> Result<Option<Option<Timestamp>>, ApiError> {
    let (param, end) = match (at, ttl) {
        (Some(_), Some(_)) => {
            return Err(invalid("ttl", "Send `expires_at` or `ttl`, not both."));
        }
        (None, None) => return Ok(None),
        (Some(None), None) => return Ok(Some(None)),
        (Some(Some(secs)), None) => {
            let end = Timestamp::from_millis(secs.saturating_mul(1000));
            ("expires_at", end)
        }
        (None, Some(secs)) => ("ttl", now.plus(Millis::from_secs(secs))),
    };
    if now < end && end <= now.plus(MAX_TTL) {
        return Ok(Some(Some(end)));
    }
    let message = format!("Invalid `{param}`: the expiry must be in the future, within 10 years.");
    Err(invalid(param, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_500);

    fn new(body: &str) -> Result<(Option<SessionId>, NewSession), ApiError> {
        parse_new(body.as_bytes(), NOW)
    }

    #[test]
    fn all_settings_are_optional() {
        for empty in [
            "",
            "{}",
            r#"{"title":null,"metadata":null,"tools":null,"time_zone":null,"expires_at":null}"#,
        ] {
            assert_eq!(new(empty), Ok((None, NewSession::default())), "{empty}");
        }
        let (id, new) = new(
            r#"{"id":"user-1:chat","title":"Trip 🌍","metadata":{"user":"42"},"system_prompt":"{{date}} \\{{",
                "time_zone":"+05:30","model":"auto","thinking_level":"low","tools":["time_now"],"ttl":60}"#,
        )
        .expect("valid");
        assert_eq!(id.expect("named").as_str(), "user-1:chat");
        assert_eq!(new.title.as_deref(), Some("Trip 🌍"));
        assert_eq!(new.metadata.get("user").map(String::as_str), Some("42"));
        assert_eq!(new.thinking_level, Some(ReasoningEffort::Low));
        assert_eq!(new.system_prompt.as_deref(), Some(r"{{date}} \{{"));
        assert_eq!(new.time_zone, "+05:30".parse().ok());
        assert_eq!(new.tools.as_deref(), Some(&["time_now".to_owned()][..]));
        assert_eq!(new.expires_at, Some(NOW.plus(Millis::from_secs(60))));
    }

    #[test]
    fn absent_and_null_settings_differ() {
        let change = parse_change(br#"{"title":null,"model":"small"}"#, NOW).expect("valid");
        let expected = Change {
            title: Some(None),
            model: Some(Some("small".to_owned())),
            ..Change::default()
        };
        assert_eq!(change, expected);
        let change = parse_change(br#"{"metadata":null,"expires_at":1767225601}"#, NOW);
        let change = change.expect("valid");
        assert_eq!(change.metadata, Some(BTreeMap::new()));
        assert_eq!(
            change.expires_at,
            Some(Some(Timestamp::from_millis(1_767_225_601_000)))
        );
        let error = parse_change(br#"{"id":"other"}"#, NOW).expect_err("an id cannot change");
        assert_eq!(error.param.as_deref(), Some("id"));
    }

    #[test]
    fn attack_30_invalid_parameter_is_named() {
        let long = |name: &str, count: usize| format!(r#"{{"{name}":"{}"}}"#, "x".repeat(count));
        let cases = [
            (r#"{"tenant_id":"ten_x"}"#.to_owned(), "tenant_id"),
            (r#"{"title":""}"#.to_owned(), "title"),
            (r#"{"title":"a\u0000"}"#.to_owned(), "title"),
            (long("title", 201), "title"),
            (long("system_prompt", 65_537), "system_prompt"),
            (r#"{"system_prompt":"a\u0000"}"#.to_owned(), "system_prompt"),
            (r#"{"system_prompt":"{{foo}}"}"#.to_owned(), "system_prompt"),
            (r#"{"time_zone":"Europe/Berlin"}"#.to_owned(), "time_zone"),
            (r#"{"metadata":{"a":"\u0000"}}"#.to_owned(), "metadata"),
            (r#"{"metadata":{"a":1}}"#.to_owned(), "metadata.a"),
            (r#"{"model":""}"#.to_owned(), "model"),
            (r#"{"thinking_level":"huge"}"#.to_owned(), "thinking_level"),
            (r#"{"tools":["a b"]}"#.to_owned(), "tools"),
            (
                r#"{"tools":["time_now","no_such_tool"]}"#.to_owned(),
                "tools",
            ),
            (r#"{"id":"a b"}"#.to_owned(), "id"),
            (r#"{"id":"a\u0000"}"#.to_owned(), "id"),
            (long("id", 129), "id"),
            (
                r#"{"id":"ses_01ARZ3NDEKTSV4RRFFQ69G5FAV"}"#.to_owned(),
                "id",
            ),
            (r#"{"ttl":0}"#.to_owned(), "ttl"),
            (r#"{"ttl":-1}"#.to_owned(), "ttl"),
            (r#"{"ttl":18446744073709551615}"#.to_owned(), "ttl"),
            (r#"{"ttl":1,"expires_at":1}"#.to_owned(), "ttl"),
            (r#"{"expires_at":1767225600}"#.to_owned(), "expires_at"),
            (
                r#"{"expires_at":18446744073709551615}"#.to_owned(),
                "expires_at",
            ),
        ];
        for (body, param) in cases {
            let error = new(&body).expect_err(&body);
            assert_eq!(
                (error.status(), error.param.as_deref()),
                (400, Some(param)),
                "{body}"
            );
        }
        let surrogate = new(r#"{"title":"\ud800"}"#).expect_err("no text");
        assert_eq!(surrogate.code, ErrorCode::InvalidJson);
    }
}
