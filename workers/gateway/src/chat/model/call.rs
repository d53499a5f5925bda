//! The results of a model call.

use std::borrow::Cow;

use clawless_core::ApiError;
use clawless_llm::{AnswerStream, Http};

use super::super::counted_http::CountedBody;
use super::outcome::Outcome;
use crate::platform::Platform;
use crate::routing::Link;

/// A streamed answer that has begun.
pub struct OpenStream<P: Platform> {
    /// The rest of the answer.
    pub events: AnswerStream<CountedBody<<P::Http as Http>::Body>, P::Time>,
    /// The model that answers.
    pub link: Link,
    /// How the call reached that model.
    pub trace: CallTrace,
}

/// How a call reached the model that answers, for the response's headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallTrace {
    /// The number of requests sent to providers.
    pub tries: usize,
    /// Parameters that the model's provider does not support and that were left out.
    pub dropped: Vec<Cow<'static, str>>,
}

/// Why a call gave no answer.
#[derive(Debug)]
pub enum CallFailure {
    /// No model answered.
    Failed {
        /// The last provider's failure, as the client sees it.
        error: Box<ApiError>,
        /// What is charged: the output of tries that broke off.
        spent: Option<Box<Outcome>>,
    },
    /// The client left before the answer was complete, or before a streamed one began.
    ClientLeft {
        /// What is charged: as above, and the request that was aborted.
        spent: Option<Box<Outcome>>,
    },
}

impl From<ApiError> for CallFailure {
    fn from(error: ApiError) -> Self {
        Self::Failed {
            error: error.into(),
            spent: None,
        }
    }
}
