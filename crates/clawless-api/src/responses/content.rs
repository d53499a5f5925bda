//! The content of input items as content of chat messages.

use clawless_core::json::Json;
use clawless_core::{ApiError, ErrorCode};

use super::ignored::Ignored;
use super::object_text::{ObjectText, list, quoted};
use super::reader::Reader;

/// Members that parts of an answer have and a model does not need.
const OF_ANSWERS: [&str; 2] = ["annotations", "logprobs"];

/// Members that chat completions do not have.
const UNSENT: [&str; 1] = ["prompt_cache_breakpoint"];

/// A part of a message's content, as JSON of a chat message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    json: String,
    /// The text as JSON, if the part has no other member.
    text: Option<String>,
}

/// The JSON of a content: a plain text where that says the same, because every server takes one.
pub(super) fn join(parts: &[Part]) -> String {
    if let [
        Part {
            text: Some(text), ..
        },
    ] = parts
    {
        return text.clone();
    }
    let parts: Vec<&str> = parts.iter().map(|part| part.json.as_str()).collect();
    list(&parts)
}

/// Reads a content: a text, or a list of parts.
///
/// # Errors
/// 400 that names the part or member.
pub(super) fn read(
    content: &Json,
    path: &str,
    ignored: &mut Ignored,
) -> Result<Vec<Part>, ApiError> {
    if content.as_str().starts_with('"') {
        let text: String = content.read().map_err(|_| wrong_type(path))?;
        return Ok(vec![plain(&text)]);
    }
    let parts: Vec<Json> = content.read().map_err(|_| wrong_type(path))?;
    let parts = parts.iter().enumerate();
    let parts = parts.map(|(at, part)| {
        let reader = Reader::new(part, format!("{path}[{at}]"))?;
        read_part(reader, ignored)
    });
    parts.collect()
}

fn wrong_type(path: &str) -> ApiError {
    let message = format!("Invalid `{path}`: expected a string or an array of parts.");
    ApiError::new(ErrorCode::InvalidType, message).param(path)
}

fn plain(text: &str) -> Part {
    let text = quoted(text);
    Part {
        json: ObjectText::of_type("text").raw("text", &text).end(),
        text: Some(text),
    }
}

fn read_part(mut part: Reader, ignored: &mut Ignored) -> Result<Part, ApiError> {
    let kind: String = part.require("type")?;
    let mut text = None;
    let object = match kind.as_str() {
        "input_text" | "output_text" | "text" => {
            let value = quoted(&part.require::<String>("text")?);
            let object = ObjectText::of_type("text").raw("text", &value);
            text = Some(value);
            object
        }
        "refusal" => {
            let refusal: String = part.require("refusal")?;
            ObjectText::of_type("refusal").text("refusal", &refusal)
        }
        "input_image" => image(&mut part)?,
        "input_file" => file(&mut part)?,
        "input_audio" => {
            let audio: Json = part.require("input_audio")?;
            ObjectText::of_type("input_audio").raw("input_audio", audio.as_str())
        }
        _ => return Err(part.unsupported("type", "this type of content is not supported")),
    };
    for name in UNSENT {
        if part.has(name) {
            ignored.add(format!("input.content.{name}"));
        }
    }
    let rest = part.rest(&[&OF_ANSWERS[..], &UNSENT[..]].concat());
    Ok(Part {
        text: text.filter(|_| rest.is_empty()),
        json: object.members(&rest).end(),
    })
}

fn image(part: &mut Reader) -> Result<ObjectText, ApiError> {
    if part.has("file_id") {
        return Err(part.unsupported("file_id", "this service stores no files; send `image_url`"));
    }
    part.take::<Json>("file_id")?;
    let mut url = ObjectText::new().text("url", &part.require::<String>("image_url")?);
    if let Some(detail) = part.take::<String>("detail")? {
        url = url.text("detail", &detail);
    }
    Ok(ObjectText::of_type("image_url").raw("image_url", &url.end()))
}

fn file(part: &mut Reader) -> Result<ObjectText, ApiError> {
    if part.has("file_url") {
        let reason = "files are not fetched from a URL; send `file_data`";
        return Err(part.unsupported("file_url", reason));
    }
    part.take::<Json>("file_url")?;
    let mut file = ObjectText::new();
    let mut is_empty = true;
    for name in ["file_data", "file_id", "filename"] {
        if let Some(value) = part.take::<String>(name)? {
            file = file.text(name, &value);
            is_empty &= name == "filename";
        }
    }
    if is_empty {
        return Err(part.unsupported("file_data", "a file needs `file_data`"));
    }
    Ok(ObjectText::of_type("file").raw("file", &file.end()))
}
