//! The content of a message: text, or a list of parts.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

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
struct PartWire {
    r#type: PartKind,
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
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum PartKind {
    Text,
    ImageUrl,
    InputAudio,
    File,
    Refusal,
    VideoUrl,
    AudioUrl,
    InputVideo,
    Video,
    DocumentUrl,
    Thinking,
}

impl TryFrom<PartWire> for Part {
    type Error = &'static str;

    fn try_from(wire: PartWire) -> Result<Self, Self::Error> {
        match wire.r#type {
            PartKind::Text => wire.text.map(Self::Text).ok_or("a text part needs `text`"),
            PartKind::ImageUrl => wire
                .image_url
                .map(Self::Image)
                .ok_or("an image_url part needs `image_url`"),
            PartKind::InputAudio => wire
                .input_audio
                .map(|_| Self::Audio)
                .ok_or("an input_audio part needs `input_audio`"),
            PartKind::File => wire
                .file
                .map(|_| Self::File)
                .ok_or("a file part needs `file`"),
            PartKind::Refusal => wire
                .refusal
                .map(Self::Refusal)
                .ok_or("a refusal part needs `refusal`"),
            PartKind::VideoUrl => extension("video_url", wire.video_url),
            PartKind::AudioUrl => extension("audio_url", wire.audio_url),
            PartKind::InputVideo => extension("input_video", wire.input_video),
            PartKind::Video => extension("video", wire.video),
            PartKind::DocumentUrl => extension("document_url", wire.document_url),
            PartKind::Thinking => extension("thinking", wire.thinking),
        }
    }
}

fn extension(kind: &str, member: Option<IgnoredAny>) -> Result<Part, &'static str> {
    let part = member.map(|_| Part::Extension(kind.to_owned()));
    part.ok_or("a part needs the member that its `type` names")
}

/// A reference to an image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ImageUrl {
    /// An `https:` or `data:` URL.
    pub url: String,
    /// The resolution: `auto`, `low` or `high`.
    #[serde(default)]
    pub detail: Option<String>,
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
