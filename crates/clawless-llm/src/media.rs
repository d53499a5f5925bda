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
const MARKS: [&str; 7] = [
    "_url\"",
    "\"input_audio\"",
    "\"file\"",
    "\"input_video\"",
    "\"video\"",
    "\"images\"",
    "\"source\"",
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
    #[serde(borrow, default)]
    clawless_blocks: Option<&'a RawValue>,
}

/// A content block of Anthropic's wire.
#[derive(Deserialize)]
struct MediaBlock<'a> {
    r#type: &'a str,
    #[serde(borrow, default)]
    source: Option<&'a RawValue>,
    /// The blocks in a tool's result.
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct BlockSource<'a> {
    r#type: &'a str,
    #[serde(default)]
    media_type: Option<&'a str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
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
    if let Some(blocks) = message.clawless_blocks {
        let mut media = Vec::new();
        add_blocks(blocks.get(), &mut media);
        return media;
    }
    let lists = [message.content, message.images].into_iter().flatten();
    let parts = lists.filter_map(|list| read::<Vec<MediaPart<'_>>>(list.get()).ok());
    parts.flatten().flat_map(in_part).collect()
}

/// Adds the media of content blocks, and of the results among them.
fn add_blocks<'a>(blocks: &'a str, media: &mut Vec<Medium<'a>>) {
    let blocks = read::<Vec<&RawValue>>(blocks).unwrap_or_default();
    let blocks = blocks.into_iter();
    for block in blocks.filter_map(|it| read::<MediaBlock<'_>>(it.get()).ok()) {
        match (block.r#type, block.source, block.content) {
            ("image" | "document", Some(source), _) => media.extend(in_block(&block, source)),
            ("tool_result", _, Some(content)) => add_blocks(content.get(), media),
            _ => {}
        }
    }
}

/// The medium of a block. The text of a document counts as text.
fn in_block<'a>(block: &MediaBlock<'_>, source: &'a RawValue) -> Option<Medium<'a>> {
    let source = read::<BlockSource<'_>>(source.get()).ok()?;
    let data = match source.r#type {
        "base64" => source.data,
        "url" | "file" => None,
        _ => return None,
    };
    let kind = match source.media_type {
        _ if block.r#type == "image" => Kind::Image,
        None | Some("application/pdf") => Kind::Document,
        Some(_) => Kind::TextFile,
    };
    let data = data.map(RawValue::get);
    Some(Medium { kind, data })
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
    fn media_of_content_blocks_count_wherever_they_are() {
        let data = "A".repeat(64_000);
        let source = |media_type| {
            format!(r#"{{"type":"base64","media_type":"{media_type}","data":"{data}"}}"#)
        };
        let image = format!(r#"{{"type":"image","source":{}}}"#, source("image/png"));
        let pdf = format!(
            r#"{{"type":"document","source":{}}}"#,
            source("application/pdf")
        );
        let text =
            r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a"}}"#;
        let result = format!(r#"{{"type":"tool_result","tool_use_id":"t","content":[{image}]}}"#);
        let raw = format!(r#"{{"role":"user","clawless_blocks":[{result},{pdf},{text}]}}"#);
        let found: Vec<u64> = media(&raw).iter().map(Medium::tokens).collect();
        assert_eq!(found, [800, 4000]);
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
