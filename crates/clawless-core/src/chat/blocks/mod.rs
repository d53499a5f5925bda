//! Messages whose content is Anthropic's content blocks, each in the bytes of its client.
//!
//! Signatures and prompt caches of an Anthropic provider depend on every byte, and blocks may have
//! members and types that nothing here knows. Such a message therefore holds its blocks and nothing
//! else, so that they are stored and counted once. [`MessageView`](super::MessageView) shows it like
//! any other message; for other wires and for clients of other surfaces it is translated.

mod block;
mod chat_form;
pub(super) mod view;

pub use block::{Block, InvalidBlock};
pub use chat_form::Untranslatable;
