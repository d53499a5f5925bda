//! The widget of a public key: the bodies that change it, and the object in responses.

use clawless_core::keys::KeyDigest;
use clawless_core::widget::{Logo, LogoFormat, WidgetSettings};
use clawless_core::{ApiError, KeyId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::merge_patch;
use crate::body;
use crate::fields::invalid;
use crate::widget::LOGOS;

/// The maximum number of starter prompts.
const MAX_PROMPTS: usize = 8;
/// The maximum number of languages.
const MAX_LANGUAGES: usize = 40;
/// The maximum length of a public key as PEM, in bytes. RSA with 8,192 bits has some 1,500.
const MAX_PEM_BYTES: usize = 2048;

/// A change of a widget's settings: a JSON merge patch (RFC 7396). `null` removes a setting.
#[derive(Debug)]
pub struct WidgetPatch(Value);

impl WidgetPatch {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// 400 if it is not an object.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        merge_patch::parse(body).map(Self)
    }

    /// The settings with this patch applied.
    ///
    /// # Errors
    /// 400 that names the invalid parameter.
    pub fn apply_to(self, settings: &WidgetSettings) -> Result<WidgetSettings, ApiError> {
        let present = serde_json::to_value(settings).map_err(ApiError::internal)?;
        let merged = merge_patch::merge(present, self.0);
        let settings: WidgetSettings = body::read_settings(merged.to_string().as_bytes())?;
        check(&settings)?;
        Ok(settings)
    }
}

fn check(settings: &WidgetSettings) -> Result<(), ApiError> {
    for (name, text, max) in [
        ("title", &settings.title, 80),
        ("welcome", &settings.welcome, 1000),
        ("placeholder", &settings.placeholder, 120),
    ] {
        if let Some(text) = text {
            check_text(name, text, max)?;
        }
    }
    check_count("starter_prompts", &settings.starter_prompts, MAX_PROMPTS)?;
    for (at, prompt) in settings.starter_prompts.iter().enumerate() {
        check_text(&format!("starter_prompts[{at}]"), prompt, 200)?;
    }
    for (name, colour) in settings.colours.by_name() {
        if colour.is_some_and(|colour| !is_colour(colour)) {
            let param = format!("colours.{name}");
            let message = format!("`{param}` is a colour of the form `#5746e0`.");
            return Err(invalid(&param, message));
        }
    }
    check_count("languages", &settings.languages, MAX_LANGUAGES)?;
    for (at, language) in settings.languages.iter().enumerate() {
        if !is_language(language) {
            let param = format!("languages[{at}]");
            let message = format!("`{param}` is a language tag, such as `en` or `pt-BR`.");
            return Err(invalid(&param, message));
        }
    }
    let public_key = settings.user_tokens.as_ref();
    let is_valid = |pem: &str, der: Option<_>| pem.len() <= MAX_PEM_BYTES && der.is_some();
    if public_key.is_some_and(|it| !is_valid(&it.public_key, it.public_key_der())) {
        return Err(invalid_public_key());
    }
    Ok(())
}

/// The error for a key that cannot verify tokens.
pub fn invalid_public_key() -> ApiError {
    invalid(
        "user_tokens.public_key",
        "`user_tokens.public_key` is a public key of the named algorithm as PEM \
         (`-----BEGIN PUBLIC KEY-----`), never a private key.",
    )
}

fn check_text(name: &str, text: &str, max: usize) -> Result<(), ApiError> {
    let is_allowed = |char: char| char == '\n' || !char.is_control();
    if (1..=max).contains(&text.chars().count()) && text.chars().all(is_allowed) {
        return Ok(());
    }
    let message = format!("`{name}` has 1 to {max} characters and no control characters.");
    Err(invalid(name, message))
}

