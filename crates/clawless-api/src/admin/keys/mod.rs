//! API keys: the bodies that create, change and rotate one, and keys in responses.

mod request;
mod response;

pub use request::{KeyPatch, KeyRotation, NewKey};
pub use response::{CreatedKey, KeyObject};
