//! The messages surface, Anthropic's Messages: parses requests into domain messages that keep their
//! content blocks byte for byte, writes whole answers and stream events.

mod arguments;
mod carrier;
mod content;
mod count;
mod described;
mod error;
mod events;
mod headers;
mod models;
mod parameters;
mod rendering;
mod request;
mod stop;
mod thinking;
mod tools;
mod usage;
mod whole;
mod wire;

pub use count::TokenCount;
pub use described::{CountRequest, MessageError, MessageEvent, MessageRequest, MessageResponse};
pub use error::error_envelope;
pub use events::MessageWriter;
pub use headers::Headers;
pub use models::{ModelInfo, ModelPage, PageRequest};
pub use rendering::MessagesRendering;
pub(crate) use rendering::parameter_name;
pub use request::{parse, parse_count};

/// The route that creates answers. Those below it have the surface's errors, too.
pub const ROUTE: &str = "/v1/messages";

/// The event that shows a waiting client that the request still runs. SDKs skip it.
pub const PING: &str = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
