//! Answers with content blocks that the format of chat completions has no place for.

use serde::{Deserialize, Serialize};

use crate::chat::Block;
use crate::json::Json;
use crate::members::Members;

/// The member of a message that holds such blocks.
pub const CONTENT_BLOCKS: &str = "content_blocks";

/// The content blocks of an answer, without its tool calls, which follow them. The message has its text
/// in `content` too, for models and clients that do not know them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContentBlocks {
    /// The model that wrote them, as `provider/model`. No other model gets them back.
    pub origin: String,
    /// The blocks, as the provider sent them.
    pub blocks: Vec<Json>,
}

impl ContentBlocks {
    /// The blocks in the members of a message.
    pub fn of(members: &Members) -> Option<Self> {
        members.get(CONTENT_BLOCKS)?.read().ok()
    }

    /// Whether the texts of the blocks are this text.
    pub fn have_text(&self, text: &str) -> bool {
        let mut rest = text;
        for block in &self.blocks {
            if let Ok(Block::Text(text)) = Block::read(block) {
                match rest.strip_prefix(text.as_str()) {
                    Some(after) => rest = after,
                    None => return false,
                }
            }
        }
        rest.is_empty()
    }

    /// The blocks as a member of a message.
    ///
    /// # Errors
    /// Never in practice: the blocks are JSON already.
    pub fn to_members(&self) -> Result<Members, serde_json::Error> {
        let value = Json::from_value(self)?;
        Ok(Members(vec![(CONTENT_BLOCKS.to_owned(), value)]))
    }
}
