//! Loads the answer of a stored turn, for a client that did not receive all of it.

use clawless_api::responses::StoredEcho;
use clawless_core::chat::Message;
use clawless_core::llm::LlmChoice;
use clawless_core::rounds::stored_answer;
use clawless_core::{ApiError, RequestId, TenantId};
use clawless_store::messages;
use clawless_store::turns::{StoredTurn, TurnStatus};

use super::response::StoredAnswer;
use crate::platform::Platform;

/// What the response of a stored turn repeats, and what its messages do not hold; nothing if its
/// surface stores no such members.
///
/// # Errors
/// An internal error if it has a form that no version has written.
pub fn stored_echo(turn: &StoredTurn) -> Result<StoredEcho, ApiError> {
    let echo = turn.echo.as_ref().map(StoredEcho::read);
    let echo = echo.transpose().map_err(ApiError::internal)?;
    Ok(echo.unwrap_or_default())
}

/// The answer of a stored turn, with the id, content, tool calls, finish reason and usage of the
/// first response.
///
/// # Errors
/// 503 if storage does not answer.
pub async fn load<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    request: &RequestId,
    turn: StoredTurn,
) -> Result<StoredAnswer, ApiError> {
    let stored = messages::of_turn(platform.sql(), tenant, &turn.session, turn.head).await?;
    let messages: Vec<Message> = stored.into_iter().map(|stored| stored.message).collect();
    let choice = stored_answer(&messages, turn.finish_reason).map_err(ApiError::internal)?;
    let mut choice = choice.unwrap_or_else(|| LlmChoice {
        finish_reason: turn.finish_reason,
        ..LlmChoice::default()
    });
    let echo = stored_echo(&turn)?;
    choice.reasoning = echo.reasoning.or(choice.reasoning);
    let status = TurnStatus::try_from(turn.incomplete_reason).map_err(ApiError::internal)?;
    Ok(StoredAnswer {
        request: request.clone(),
        created_at: turn.created_at,
        completed: echo.completed,
        echo: echo.echo,
        session: turn.session,
        origin: format!("{}/{}", turn.provider, turn.model),
        model: turn.model,
        choice,
        usage: turn.usage,
        incomplete: match status {
            TurnStatus::Complete => None,
            TurnStatus::Incomplete(code) => Some(code),
        },
    })
}
