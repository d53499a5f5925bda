//! `/v1/responses`: the Responses surface.
//!
//! A stored response is a turn of a session. One that the caller cannot use (never created, not stored,
//! deleted, expired, another tenant's) is always the same 404.

mod create;
mod delete;
mod find;
mod input_items;
mod input_tokens;
mod show;

pub use create::create;
pub use delete::{cancel, delete};
pub use input_items::list as list_input_items;
pub use input_tokens::count as count_input_tokens;
pub use show::show;
