//! Requests to model providers and their responses, independent of any wire format.

mod carried;
mod client_text;
mod content_blocks;
mod event;
mod kind;
mod provider;
mod request;
mod response;
mod signature;
mod stored;

pub use carried::{CallMembers, CarriedMembers};
pub use client_text::ClientText;
pub use content_blocks::{CONTENT_BLOCKS, ContentBlocks};
pub use event::{Delta, LlmEvent};
pub use kind::ProviderKind;
pub use provider::LlmProvider;
pub use request::LlmRequest;
pub use response::{LlmChoice, LlmResponse};
pub use signature::Signature;
pub use stored::{CHOICE, ORIGIN};
