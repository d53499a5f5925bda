//! Rounds of a turn: which tool calls the server runs, and when the turn ends.
//!
//! One model response may call server tools and the client's own tools. Server tools run inside
//! the turn, and the model is called again. The client's calls are returned to the client, as in
//! `OpenAI`'s API.

mod client_view;
mod state;
mod stored;
mod text;

pub use client_view::ClientView;
pub use state::{MAX_ROUNDS, Rounds, Step};
pub use stored::stored_answer;
pub use text::join;
