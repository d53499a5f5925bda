//! Stage 6: the call of the model, up to the first byte of its answer.

use clawless_core::{ApiError, Clock, Provenance, Timestamp};
use clawless_llm::egress::Egress;
use clawless_llm::{AnswerStream, Http, Io, LlmClient, Timeouts, make_client, tokens};

use crate::platform::Platform;
use crate::turn::{Outcome, Turn};

/// An answer on its way to a platform.
pub type Answers<P> = AnswerStream<<<P as Platform>::Http as Http>::Body, <P as Platform>::Time>;

/// Asks for an answer in one piece.
///
/// # Errors
/// The provider's failure, in words for the client.
pub async fn complete<P: Platform>(platform: &P, turn: &Turn) -> Result<Outcome, ApiError> {
    let (client, timeouts, deadline) = prepare(platform, turn)?;
    let answer = client
        .complete(&io(platform), &turn.llm, &timeouts, deadline)
        .await?;
    let (usage, provenance) = match answer.usage {
        Some(usage) => (usage, Provenance::Provider),
        None => (
            tokens::estimate_usage(&turn.llm, &answer),
            Provenance::Estimated,
        ),
    };
    Ok(Outcome {
        answer,
        usage,
        provenance,
        failure: None,
    })
}

/// Asks for a stream, and returns once the answer has begun.
///
/// # Errors
/// The provider's failure, in words for the client.
pub async fn stream<P: Platform>(platform: &P, turn: &Turn) -> Result<Answers<P>, ApiError> {
    let (client, timeouts, deadline) = prepare(platform, turn)?;
    Ok(client
        .stream(&io(platform), &turn.llm, &timeouts, deadline)
        .await?)
}

fn prepare<P: Platform>(
    platform: &P,
    turn: &Turn,
) -> Result<(LlmClient, Timeouts, Timestamp), ApiError> {
    let config = platform.config();
    let provider = &turn.route.provider;
    let egress = if config.allow_private_providers {
        Egress::Any
    } else {
        Egress::Public
    };
    let client =
        make_client(provider, config.key_of(provider), egress).map_err(ApiError::internal)?;
    let timeouts = Timeouts {
        first_byte: config.first_byte_timeout,
        idle: config.idle_timeout,
        total: config.total_timeout,
        ..Timeouts::default()
    };
    let deadline = platform.time().now().plus(config.total_timeout);
    Ok((client, timeouts, deadline))
}

fn io<P: Platform>(platform: &P) -> Io<&P::Http, P::Time> {
    Io {
        http: platform.http(),
        time: platform.time().clone(),
    }
}
