//! Reads objects of a request member by member, with the path of each in the errors. Nothing here is
//! inlined: it is called from many places, and code counts in a Worker.

use clawless_core::json::{Json, error_reason};
use clawless_core::members::Members;
use clawless_core::{ApiError, ErrorCode};
use serde::de::DeserializeOwned;

/// An object that is being read.
#[derive(Debug)]
pub(super) struct Reader {
    path: String,
    members: Members,
}

impl Reader {
    /// Reads the object at `path`.
    ///
    /// # Errors
    /// 400 if it is not an object, or has a member twice.
    #[inline(never)]
    pub(super) fn new(json: &Json, path: String) -> Result<Self, ApiError> {
        let members: Members = json.read().map_err(|_| {
            let message = format!("Invalid `{path}`: expected an object.");
            ApiError::new(ErrorCode::InvalidType, message).param(path.as_str())
        })?;
        for (position, (name, _)) in members.0.iter().enumerate() {
            if members.0.iter().take(position).any(|(it, _)| it == name) {
                let message = format!("Invalid `{path}`: duplicate field `{name}`.");
                return Err(ApiError::new(ErrorCode::InvalidType, message).param(path));
            }
        }
        Ok(Self { path, members })
    }

    /// The path of the object.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The path of one of its members.
    #[inline(never)]
    pub(super) fn path_of(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// Whether the object has a member of this name that is not `null`.
    #[inline(never)]
    pub(super) fn has(&self, name: &str) -> bool {
        let value = self.members.get(name);
        value.is_some_and(|value| value.as_str() != "null")
    }

    /// Takes a member. `null` is the same as an absent one.
    ///
    /// # Errors
    /// 400 if it has another type.
    #[inline(never)]
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, ApiError> {
        let Some(position) = self.members.0.iter().position(|(it, _)| it == name) else {
            return Ok(None);
        };
        let (_, value) = self.members.0.remove(position);
        value.read().map_err(|error| {
            let (path, reason) = (self.path_of(name), error_reason(&error));
            let message = format!("Invalid `{path}`: {reason}.");
            ApiError::new(ErrorCode::InvalidType, message).param(path)
        })
    }

    /// Takes a member that must be there.
    ///
    /// # Errors
    /// 400 if it is absent or has another type.
    #[inline(never)]
    pub(super) fn require<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, ApiError> {
        self.take(name)?.ok_or_else(|| {
            let path = self.path_of(name);
            let message = format!("You must provide the parameter `{path}`.");
            ApiError::new(ErrorCode::MissingParameter, message).param(path)
        })
    }

    /// The error for an unsupported value of a member.
    #[inline(never)]
    pub(super) fn unsupported(&self, name: &str, reason: &str) -> ApiError {
        let path = self.path_of(name);
        let message = format!("Invalid `{path}`: {reason}.");
        ApiError::new(ErrorCode::InvalidValue, message).param(path)
    }

    /// The members that were not taken, without those of these names.
    #[inline(never)]
    pub(super) fn rest(self, without: &[&str]) -> Members {
        self.members.without(without)
    }
}
