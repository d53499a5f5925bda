//! Inline media in messages. Their data are base64, whose length says little about their tokens, so
//! each medium counts by a rule of its own; see [`Medium::tokens`].

use std::borrow::Cow;

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
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow, default)]
    source: Option<&'a RawValue>,
    /// The blocks in a tool's result.
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct BlockSource<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow, default)]
    media_type: Option<Cow<'a, str>>,
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
#[derive(Default, Deserialize)]
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
        match (&*block.r#type, block.source, block.content) {
            ("image" | "document", Some(source), _) => media.extend(in_block(&block, source)),
            ("tool_result", _, Some(content)) => add_blocks(content.get(), media),
            _ => {}
        }
    }
}

/// The medium of a block. The text of a document counts as text.
fn in_block<'a>(block: &MediaBlock<'_>, source: &'a RawValue) -> Option<Medium<'a>> {
    let source = read::<BlockSource<'_>>(source.get()).ok()?;
    let data = match &*source.r#type {
        "base64" => source.data,
        "url" | "file" => None,
        _ => return None,
    };
    let kind = match source.media_type.as_deref() {
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
    // Some clients send the URL itself.
    let source = if member.get().starts_with('"') {
        Some(Source {
            url: Some(member),
            ..Source::default()
        })
    } else {
        read::<Source<'_>>(member.get()).ok()
    };
    let data = source.and_then(|source| {
        let url = source.url.map(RawValue::get);
        let url = url.filter(|url| beginning(url).starts_with("data:"));
        let data = source.data.or(source.file_data).map(RawValue::get);
        data.filter(|data| data.starts_with('"')).or(url)
    });
    let beginning = data.map(beginning).unwrap_or_default();
    let is = |media_type: &str| {
        let found = beginning.strip_prefix("data:");
        found.is_some_and(|found| found.starts_with(media_type))
    };
    let kind = match kind {
        Kind::Image if data.is_some() && !is("image") => Kind::TextFile,
        Kind::TextFile if is("application/pdf") => Kind::Document,
        kind => kind,
    };
    Medium { kind, data }
}

/// How much of a URL is read to find its media type, in bytes of its JSON text.
const MAX_MEDIA_TYPE_BYTES: usize = 100;

/// The beginning of a JSON text's string, up to the data of a data URL: in lower case and without
/// escapes, which some encoders write for each slash.
fn beginning(json: &str) -> String {
    let bytes = json.bytes().take(MAX_MEDIA_TYPE_BYTES);
    let end = bytes.clone().position(|it| matches!(it, b','));
    let end = json.floor_char_boundary(end.unwrap_or(bytes.len()));
    let text = json.get(..end).unwrap_or_default();
    // The end may cut an escape, and a short text ends with its quotation mark.
    let parse = |text: &str| read::<String>(&format!("{}\"", text.trim_end_matches('"'))).ok();
    let cut = || parse(text.rsplit_once('\\')?.0);
    let found = parse(text).or_else(cut).unwrap_or_default();
    found.to_ascii_lowercase()
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
                format!(r#"{{"type":"image_url","image_url":"data:image/png;base64,{data}"}}"#),
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
    fn escapes_and_case_of_a_media_type_change_nothing() {
        let data = "A".repeat(64_000);
        for (url, expected) in [
            ("data:image\\/png;base64,", 800),
            ("data:\\u0069mage/png;base64,", 800),
            ("DATA:Image/PNG;base64,", 800),
            ("data:text\\/plain;base64,", 12_805),
        ] {
            let part = format!(r#"{{"type":"image_url","image_url":{{"url":"{url}{data}"}}}}"#);
            let found = tokens(&part);
            assert_eq!(found[0].0, expected, "{url}");
            assert!(found[0].1 > 64_000, "{url}");
        }
        let file = |media_type: &str| {
            let data = format!("data:{media_type};base64,{data}");
            tokens(&format!(
                r#"{{"type":"file","file":{{"file_data":"{data}"}}}}"#
            ))[0]
                .0
        };
        assert_eq!(file("application\\/pdf"), 4001);
        assert_eq!(file("application\\u002fpdf"), 4002);
        assert_eq!(file(&format!("{}é/x", "a".repeat(93))), 12_822);
        for media_type in ["image\\/png", "image\\u002Fpng", "image/png"] {
            let source =
                format!(r#"{{"type":"base64","media_type":"{media_type}","data":"{data}"}}"#);
            let image = format!(r#"{{"type":"\u0069mage","source":{source}}}"#);
            let raw = format!(r#"{{"role":"user","clawless_blocks":[{image}]}}"#);
            let found: Vec<u64> = media(&raw).iter().map(Medium::tokens).collect();
            assert_eq!(found, [800], "{media_type}");
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
