//! Requests to model providers and their responses, independent of any wire format.

mod event;
mod kind;
mod provider;
mod request;
mod response;
mod stored;

pub use event::{Delta, LlmEvent};
pub use kind::ProviderKind;
pub use provider::LlmProvider;
pub use request::LlmRequest;
pub use response::{LlmChoice, LlmResponse};
pub use stored::{CHOICE, ORIGIN};
