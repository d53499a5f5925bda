//! Stage 8: the turn is stored, before the end of the answer goes out.

use clawless_core::chat::ChatOptions;
use clawless_core::ledger::SessionState;
use clawless_core::llm::LlmChoice;
use clawless_core::session::SessionHead;
use clawless_core::{ApiError, Clock, ErrorCode, Message, MessageId, Role, Tokens};
use clawless_llm::tokens;
use clawless_store::idempotency::{self, StoredResponse};
use clawless_store::sessions;
use clawless_store::tool_executions;
use clawless_store::turns::{self, CommitError, NewMessage, NewTurn, TurnStatus};
use clawless_store::{Backoff, SqlError, SqlErrorKind, Transient, retry};

use crate::idempotency::IdempotencyClaim;
use crate::platform::Platform;
use crate::prepare::OpenSession;
use crate::turn::{Outcome, Turn};

/// How often a turn that another one overtook looks for its new place. Each round one of the
/// competing turns gets through, so this many may compete.
const MAX_PLACES: usize = 32;

/// A turn is not stored.
#[derive(Debug)]
pub enum Unstored {
    /// The database does not take it now, but may later: the ledger can keep it until then.
    Later(Box<NewTurn>, ApiError),
    /// It will never be stored.
    Never(ApiError),
}

impl From<ApiError> for Unstored {
    fn from(error: ApiError) -> Self {
        Self::Never(error)
    }
}

/// A turn is stored.
#[derive(Debug)]
pub struct Stored {
    /// Where its session stands then.
    pub state: SessionState,
    /// What was said in it, if it ended well and nothing came between it and what its model was shown.
    pub next: Option<Vec<NewMessage>>,
}

/// Stores a session's turn: what the client said and what the model answered, in one transaction.
/// Says where the session stands then. Does nothing without a session. May be repeated; a request's
/// turn is stored once.
///
/// A turn that was overtaken by another of the same session, or by a change of it, is stored after
/// that, whole. One whose session was emptied meanwhile is not stored.
///
/// # Errors
/// 503 where the database does not take the turn, 409 where the session is gone or was reset, 400 where a
/// message is too long to be stored.
pub async fn commit<P: Platform>(
    platform: &P,
    turn: &Turn,
    outcome: &Outcome,
) -> Result<Option<Stored>, Unstored> {
    let kept = turn.kept(outcome)?;
    let Some(session) = &turn.session else {
        record(platform, turn, outcome).await;
        match (kept, IdempotencyClaim::of(turn)) {
            (Some(kept), _) => keep(platform, turn, &kept).await,
            (None, Some(held)) => held.release(platform).await,
            (None, None) => {}
        }
        return Ok(None);
    };
    let mut new = new_turn(platform, turn, session, outcome)?;
    new.response = kept;
    let mut before = session.state;
    for _ in 0..MAX_PLACES {
        let tried = retry(
            Backoff::DATABASE,
            platform.time(),
            platform.entropy(),
            async || turns::commit(platform.sql(), &turn.tenant, &new).await,
        );
        match tried.await {
            Ok(committed) => {
                let state = state_after(before, &new, committed.head);
                let is_next = state.head == session.state.head.next() && outcome.failure.is_none();
                let next = is_next.then_some(new.messages);
                return Ok(Some(Stored { state, next }));
            }
            Err(CommitError::Fenced) => {
                let now = platform.time().now();
                let found = sessions::find(platform.sql(), &turn.tenant, &session.id, now).await;
                let Some(found) = found.map_err(ApiError::from)? else {
                    return Err(Unstored::Never(refusal(CommitError::SessionGone)));
                };
                before = SessionState {
                    head: found.head,
                    token_total: found.token_total,
                };
                new.expected = before.head;
            }
            Err(CommitError::Sql(error)) => {
                return Err(Unstored::Later(Box::new(new), error.into()));
            }
            Err(error) => return Err(Unstored::Never(refusal(error))),
        }
    }
    Err(Unstored::Never(ApiError::new(
        ErrorCode::SessionBusy,
        "Too many turns of this session ran at once.",
    )))
}

/// Where a session stands once a turn of it is stored under `head`.
pub(crate) fn state_after(before: SessionState, new: &NewTurn, head: SessionHead) -> SessionState {
    let token_total = before.token_total.plus(new.stored_tokens);
    SessionState { head, token_total }
}