fn check_count(name: &str, list: &[String], max: usize) -> Result<(), ApiError> {
    if list.len() <= max {
        return Ok(());
    }
    let message = format!("`{name}` has at most {max} entries.");
    Err(invalid(name, message))
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a text has the form of a language tag (BCP 47): subtags of 2 to 8 letters or digits.
fn is_language(text: &str) -> bool {
    let is_part = |part: &str| {
        (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let first = text.split('-').next().unwrap_or_default();
    text.len() <= 35
        && first.bytes().all(|byte| byte.is_ascii_lowercase())
        && text.split('-').all(is_part)
}

/// The body of a request that sets a logo.
#[derive(Debug, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "WidgetLogo")
)]
#[serde(deny_unknown_fields)]
pub struct LogoBody {
    /// A PNG, JPEG or WebP image of at most 64 KiB and 1,024 × 1,024 pixels, in base64.
    image: String,
}

/// Parses the body of a request that sets a logo.
///
/// # Errors
/// 400 if it is not a small raster image.
pub fn parse_logo(body: &[u8]) -> Result<Logo, ApiError> {
    let body: LogoBody = body::read_settings(body)?;
    Logo::from_base64(&body.image)
        .map_err(|error| invalid("image", format!("Invalid `image`: {error}, as base64.")))
}

/// A widget in responses.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Widget")
)]
pub struct WidgetObject<'a> {
    /// Always `widget`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "widget")))]
    object: &'static str,
    /// The public key.
    key_id: &'a KeyId,
    #[serde(flatten)]
    settings: &'a WidgetSettings,
    /// The path of the logo on the gateway.
    logo: Option<String>,
}

impl<'a> WidgetObject<'a> {
    /// The widget of a key.
    pub fn new(
        key_id: &'a KeyId,
        settings: &'a WidgetSettings,
        logo: Option<(KeyDigest, LogoFormat)>,
    ) -> Self {
        Self {
            object: "widget",
            key_id,
            settings,
            logo: logo.map(|(digest, _)| format!("{LOGOS}{}", digest.to_hex())),
        }
    }
}

#[cfg(feature = "schema")]
mod schema {
    use clawless_core::widget::WidgetSettings;
    use schemars::{Schema, SchemaGenerator};

    use super::WidgetPatch;
    use crate::schema::{component, merge_patch};

    component! { WidgetPatch, "WidgetPatch", |generator: &mut SchemaGenerator| -> Schema {
        merge_patch::<WidgetSettings>(generator)
    } }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(body: &Value) -> Result<WidgetSettings, ApiError> {
        let before = WidgetSettings {
            title: Some("before".to_owned()),
            ..WidgetSettings::default()
        };
        WidgetPatch::parse(body.to_string().as_bytes())?.apply_to(&before)
    }

    #[test]
    fn settings_are_patched_one_by_one() {
        let body = json!({"welcome": "Hi!\nHow can I help?", "colours": {"accent": "#5746E0"},
            "languages": ["en", "pt-BR"], "starter_prompts": ["Where is my order?"],
            "theme": "paper"});
        let settings = patched(&body).expect("valid");
        assert_eq!(settings.title.as_deref(), Some("before"));
        assert_eq!(settings.colours.accent.as_deref(), Some("#5746E0"));
        assert_eq!(patched(&json!({"title": null})).expect("valid").title, None);
    }

    #[test]
    fn invalid_setting_is_named() {
        let pem = "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----";
        for (body, param) in [
            (json!({"title": ""}), "title"),
            (json!({"title": "a\u{0}"}), "title"),
            (json!({"title": "x".repeat(81)}), "title"),
            (json!({"welcome": "x".repeat(1001)}), "welcome"),
            (json!({"starter_prompts": vec!["a"; 9]}), "starter_prompts"),
            (json!({"starter_prompts": ["a", ""]}), "starter_prompts[1]"),
            (json!({"colours": {"text": "red"}}), "colours.text"),
            (json!({"colours": {"text": "#12345"}}), "colours.text"),
            (json!({"colours": {"text": "#12345g"}}), "colours.text"),
            (json!({"colours": {"red": "#ff0000"}}), "colours.red"),
            (json!({"theme": "pink"}), "theme"),
            (json!({"languages": ["en", "EN"]}), "languages[1]"),
            (json!({"languages": ["en_US"]}), "languages[0]"),
            (
                json!({"logo_url": "https://evil.example/x.svg"}),
                "logo_url",
            ),
            (
                json!({"user_tokens": {"algorithm": "HS256", "public_key": "a"}}),
                "user_tokens.algorithm",
            ),
            (
                json!({"user_tokens": {"algorithm": "ES256", "public_key": pem}}),
                "user_tokens.public_key",
            ),
        ] {
            let error = patched(&body).expect_err("invalid");
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn logo_is_a_raster_image_in_base64() {
        let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
        let body = json!({ "image": png }).to_string();
        let logo = parse_logo(body.as_bytes()).expect("an image");
        assert_eq!(logo.format, LogoFormat::Png);
        for image in ["", "!", "PHN2Zz48L3N2Zz4=", &"A".repeat(100_000)] {
            let body = json!({ "image": image }).to_string();
            let error = parse_logo(body.as_bytes()).expect_err("no image");
            assert_eq!(error.param.as_deref(), Some("image"), "{image:.20}");
        }
    }
}
