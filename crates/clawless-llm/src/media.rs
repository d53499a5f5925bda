//! Inline media in messages. Their data are base64, whose length says little about their tokens, so
//! each medium counts by a rule of its own; see [`Medium::tokens`].

use clawless_core::json::read;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The tokens of an image, and the least of another medium.
const PER_MEDIUM: u64 = 800;

/// The bytes of recorded sound for one token: base64 of 32 kbit/s, of which models count 10 tokens or
/// more per second. Better recordings count more.
const AUDIO_BYTES: u64 = 128;

/// The bytes of a PDF or a video for one token. A page with 64 KiB counts 4,000 tokens.
const DOCUMENT_BYTES: u64 = 16;

/// The bytes of another file for one token: base64 of a text.
const TEXT_FILE_BYTES: u64 = 5;

/// Substrings of messages that may contain media.
const MARKS: [&str; 6] = [
    "_url\"",
    "\"input_audio\"",
    "\"file\"",
    "\"input_video\"",
    "\"video\"",
    "\"images\"",
];

/// A medium in a message.
pub(crate) struct Medium<'a> {
    kind: Kind,
    /// The JSON text of its inline data; `None` for a reference.
    pub(crate) data: Option<&'a str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Image,
    Audio,
    Document,
    TextFile,
}

impl Medium<'_> {
    /// The tokens that the medium counts.
    pub(crate) fn tokens(&self) -> u64 {
        let bytes = self.data.map_or(0, str::len) as u64;
        let by_size = match self.kind {
            Kind::Image => 0,
            Kind::Audio => bytes / AUDIO_BYTES,
            Kind::Document => bytes / DOCUMENT_BYTES,
            Kind::TextFile => bytes / TEXT_FILE_BYTES,
        };
        by_size.max(PER_MEDIUM)
    }
}

#[derive(Deserialize)]
struct MediaMessage<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    images: Option<&'a RawValue>,
}

#[derive(Clone, Copy, Deserialize)]
struct MediaPart<'a> {
    #[serde(borrow, default)]
    image_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input_audio: Option<&'a RawValue>,
    #[serde(borrow, default)]
    audio_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    file: Option<&'a RawValue>,
    #[serde(borrow, default)]
    document_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    video_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input_video: Option<&'a RawValue>,
    #[serde(borrow, default)]
    video: Option<&'a RawValue>,
}

/// The data of a medium, under the names that servers use.
#[derive(Deserialize)]
struct Source<'a> {
    #[serde(borrow, default)]
    url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    file_data: Option<&'a RawValue>,
}

/// The media of a message, by its JSON. Media are looked for where providers read them: in the parts
/// of `content` and in `images`. Data anywhere else are ordinary text.
pub(crate) fn media(raw: &str) -> Vec<Medium<'_>> {
    if !MARKS.iter().any(|mark| raw.contains(mark)) {
        return Vec::new();
    }
    let Ok(message) = read::<MediaMessage<'_>>(raw) else {
        return Vec::new();
    };
    let lists = [message.content, message.images].into_iter().flatten();
    let parts = lists.filter_map(|list| read::<Vec<MediaPart<'_>>>(list.get()).ok());
    parts.flatten().flat_map(in_part).collect()
}

fn in_part(part: MediaPart<'_>) -> impl Iterator<Item = Medium<'_>> {
    let members = [
        (part.image_url, Kind::Image),
        (part.input_audio, Kind::Audio),
        (part.audio_url, Kind::Audio),
        (part.file, Kind::TextFile),
        (part.document_url, Kind::TextFile),
        (part.video_url, Kind::Document),
        (part.input_video, Kind::Document),
        (part.video, Kind::Document),
    ];
    let members = members.into_iter();
    members.filter_map(|(member, kind)| Some(medium(member?, kind)))
}

fn medium(member: &RawValue, kind: Kind) -> Medium<'_> {
    let source = read::<Source<'_>>(member.get()).ok();
    let data = source.and_then(|source| {
        let url = source.url.map(RawValue::get);
        let url = url.filter(|url| url.starts_with("\"data:"));
        let data = source.data.or(source.file_data).map(RawValue::get);
        data.filter(|data| data.starts_with('"')).or(url)
    });
    let is = |media_type: &str| data.is_some_and(|data| data.starts_with(media_type));
    match kind {
        Kind::Image if data.is_some() && !is("\"data:image") => Medium {
            kind: Kind::TextFile,
            data,
        },
        Kind::TextFile if is("\"data:application/pdf") || is("\"data:application\\/pdf") => {
            Medium {
                kind: Kind::Document,
                data,
            }
        }
        _ => Medium { kind, data },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(part: &str) -> Vec<(u64, usize)> {
        let raw = format!(r#"{{"role":"user","content":[{{"type":"text","text":"a"}},{part}]}}"#);
        let media = media(&raw).into_iter();
        media
            .map(|it| (it.tokens(), it.data.map_or(0, str::len)))
            .collect()
    }

    #[test]
    fn every_medium_counts_by_its_kind_and_size() {
        let data = "A".repeat(64_000);
        for (part, expected) in [
            (
                format!(
                    r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}"#
                ),
                (800, 64_024),
            ),
            (
                r#"{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}"#.to_owned(),
                (800, 0),
            ),
            (
                format!(
                    r#"{{"type":"image_url","image_url":{{"url":"data:text/plain;base64,{data}"}}}}"#
                ),
                (12_805, 64_025),
            ),
            (
                format!(
                    r#"{{"type":"input_audio","input_audio":{{"data":"{data}{data}{data}","format":"wav"}}}}"#
                ),
                (1500, 192_002),
            ),
            (
                format!(
                    r#"{{"type":"file","file":{{"file_data":"data:application/pdf;base64,{data}"}}}}"#
                ),
                (4001, 64_030),
            ),
            (
                format!(r#"{{"type":"file","file":{{"file_data":"{data}"}}}}"#),
                (12_800, 64_002),
            ),
            (
                r#"{"type":"file","file":{"file_id":"file-1"}}"#.to_owned(),
                (800, 0),
            ),
            (
                format!(
                    r#"{{"type":"video_url","video_url":{{"url":"data:video/mp4;base64,{data}"}}}}"#
                ),
                (4001, 64_024),
            ),
        ] {
            let kind: String = part.chars().take(30).collect();
            assert_eq!(tokens(&part), [expected], "{kind}");
        }
    }

    #[test]
    fn data_outside_of_parts_are_no_media() {
        let url = format!("data:image/png;base64,{}", "A".repeat(1000));
        for member in [
            format!(r#""refusal":"{url}""#),
            format!(r#""x":{{"image_url":{{"url":"{url}"}}}}"#),
            format!(r#""content":"{url}""#),
        ] {
            assert!(media(&format!(r#"{{"role":"assistant",{member}}}"#)).is_empty());
        }
    }
}
