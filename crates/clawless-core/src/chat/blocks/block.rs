//! The parsed form of a content block.

use serde::{Deserialize, de::IgnoredAny};

use crate::json::{self, Json};

/// A content block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Text.
    Text(String),
    /// An image, as an `https:` or `data:` URL.
    Image(String),
    /// A document.
    Document(Document),
    /// A tool call.
    ToolUse {
        /// The id of the call.
        id: String,
        /// The name of the tool.
        name: String,
        /// The arguments, an object.
        input: Json,
    },
    /// The result of a tool call.
    ToolResult {
        /// The id of the call.
        id: String,
        /// The result.
        content: Vec<Self>,
        /// Whether the tool failed.
        is_error: bool,
    },
    /// Reasoning, with the provider's signature; an empty one is no signature.
    Thinking {
        /// The reasoning.
        thinking: String,
        /// The signature.
        signature: String,
    },
    /// Encrypted reasoning.
    RedactedThinking,
    /// A block of a type that only Anthropic's API knows.
    Other(String),
}

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// Inline, as a `data:` URL, with its title.
    Inline {
        /// The `data:` URL.
        url: String,
        /// The title.
        title: Option<String>,
    },
    /// Plain text.
    Text(String),
    /// Content blocks.
    Blocks(Vec<Block>),
    /// A reference that only the provider can read: an uploaded file or an URL.
    Reference(&'static str),
}

/// A block is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidBlock {
    /// The path in the block, such as `.source.data`. Empty for the block itself.
    pub path: String,
    /// The reason, for the client.
    pub reason: String,
}

/// The members of all known types, of which each block has some. They are read as their type needs
/// them: a type that is not known here may use the same names.
#[derive(Deserialize)]
struct Wire {
    r#type: String,
    #[serde(default)]
    text: Option<Json>,
    #[serde(default)]
    source: Option<Json>,
    #[serde(default)]
    title: Option<Json>,
    #[serde(default)]
    id: Option<Json>,
    #[serde(default)]
    name: Option<Json>,
    #[serde(default)]
    input: Option<Json>,
    #[serde(default)]
    tool_use_id: Option<Json>,
    #[serde(default)]
    content: Option<Json>,
    #[serde(default)]
    is_error: Option<Json>,
    #[serde(default)]
    thinking: Option<Json>,
    #[serde(default)]
    signature: Option<Json>,
    #[serde(default)]
    data: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Source {
    r#type: String,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    data: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    content: Option<Json>,
}

impl Block {
    /// Parses a block.
    ///
    /// # Errors
    /// A block of a known type lacks a member or has one of the wrong type. Other types are not
    /// checked.
    pub fn read(block: &Json) -> Result<Self, InvalidBlock> {
        let wire: Wire = json::read(block.as_str()).map_err(|error| {
            let path = match error.path.as_str() {
                "" => String::new(),
                path => format!(".{path}"),
            };
            InvalidBlock::new(path, error.reason())
        })?;
        Ok(match wire.r#type.as_str() {
            "text" => Self::Text(required(wire.text.as_ref(), "text")?),
            "image" => Self::Image(image(wire.source.as_ref())?),
            "document" => Self::Document(document(
                wire.source.as_ref(),
                optional(wire.title.as_ref(), "title")?,
            )?),
            "tool_use" => Self::ToolUse {
                id: required(wire.id.as_ref(), "id")?,
                name: required(wire.name.as_ref(), "name")?,
                input: object(wire.input, "input")?,
            },
            "tool_result" => Self::ToolResult {
                id: required(wire.tool_use_id.as_ref(), "tool_use_id")?,
                content: content(wire.content.as_ref())?,
                is_error: optional(wire.is_error.as_ref(), "is_error")?.unwrap_or(false),
            },
            "thinking" => Self::Thinking {
                thinking: required(wire.thinking.as_ref(), "thinking")?,
                signature: optional(wire.signature.as_ref(), "signature")?.unwrap_or_default(),
            },
            "redacted_thinking" if wire.data.is_some() => Self::RedactedThinking,
            "redacted_thinking" => return Err(missing("data")),
            _ => Self::Other(wire.r#type),
        })
    }

    /// The name of the block's type.
    pub fn kind(&self) -> &str {
        match self {
            Self::Text(_) => "text",
            Self::Image(_) => "image",
            Self::Document(_) => "document",
            Self::ToolUse { .. } => "tool_use",
            Self::ToolResult { .. } => "tool_result",
            Self::Thinking { .. } => "thinking",
            Self::RedactedThinking => "redacted_thinking",
            Self::Other(kind) => kind,
        }
    }
}

impl InvalidBlock {
    fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            reason: reason.into(),
        }
    }

    /// The same, one level above.
    fn below(self, path: &str) -> Self {
        Self {
            path: format!("{path}{}", self.path),
            ..self
        }
    }
}

