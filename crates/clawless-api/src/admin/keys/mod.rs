//! API keys: the bodies that create and rotate one, and keys in responses.

mod request;
mod response;

pub use request::{KeyRotation, NewKey};
pub use response::{CreatedKey, KeyObject};
