//! Why nothing more is taken, and the error for it.

use clawless_core::time::Millis;
use clawless_core::{ApiError, ErrorCode};

use super::reader::ReadKind;

/// How long a client waits before it tries again.
pub(super) const RETRY_AFTER_BUSY: Millis = Millis::from_secs(1);

/// Why nothing more is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    /// The isolate's memory.
    Isolate,
    /// The tenant's share of it.
    Share,
    /// The tenant's or key's reads.
    Reads(ReadKind),
    /// The tenant has read so much that it has to wait.
    Pace(Millis),
}

impl Busy {
    pub(super) fn error(self) -> ApiError {
        let (code, message, wait) = match self {
            Self::Isolate => (
                ErrorCode::Overloaded,
                "This server is processing as much as it can hold. Wait as long as `retry-after` says.",
                RETRY_AFTER_BUSY,
            ),
            Self::Share => (
                ErrorCode::RateLimitExceeded,
                "The requests of this account are too large to be processed at once. Wait until some of \
                 them have ended.",
                RETRY_AFTER_BUSY,
            ),
            Self::Reads(ReadKind::Page | ReadKind::Visitor) => (
                ErrorCode::RateLimitExceeded,
                "Too many reads of this account or key are running at once. Wait until some of them \
                 have ended.",
                RETRY_AFTER_BUSY,
            ),
            Self::Reads(ReadKind::Export) => (
                ErrorCode::RateLimitExceeded,
                "Too many exports of this account or key are running at once. Wait until some of them \
                 have ended.",
                RETRY_AFTER_BUSY,
            ),
            Self::Pace(wait) => (
                ErrorCode::RateLimitExceeded,
                "This account is reading too much at once. Wait as long as `retry-after` says.",
                wait,
            ),
        };
        ApiError::new(code, message).retry_after(wait)
    }
}
