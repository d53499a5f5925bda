//! The bodies of the surface as the API's description names them. Their values are read and written by
//! hand; the schemas are here.

#[cfg(feature = "schema")]
mod events;
#[cfg(feature = "schema")]
mod items;
#[cfg(feature = "schema")]
mod lists;
#[cfg(feature = "schema")]
mod object;
#[cfg(feature = "schema")]
mod request;

/// The body of a request for a response, and of one to count its input tokens.
#[derive(Debug)]
pub enum ResponseRequest {}

/// A response.
#[derive(Debug)]
pub enum ResponseObject {}

/// The data of a stream's events.
#[derive(Debug)]
pub enum ResponseEvent {}

/// A page of items.
#[derive(Debug)]
pub enum ItemList {}

/// The input tokens of a request.
#[derive(Debug)]
pub enum InputTokens {}

/// The body of a request that creates or changes a conversation.
#[derive(Debug)]
pub enum ConversationBody {}