fn missing(name: &str) -> InvalidBlock {
    InvalidBlock::new(format!(".{name}"), "this type of block needs it")
}

fn optional<'a, T: Deserialize<'a>>(
    value: Option<&'a Json>,
    name: &str,
) -> Result<Option<T>, InvalidBlock> {
    let Some(value) = value else { return Ok(None) };
    json::read(value.as_str())
        .map_err(|error| InvalidBlock::new(format!(".{name}"), error.reason()))
}

fn required(value: Option<&Json>, name: &str) -> Result<String, InvalidBlock> {
    optional(value, name)?.ok_or_else(|| missing(name))
}

fn object(value: Option<Json>, name: &str) -> Result<Json, InvalidBlock> {
    let value = value.ok_or_else(|| missing(name))?;
    if value.as_str().starts_with('{') {
        return Ok(value);
    }
    Err(InvalidBlock::new(format!(".{name}"), "expected an object"))
}

/// A content that is a text or a list of blocks; none is an empty list.
fn content(value: Option<&Json>) -> Result<Vec<Block>, InvalidBlock> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    if value.as_str().starts_with('"') {
        return Ok(vec![Block::Text(required(Some(value), "content")?)]);
    }
    let blocks: Option<Vec<Json>> = optional(Some(value), "content")?;
    let blocks = blocks.unwrap_or_default().into_iter().enumerate();
    let blocks = blocks.map(|(at, block)| {
        Block::read(&block).map_err(|invalid| invalid.below(&format!(".content[{at}]")))
    });
    blocks.collect()
}

fn source(value: Option<&Json>) -> Result<Source, InvalidBlock> {
    let source: Option<Source> = optional(value, "source")?;
    source.ok_or_else(|| missing("source"))
}

fn member(value: Option<String>, name: &str) -> Result<String, InvalidBlock> {
    value.ok_or_else(|| missing(&format!("source.{name}")))
}

fn image(value: Option<&Json>) -> Result<String, InvalidBlock> {
    let source = source(value)?;
    match source.r#type.as_str() {
        "base64" => data_url(source),
        "url" => member(source.url, "url"),
        // An uploaded file: only the provider can read it.
        _ => Ok(String::new()),
    }
}

fn data_url(source: Source) -> Result<String, InvalidBlock> {
    let media_type = member(source.media_type, "media_type")?;
    let data = member(source.data, "data")?;
    Ok(format!("data:{media_type};base64,{data}"))
}

fn document(value: Option<&Json>, title: Option<String>) -> Result<Document, InvalidBlock> {
    let source = source(value)?;
    Ok(match source.r#type.as_str() {
        "base64" => Document::Inline {
            url: data_url(source)?,
            title,
        },
        "text" => Document::Text(member(source.data, "data")?),
        "content" => {
            let blocks = content(source.content.as_ref());
            Document::Blocks(blocks.map_err(|invalid| invalid.below(".source"))?)
        }
        "url" => Document::Reference("documents by URL"),
        _ => Document::Reference("uploaded documents"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Block, InvalidBlock> {
        Block::read(&Json::parse(text.to_owned()).expect("JSON"))
    }

    #[test]
    fn known_blocks_are_checked_and_others_are_not() {
        assert_eq!(
            read(r#"{"type":"text","text":"a","cache_control":{},"citations":null}"#),
            Ok(Block::Text("a".to_owned()))
        );
        let image =
            r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}"#;
        let url = "data:image/png;base64,AA==".to_owned();
        assert_eq!(read(image), Ok(Block::Image(url)));
        let result = r#"{"type":"tool_result","tool_use_id":"t","content":"ok"}"#;
        let content = vec![Block::Text("ok".to_owned())];
        let (id, is_error) = ("t".to_owned(), false);
        assert_eq!(
            read(result),
            Ok(Block::ToolResult {
                id,
                content,
                is_error
            })
        );
        let other = r#"{"type":"search_result","source":"x","content":[],"title":1}"#;
        assert_eq!(read(other), Ok(Block::Other("search_result".to_owned())));
        for (text, path) in [
            (r#"{"type":"text"}"#, ".text"),
            (r#"{"type":"text","text":1}"#, ".text"),
            (r#"{"text":"a"}"#, ""),
            ("[]", ""),
            (r#"{"type":"image","source":{"type":"url"}}"#, ".source.url"),
            (r#"{"type":"image"}"#, ".source"),
            (
                r#"{"type":"tool_use","id":"a","name":"f","input":[]}"#,
                ".input",
            ),
            (
                r#"{"type":"tool_result","tool_use_id":"t","content":[{"type":"text"}]}"#,
                ".content[0].text",
            ),
            (r#"{"type":"redacted_thinking"}"#, ".data"),
        ] {
            assert_eq!(read(text).expect_err(text).path, path, "{text}");
        }
    }
}
