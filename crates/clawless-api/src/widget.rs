//! `POST /v1/widget/session`: the request of a browser, and the response with a visitor's token.

use clawless_core::json::Json;
use clawless_core::{ApiError, RequestId, SessionId};
use serde::Serialize;

use crate::body;

/// The body of a request for a session. Unknown members are ignored: a later widget may send more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "WidgetSessionRequest")
)]
pub struct OpenSession {
    /// The session to continue.
    pub conversation: Option<String>,
    /// The secret of that session.
    pub visitor_secret: Option<String>,
    /// A token of the site's back end that identifies a signed-in user.
    pub user_token: Option<String>,
    /// The version of the widget, for its texts and the log.
    pub widget_version: Option<String>,
    /// The language in which the widget needs its texts, such as `de`.
    pub language: Option<String>,
}

impl OpenSession {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// 400 that names the invalid parameter.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let members = body::members(body)?;
        let text = |name| body::member(&members, name);
        Ok(Self {
            conversation: text("conversation")?,
            visitor_secret: text("visitor_secret")?,
            user_token: text("user_token")?,
            widget_version: text("widget_version")?,
            language: text("language")?,
        })
    }

    /// The path of the widget's texts on the widget server, if the request wants them.
    pub fn texts(&self) -> Option<String> {
        let (version, language) = (self.widget_version.as_deref()?, self.language.as_deref()?);
        let is_version = version.bytes().all(|it| it.is_ascii_digit() || it == b'.');
        let is_language = language.bytes().all(|it| it.is_ascii_lowercase());
        let is_valid = is_version && is_language && version.len() + language.len() <= 32;
        is_valid.then(|| format!("/widget/v{version}/locales/{language}.json"))
    }
}

/// The path of logos on the gateway. The digest of a logo follows it.
pub const LOGOS: &str = "/widget/logos/";

/// The response with a visitor's token.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "WidgetSession")
)]
pub struct OpenedSession<'a> {
    /// The token.
    pub token: &'a str,
    /// How long it is valid, in seconds.
    pub expires_in: u64,
    /// The session.
    pub session_id: &'a SessionId,
    /// The secret that continues the session; only of a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visitor_secret: Option<&'a str>,
    /// The settings of the widget: texts of the site, never keys.
    #[cfg_attr(feature = "schema", schemars(with = "schema::PublicSettings"))]
    pub settings: &'a Json,
    /// The texts of the widget in the requested language; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<std::collections::BTreeMap<String, String>>")
    )]
    pub strings: Option<Json>,
    /// The request whose turn still runs.
    pub resumable: Option<RequestId>,
}

#[cfg(feature = "schema")]
mod schema {
    use clawless_core::widget::WidgetSettings;
    use schemars::{Schema, SchemaGenerator};
    use serde_json::{Value, json};

    use crate::schema::component;

    /// The settings that a browser gets: all but how users are identified, with the URL of the logo.
    #[derive(Debug)]
    pub(super) struct PublicSettings;

    component! { PublicSettings, "PublicWidgetSettings", |generator: &mut SchemaGenerator| -> Schema {
        let mut schema = WidgetSettings::json_schema(generator);
        let members = schema.get_mut("properties").and_then(Value::as_object_mut);
        if let Some(members) = members {
            members.remove("user_tokens");
            let url = json!({ "type": "string", "description": "The URL of the logo; of a small one, a `data:` URL with the image." });
            members.insert("logo_url".to_owned(), url);
        }
        schema.insert("description".to_owned(), "The settings that a browser gets.".into());
        schema
    } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_version_and_the_language_of_the_widget() {
        let texts = |version: &str, language: &str| {
            let open = OpenSession {
                widget_version: Some(version.to_owned()),
                language: Some(language.to_owned()),
                ..OpenSession::default()
            };
            open.texts()
        };
        let path = "/widget/v1.2.3/locales/de.json";
        assert_eq!(texts("1.2.3", "de").as_deref(), Some(path));
        for (version, language) in [
            ("../1", "de"),
            ("1.2.3", "../de"),
            ("1.2.3", "a/b"),
            ("1", "?"),
        ] {
            assert_eq!(texts(version, language), None, "{version} {language}");
        }
        assert_eq!(OpenSession::default().texts(), None);
    }

    #[test]
    fn unknown_members_are_ignored_and_wrong_types_are_not() {
        let body = br#"{"conversation":"web_1","visitor_secret":"s","later":{"a":1}}"#;
        let open = OpenSession::parse(body).expect("valid");
        assert_eq!(open.conversation.as_deref(), Some("web_1"));
        assert_eq!(
            OpenSession::parse(b"").expect("valid"),
            OpenSession::default()
        );
        let error = OpenSession::parse(br#"{"user_token":1}"#).expect_err("a number");
        assert_eq!(error.param.as_deref(), Some("user_token"));
    }
}
