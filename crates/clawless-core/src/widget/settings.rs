//! What a site owner sets for the widget of a public key.

use serde::{Deserialize, Serialize};

/// The settings of a public key's widget, as stored. Absent members take the widget's own defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct WidgetSettings {
    /// The title of the panel.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 80)))]
    pub title: Option<String>,
    /// The text of an empty conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1000)))]
    pub welcome: Option<String>,
    /// The placeholder of the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 120)))]
    pub placeholder: Option<String>,
    /// Questions that a visitor may send with one click.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "schema",
        schemars(length(max = 8), inner(length(min = 1, max = 200)))
    )]
    pub starter_prompts: Vec<String>,
    /// The preset of colours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<Theme>,
    /// Colours that replace some of the preset's.
    #[serde(skip_serializing_if = "Colours::is_empty")]
    pub colours: Colours,
    /// The languages that the widget may use; the first is the default. All if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "schema",
        schemars(
            length(max = 40),
            inner(regex(pattern = "^[a-z]{2,8}(-[A-Za-z0-9]{2,8})*$"))
        )
    )]
    pub languages: Vec<String>,
    /// How signed-in users are identified. Never sent to a browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_tokens: Option<UserTokenSettings>,
}

/// A preset of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "WidgetTheme")
)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// Light or dark, as the visitor's system.
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
    /// Warm and light.
    Paper,
    /// Blue and dark.
    Midnight,
}

/// Colours of the widget, each `#rrggbb`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "WidgetColours")
)]
#[serde(default, deny_unknown_fields)]
pub struct Colours {
    /// The panel.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^#[0-9A-Fa-f]{6}$")))]
    pub background: Option<String>,
    /// Messages and inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^#[0-9A-Fa-f]{6}$")))]
    pub surface: Option<String>,
    /// Text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^#[0-9A-Fa-f]{6}$")))]
    pub text: Option<String>,
    /// Less important text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^#[0-9A-Fa-f]{6}$")))]
    pub dim: Option<String>,
    /// Borders.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^#[0-9A-Fa-f]{6}$")))]
    pub line: Option<String>,
    /// Buttons and the visitor's messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^#[0-9A-Fa-f]{6}$")))]
    pub accent: Option<String>,
    /// Text on the accent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^#[0-9A-Fa-f]{6}$")))]
    pub on_accent: Option<String>,
}

impl Colours {
    /// The colours by name; `None` for those of the preset.
    pub fn by_name(&self) -> [(&'static str, Option<&str>); 7] {
        [
            ("background", self.background.as_deref()),
            ("surface", self.surface.as_deref()),
            ("text", self.text.as_deref()),
            ("dim", self.dim.as_deref()),
            ("line", self.line.as_deref()),
            ("accent", self.accent.as_deref()),
            ("on_accent", self.on_accent.as_deref()),
        ]
    }

    /// Whether all colours are the preset's.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How the tokens of signed-in users are verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UserTokenSettings {
    /// The only accepted algorithm.
    pub algorithm: SignatureAlgorithm,
    /// The public key of the site's back end: `SubjectPublicKeyInfo` as PEM.
    #[cfg_attr(feature = "schema", schemars(length(max = 2048)))]
    pub public_key: String,
    /// Whether visitors without a token are refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

/// An algorithm of JSON Web Signatures (RFC 7518, RFC 8037) with a public key. There is none with a
/// shared secret: the database would have to hold what signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum SignatureAlgorithm {
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl SignatureAlgorithm {
    /// All algorithms.
    const ALL: [Self; 3] = [Self::Es256, Self::Rs256, Self::EdDsa];

    /// Parses the form of [`Self::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// The name in the header of a token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl UserTokenSettings {
    /// The public key without its PEM armour, in DER; `None` if it is not PEM of a public key.
    pub fn public_key_der(&self) -> Option<Vec<u8>> {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        let text = self.public_key.trim();
        let text = text.strip_prefix("-----BEGIN PUBLIC KEY-----")?;
        let text = text.strip_suffix("-----END PUBLIC KEY-----")?;
        let text: String = text.split_ascii_whitespace().collect();
        STANDARD.decode(text).ok().filter(|der| !der.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_settings_are_not_stored() {
        let empty = serde_json::to_string(&WidgetSettings::default()).expect("serialises");
        assert_eq!(empty, "{}");
        let settings: WidgetSettings =
            serde_json::from_str(r##"{"title":"A","colours":{"accent":"#5746e0"}}"##)
                .expect("valid");
        assert_eq!(settings.colours.accent.as_deref(), Some("#5746e0"));
        for unknown in [r#"{"colour":1}"#, r#"{"colours":{"red":"a"}}"#] {
            assert!(serde_json::from_str::<WidgetSettings>(unknown).is_err());
        }
    }

    #[test]
    fn only_the_pem_form_of_a_public_key_is_decoded() {
        let settings = |public_key: &str| UserTokenSettings {
            algorithm: SignatureAlgorithm::EdDsa,
            public_key: public_key.to_owned(),
            required: false,
        };
        let pem = "-----BEGIN PUBLIC KEY-----\nAQ\nID\n-----END PUBLIC KEY-----\n";
        assert_eq!(settings(pem).public_key_der(), Some(vec![1, 2, 3]));
        for other in [
            "",
            "AQID",
            "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
            "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----",
            "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----",
        ] {
            assert_eq!(settings(other).public_key_der(), None, "{other}");
        }
    }
}
