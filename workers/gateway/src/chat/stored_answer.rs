//! Loads stored turns: the answer for a client that did not receive all of it, and the content of a
//! response. Both count before they are read.

use std::rc::Rc;

use clawless_api::responses::StoredEcho;
use clawless_core::chat::Message;
use clawless_core::llm::LlmChoice;
use clawless_core::rounds::stored_answer;
use clawless_core::{ApiError, Clock, RequestId, TenantId};
use clawless_edge::http::{Permit, PermitPart};
use clawless_store::messages::{self, StoredMessage};
use clawless_store::turns::{StoredTurn, TurnStatus};

use super::response::StoredAnswer;
use crate::platform::Platform;

/// The copies of a turn: its rows, its messages, and the response that is rendered of them.
const COPIES: u64 = 3;

/// The content of a turn.
#[derive(Debug)]
pub struct Content {
    /// Its messages, in order.
    pub messages: Vec<StoredMessage>,
    /// What its response repeats of the request.
    pub echo: StoredEcho,
    /// Counts the content. To be kept as long as that.
    pub held: Option<PermitPart>,
}

/// The content of a stored turn, which counts against `permit`.
///
/// # Errors
/// 429 and 503 if there is no room for it, 503 if storage does not answer.
pub async fn content<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    turn: &StoredTurn,
    permit: &Rc<Permit>,
) -> Result<Content, ApiError> {
    let mut held = None;
    let room = |bytes: u64| {
        let bytes = usize::try_from(bytes.saturating_mul(COPIES)).unwrap_or(usize::MAX);
        held = Some(permit.hold_more(bytes, platform.time().now())?);
        Ok::<_, ApiError>(())
    };
    let content = messages::of_turn(platform.sql(), tenant, turn, room).await?;
    let echo = content.echo.map(|echo| StoredEcho::read(&echo));
    let echo = echo.transpose().map_err(ApiError::internal)?;
    Ok(Content {
        messages: content.messages,
        echo: echo.unwrap_or_default(),
        held,
    })
}

/// The answer of a stored turn, with the id, content, tool calls, finish reason and usage of the
/// first response. It counts against `permit`.
///
/// # Errors
/// As [`content`].
pub async fn load<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    request: &RequestId,
    turn: StoredTurn,
    permit: &Rc<Permit>,
) -> Result<StoredAnswer, ApiError> {
    let Content {
        messages,
        echo,
        held,
    } = content(platform, tenant, &turn, permit).await?;
    let messages: Vec<Message> = messages.into_iter().map(|stored| stored.message).collect();
    let choice = stored_answer(&messages, turn.finish_reason).map_err(ApiError::internal)?;
    let mut choice = choice.unwrap_or_else(|| LlmChoice {
        finish_reason: turn.finish_reason,
        ..LlmChoice::default()
    });
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
        held,
    })
}