fn refusal(error: CommitError) -> ApiError {
    match error {
        CommitError::Sql(error) => error.into(),
        CommitError::SessionGone => ApiError::new(
            ErrorCode::Conflict,
            "The session was deleted while its turn ran; the turn is not stored.",
        ),
        CommitError::Emptied => ApiError::new(
            ErrorCode::Conflict,
            "The session was reset while its turn ran; the turn is not stored.",
        ),
        CommitError::TakenOver => ApiError::new(
            ErrorCode::Conflict,
            "Another try has the message that this turn answers; the turn is not stored.",
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
    let answered = outcome
        .last()
        .map(|choice| answered(choice, outcome))
        .transpose()?;
    // What tools said to an answer that broke is in their records. In the history it could be what
    // broke it: too much for the model's window.
    let acted = outcome.acted.as_ref().filter(|_| outcome.failure.is_none());
    let acted = acted.map_or(&[][..], |acted| &acted.messages);
    let messages = turn
        .said
        .iter()
        .chain(acted)
        .cloned()
        .chain(answered.flatten())
        .map(|message| NewMessage {
            id: MessageId::generate(platform.time().now(), platform.entropy()),
            message,
        });
    let told = acted.iter().filter(|message| message.role() == Role::Tool);
    let said: Vec<Message> = turn.said.iter().chain(told).cloned().collect();
    let said = tokens::of_messages(&said, &ChatOptions::default());
    let failure = outcome.failure.as_ref().map(|failure| failure.code);
    let first = outcome.answer.choices.first();
    Ok(NewTurn {
        session: session.id.clone(),
        expected: session.state.head,
        request: turn.request_id.clone(),
        key: Some(turn.key.clone()),
        status: failure.map_or(TurnStatus::Complete, TurnStatus::Incomplete),
        finish_reason: first.and_then(|choice| choice.finish_reason),
        model: outcome.model.id.clone(),
        provider: outcome.provider.clone(),
        usage: outcome.usage,
        cost: outcome.cost,
        provenance: outcome.provenance,
        stored_tokens: said.plus(Tokens::new(outcome.usage.completion_tokens)),
        messages: messages.collect(),
        executions: outcome.executions().to_vec(),
        send: turn.origin.send.clone(),
        created_at: turn.started,
        response: None,
    })
}

/// Records what tools did for a stateless call, which has no turn to be stored with.
async fn record<P: Platform>(platform: &P, turn: &Turn, outcome: &Outcome) {
    let executions = outcome.executions();
    let recorded = retry(
        Backoff::DATABASE,
        platform.time(),
        platform.entropy(),
        async || tool_executions::record(platform.sql(), &turn.tenant, executions).await,
    );
    if let Err(error) = recorded.await {
        tracing::error!(
            internal = error.internal(),
            "what tools did is not recorded"
        );
    }
}

/// Keeps a stateless call's answer for whoever asks the same again. Where that fails, the next one
/// finds no answer and runs anew; since nothing else would keep the answer, an overload is waited
/// out for as long as a lost connection.
async fn keep<P: Platform>(platform: &P, turn: &Turn, kept: &StoredResponse) {
    let finished = retry(
        Backoff::DATABASE,
        platform.time(),
        platform.entropy(),
        async || {
            let id = &turn.request_id;
            let finished = idempotency::finish(platform.sql(), &turn.tenant, id, kept).await;
            finished.map_err(LastChance)
        },
    );
    if let Err(LastChance(error)) = finished.await {
        tracing::error!(internal = error.internal(), "an answer could not be kept");
    }
}

/// A failure after which nobody else would try.
struct LastChance(SqlError);

impl Transient for LastChance {
    fn is_transient(&self) -> bool {
        self.0.is_transient() || self.0.kind == SqlErrorKind::Overloaded
    }
}

/// What the model said, as the session keeps it. Of an answer that broke only its text is kept:
/// half a tool call would make every later turn invalid.
fn answered(choice: &LlmChoice, outcome: &Outcome) -> Result<Option<Message>, ApiError> {
    let mut kept = choice.clone();
    if outcome.failure.is_some() {
        kept.tool_calls.clear();
    }
    if kept.content.is_none() && kept.refusal.is_none() && kept.tool_calls.is_empty() {
        return Ok(None);
    }
    let raw = kept
        .to_stored(&outcome.origin())
        .map_err(ApiError::internal)?;
    Ok(Some(Message::from_stored(Role::Assistant, raw)))
}
