//! The Responses surface, `OpenAI`'s Responses and Open Responses: parses requests, writes responses
//! and stream events.

mod carrier;
mod content;
mod described;
mod draft;
mod echo;
mod ids;
mod ignored;
mod items;
mod lists;
mod namespaces;
mod object;
mod object_text;
mod output;
mod reader;
mod rendering;
mod request;
mod stored_items;
mod tools;
mod writer;

/// The route that creates responses.
pub(crate) const ROUTE: &str = "/v1/responses";

pub use described::{
    ConversationBody, InputTokens, ItemList, ResponseEvent, ResponseObject, ResponseRequest,
};
pub use echo::{ResponseEcho, StoredEcho};
pub use ids::{
    ItemKind, ItemReference, auto_session, is_auto_session, item_id, request_of_response,
    response_id,
};
pub use lists::{
    ConversationObject, input_token_count, item_list, not_cancellable, parse_conversation,
};
pub use rendering::ResponsesRendering;
pub(crate) use rendering::parameter_name;
pub use request::{parse, parse_count, references, response_not_found};
pub use stored_items::{ListedItem, items_of};
pub use writer::ResponseWriter;
