//! Stage 8: the turn is stored, before the end of the answer goes out.

use clawless_core::llm::LlmChoice;
use clawless_core::{ApiError, Clock, ErrorCode, Message, MessageId, MicroDollars, Role, Tokens};
use clawless_store::sessions::{self, Place};
use clawless_store::turns::{self, CommitError, NewMessage, NewTurn, TurnStatus};
use clawless_store::{Backoff, retry};

use crate::platform::Platform;
use crate::prepare::OpenSession;
use crate::turn::{Outcome, Turn};

/// How often a turn that another one overtook looks for its new place. Each round one of the
/// competing turns gets through, so this many may compete.
const MAX_PLACES: usize = 32;

/// Stores a session's turn: what the client said and what the model answered, in one transaction.
/// Does nothing without a session. May be repeated; a request's turn is stored once.
///
/// A turn that was overtaken by another of the same session is stored after it, whole.
///
/// # Errors
/// 503 where the database does not take the turn, 409 where the session is gone, 400 where a
/// message is too long to be stored.
pub async fn commit<P: Platform>(
    platform: &P,
    turn: &Turn,
    outcome: &Outcome,
) -> Result<(), ApiError> {
    let Some(session) = &turn.session else {
        return Ok(());
    };
    let mut new = new_turn(platform, turn, session, outcome)?;
    for _ in 0..MAX_PLACES {
        let tried = retry(
            Backoff::DATABASE,
            platform.time(),
            platform.entropy(),
            async || turns::commit(platform.sql(), &turn.tenant, &new).await,
        );
        match tried.await {
            Ok(_) => return Ok(()),
            Err(CommitError::Fenced) => {
                let place = sessions::look_up(platform.sql(), &turn.tenant, &session.id).await?;
                new.expected = match place {
                    Place::Taken(session) => session.head,
                    Place::Free { head } => head,
                };
            }
            Err(error) => return Err(refusal(error)),
        }
    }
    Err(ApiError::new(
        ErrorCode::SessionBusy,
        "Too many turns of this session ran at once.",
    ))
}

fn refusal(error: CommitError) -> ApiError {
    match error {
        CommitError::Sql(error) => error.into(),
        CommitError::SessionGone => ApiError::new(
            ErrorCode::Conflict,
            "The session was deleted while its turn ran; the turn is not stored.",
        ),
        CommitError::TooLarge { position } => ApiError::new(
            ErrorCode::InvalidValue,
            format!("Message {position} of this turn is too long to be stored in a session."),
        )
        .param("messages"),
        CommitError::Fenced => ApiError::internal(error),
    }
}

fn new_turn<P: Platform>(
    platform: &P,
    turn: &Turn,
    session: &OpenSession,
    outcome: &Outcome,
) -> Result<NewTurn, ApiError> {
    let first = outcome.answer.choices.first();
    let answered = first
        .map(|choice| answered(choice, outcome.failure.is_some()))
        .transpose()?;
    let messages = turn
        .said
        .iter()
        .cloned()
        .chain(answered.flatten())
        .map(|message| NewMessage {
            id: MessageId::generate(platform.time().now(), platform.entropy()),
            message,
        });
    let failure = outcome
        .failure
        .clone()
        .map(|failure| ApiError::from(failure).code);
    Ok(NewTurn {
        session: session.id.clone(),
        expected: session.head,
        request: turn.request_id.clone(),
        key: Some(turn.key.clone()),
        status: failure.map_or(TurnStatus::Complete, TurnStatus::Incomplete),
        finish_reason: first.and_then(|choice| choice.finish_reason),
        model: turn.route.model.id.clone(),
        provider: turn.route.provider.name.clone(),
        usage: outcome.usage,
        cost: MicroDollars::ZERO,
        provenance: outcome.provenance,
        stored_tokens: Tokens::new(outcome.usage.completion_tokens),
        messages: messages.collect(),
        created_at: turn.started,
    })
}

/// What the model said, as the session keeps it. Of an answer that broke only its text is kept:
/// half a tool call would make every later turn invalid.
fn answered(choice: &LlmChoice, broke: bool) -> Result<Option<Message>, ApiError> {
    let mut kept = choice.clone();
    if broke {
        kept.tool_calls.clear();
    }
    if kept.content.is_none() && kept.refusal.is_none() && kept.tool_calls.is_empty() {
        return Ok(None);
    }
    let raw = kept.to_stored().map_err(ApiError::internal)?;
    Ok(Some(Message::from_stored(Role::Assistant, raw)))
}
