//! What every answer names.

use clawless_core::{RequestId, Timestamp};

/// What every answer names: its request, its times and its model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerHead {
    /// The request that the answer belongs to; its id is the answer's, with the surface's prefix.
    pub request: RequestId,
    /// When the request arrived.
    pub created: Timestamp,
    /// When the answer was complete; `None` while it runs, or if that is not known.
    pub completed: Option<Timestamp>,
    /// The model that answers.
    pub model: String,
    /// The same as `provider/model`, for what only it gets back from its clients.
    pub origin: String,
}
