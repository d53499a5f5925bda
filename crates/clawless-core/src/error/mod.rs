//! Errors that clients receive: the catalogue of codes, and the error type.

mod api_error;
mod code;

pub use api_error::ApiError;
pub use code::{ErrorCode, ErrorKind};
