//! The content of a message: text, or a list of parts.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The content of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Several parts.
    Parts(Vec<Part>),
}

/// A content part.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PartWire")]
pub enum Part {
    /// Text.
    Text(String),
    /// An image, by URL or inline.
    Image(ImageUrl),
    /// Inline audio. Its data is in the raw message only.
    Audio,
    /// A file, by id or inline. Its data is in the raw message only.
    File,
    /// A refusal in an earlier response.
    Refusal(String),
    /// A part that only some servers define; it stays in the raw message.
    Extension(String),
}

/// The JSON form of a part: a type, and the member of that name.
#[derive(Deserialize)]
#[allow(clippy::zero_sized_map_values, reason = "only their presence counts")]
struct PartWire {
    r#type: String,
    text: Option<String>,
    image_url: Option<ImageUrl>,
    input_audio: Option<IgnoredAny>,
    file: Option<IgnoredAny>,
    refusal: Option<String>,
    video_url: Option<IgnoredAny>,
    audio_url: Option<IgnoredAny>,
    input_video: Option<IgnoredAny>,
    video: Option<IgnoredAny>,
    document_url: Option<IgnoredAny>,
    thinking: Option<IgnoredAny>,
    #[serde(flatten)]
    others: HashMap<String, IgnoredAny>,
}

impl TryFrom<PartWire> for Part {
    type Error = &'static str;

    fn try_from(wire: PartWire) -> Result<Self, Self::Error> {
        match wire.r#type.as_str() {
            "text" => wire.text.map(Self::Text).ok_or("a text part needs `text`"),
            "image_url" => wire
                .image_url
                .map(Self::Image)
                .ok_or("an image_url part needs `image_url`"),
            "input_audio" => wire
                .input_audio
                .map(|_| Self::Audio)
                .ok_or("an input_audio part needs `input_audio`"),
            "file" => wire
                .file
                .map(|_| Self::File)
                .ok_or("a file part needs `file`"),
            "refusal" => wire
                .refusal
                .map(Self::Refusal)
                .ok_or("a refusal part needs `refusal`"),
            "video_url" => extension("video_url", wire.video_url),
            "audio_url" => extension("audio_url", wire.audio_url),
            "input_video" => extension("input_video", wire.input_video),
            "video" => extension("video", wire.video),
            "document_url" => extension("document_url", wire.document_url),
            "thinking" => extension("thinking", wire.thinking),
            // The provider's profile decides about parts of other types.
            other => extension(other, wire.others.into_values().next()),
        }
    }
}

fn extension(kind: &str, member: Option<IgnoredAny>) -> Result<Part, &'static str> {
    let part = member.map(|_| Part::Extension(kind.to_owned()));
    part.ok_or("a part needs the member that its `type` names")
}

/// A reference to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUrl {
    /// An `https:` or `data:` URL.
    pub url: String,
    /// The resolution: `auto`, `low` or `high`.
    pub detail: Option<String>,
}

impl<'de> Deserialize<'de> for ImageUrl {
    /// Parses an object, or the URL itself, as some clients send it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            url: String,
            detail: Option<String>,
        }
        struct ImageUrlVisitor;

        impl<'de> Visitor<'de> for ImageUrlVisitor {
            type Value = ImageUrl;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a `url`")
            }

            fn visit_str<E>(self, url: &str) -> Result<ImageUrl, E> {
                let (url, detail) = (url.to_owned(), None);
                Ok(ImageUrl { url, detail })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ImageUrl, A::Error> {
                let Wire { url, detail } = Wire::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ImageUrl { url, detail })
            }
        }

        deserializer.deserialize_any(ImageUrlVisitor)
    }
}

impl Content {
    /// All texts of the content, in order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let (text, parts) = match self {
            Self::Text(text) => (Some(text.as_str()), [].as_slice()),
            Self::Parts(parts) => (None, parts.as_slice()),
        };
        text.into_iter()
            .chain(parts.iter().filter_map(|part| match part {
                Part::Text(text) | Part::Refusal(text) => Some(text.as_str()),
                _ => None,
            }))
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor;

        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of content parts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Content, E> {
                Ok(Content::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
                let mut parts = Vec::new();
                while let Some(part) = seq.next_element()? {
                    parts.push(part);
                }
                Ok(Content::Parts(parts))
            }
        }

        deserializer.deserialize_any(ContentVisitor)
    }
}
