//! Step 8: stores the turn, before the end of the answer is sent.

use clawless_core::chat::ChatOptions;
use clawless_core::json::Json;
use clawless_core::ledger::SessionState;
use clawless_core::llm::LlmChoice;
use clawless_core::session::SessionHead;
use clawless_core::{
    ApiError, Clock, ErrorCode, Message, MessageId, Role, Storage, Timestamp, Tokens,
};
use clawless_llm::tokens;
use clawless_store::idempotency::{self, StoredResponse};
use clawless_store::sessions;
use clawless_store::tool_executions;
use clawless_store::turns::{
    self, CommitError, MAX_MESSAGE_BYTES, NewMessage, NewTurn, TurnStatus,
};
use clawless_store::{Backoff, SqlError, SqlErrorKind, Transient, retry};

use super::idempotency as claims;
use super::model::commit_failure::{CommitFailure, ParkableTurn};
use super::model::outcome::{CommittedTurn, Outcome};
use super::model::session::OpenSession;
use super::model::turn::Turn;
use crate::platform::Platform;

/// The tries of a turn whose session changes at the same time. In each round one of the competing
/// turns succeeds, so this many may compete.
const MAX_COMMIT_TRIES: usize = 32;

/// Stores a turn. `record` is its response for replays. A claim of an idempotency key that has nothing
/// to replay is released.
///
/// # Errors
/// Whether the turn can be stored later, and why it is not stored now: 503 if the database does not take
/// the turn, 409 if the session was deleted or reset, 400 if a message is too long to be stored.
pub async fn commit<P: Platform>(
    platform: &P,
    turn: &Turn,
    outcome: &Outcome,
    record: Result<Option<StoredResponse>, ApiError>,
) -> Result<Option<CommittedTurn>, CommitFailure> {
    let replay = record?;
    let is_kept = turn.session.is_some() || replay.is_some();
    let committed = store(platform, turn, outcome, replay).await?;
    if !is_kept {
        claims::release(platform, turn.claim.as_ref()).await;
    }
    Ok(committed)
}

/// Stores a turn with its session: the request's messages and the model's answer, in one
/// transaction. Of a turn without a session only `replay` and the tool executions are stored. May
/// be repeated; a request's turn is stored once.
///
/// A turn that was overtaken by another one of the same session, or by a change of the session, is
/// stored after that. A turn whose session was emptied meanwhile is not stored.
async fn store<P: Platform>(
    platform: &P,
    turn: &Turn,
    outcome: &Outcome,
    replay: Option<StoredResponse>,
) -> Result<Option<CommittedTurn>, CommitFailure> {
    let Some(session) = &turn.session else {
        record_executions(platform, turn, outcome).await;
        if let Some(replay) = replay {
            store_replay(platform, turn, &replay).await;
        }
        return Ok(None);
    };
    let mut new = new_turn(platform, turn, session, outcome)?;
    new.response = replay;
    let stored = added_storage(session, &new);
    let tenant = &turn.identity.tenant;
    let mut before = session.state;
    for _ in 0..MAX_COMMIT_TRIES {
        let committed = retry(
            Backoff::DATABASE,
            platform.time(),
            platform.entropy(),
            async || turns::commit(platform.sql(), tenant, &new).await,
        );
        match committed.await {
            Ok(committed) => {
                let state = state_after(before, &new, committed.head);
                let is_next = state.head == session.state.head.next() && outcome.failure.is_none();
                let next = is_next.then_some(new.messages);
                return Ok(Some(CommittedTurn {
                    state,
                    stored,
                    next,
                }));
            }
            Err(CommitError::Fenced) => {
                let now = platform.time().now();
                let found = sessions::find(platform.sql(), tenant, &session.id, now).await;
                let Some(found) = found.map_err(ApiError::from)? else {
                    return Err(CommitFailure::Permanent(refusal(CommitError::SessionGone)));
                };
                before = SessionState {
                    head: found.head,
                    token_total: found.token_total,
                };
                new.expected = before.head;
            }
            Err(CommitError::Sql(error)) => {
                let state = state_after(session.state, &new, new.expected.next());
                let parkable = ParkableTurn {
                    turn: new,
                    state,
                    stored,
                };
                return Err(CommitFailure::Retryable(Box::new(parkable), error.into()));
            }
            Err(error) => return Err(CommitFailure::Permanent(refusal(error))),
        }
    }
    Err(CommitFailure::Permanent(ApiError::new(
        ErrorCode::SessionBusy,
        "Too many turns of this session ran at once.",
    )))
}

/// The session's state once `new` is stored under `head`.
fn state_after(before: SessionState, new: &NewTurn, head: SessionHead) -> SessionState {
    let token_total = before.token_total.plus(new.stored_tokens);
    SessionState { head, token_total }
}

/// What a turn adds to the stored content.
fn added_storage(session: &OpenSession, new: &NewTurn) -> Storage {
    let lengths = new
        .messages
        .iter()
        .map(|it| it.message.raw().as_str().len());
    let own = Storage {
        sessions: session.is_new.into(),
        messages: new.messages.len() as u64,
        bytes: new.echo_bytes() + lengths.map(|length| length as u64).sum::<u64>(),
    };
    match &session.fork {
        None => own,
        Some((fork, settings)) => own.plus(&fork.with_settings(*settings)),
    }
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
            "Another try has claimed the message that this turn answers; the turn is not stored.",
        ),
        CommitError::TooLarge { position } => ApiError::new(
            ErrorCode::InvalidValue,
            format!(
                "Message {position} of this turn is too long: a session stores messages of at most \
                 {MAX_MESSAGE_BYTES} bytes."
            ),
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
    let answer = outcome
        .last()
        .map(|choice| answer_message(choice, outcome))
        .transpose()?;
    // The tool results of an answer that broke off are in the records of the executions only. They
    // may be what broke it: too large for the model's window.
    let rounds = (outcome.tool_rounds.as_ref()).filter(|_| outcome.failure.is_none());
    let rounds = rounds.map_or(&[][..], |rounds| &rounds.messages);
    let messages = turn
        .input
        .iter()
        .chain(rounds)
        .cloned()
        .chain(answer.flatten())
        .map(|message| NewMessage {
            id: MessageId::generate(platform.time().now(), platform.entropy()),
            message,
        });
    let results = rounds.iter().filter(|message| message.role() == Role::Tool);
    let input: Vec<Message> = turn.input.iter().chain(results).cloned().collect();
    let input_tokens = tokens::of_messages(&input, &ChatOptions::default());
    let failure = outcome.failure.as_ref().map(|failure| failure.code);
    let first = outcome.answer.choices.first();
    let reasoning = first.and_then(|choice| choice.reasoning.as_deref());
    Ok(NewTurn {
        session: session.id.clone(),
        expected: session.state.head,
        request: turn.identity.request_id.clone(),
        key: Some(turn.identity.key.clone()),
        status: failure.map_or(TurnStatus::Complete, TurnStatus::Incomplete),
        finish_reason: first.and_then(|choice| choice.finish_reason),
        model: outcome.model.id.clone(),
        provider: outcome.provider.clone(),
        usage: outcome.usage,
        cost: outcome.cost,
        provenance: outcome.provenance,
        stored_tokens: input_tokens.plus(Tokens::new(outcome.usage.completion_tokens)),
        messages: messages.collect(),
        executions: outcome.executions().to_vec(),
        send: turn.origin.send.clone(),
        created_at: turn.identity.started,
        echo: echo(
            turn,
            reasoning,
            outcome.completed.filter(|_| failure.is_none()),
        )?,
        fork: session.fork.as_ref().map(|(fork, _)| fork.clone()),
        response: None,
    })
}

/// What the turn keeps beside its messages: without the reasoning, if a row could not hold it.
fn echo(
    turn: &Turn,
    reasoning: Option<&str>,
    completed: Option<Timestamp>,
) -> Result<Option<Json>, ApiError> {
    let write = |reasoning| {
        let echo = (turn.format.rendering).stored_echo(turn.input.len(), reasoning, completed);
        echo.map_err(ApiError::internal)
    };
    let whole = write(reasoning)?;
    let fits = |echo: &Json| echo.as_str().len() <= MAX_MESSAGE_BYTES;
    if reasoning.is_none() || whole.as_ref().is_none_or(fits) {
        return Ok(whole);
    }
    write(None)
}

/// Records the tool executions of a turn without a session.
async fn record_executions<P: Platform>(platform: &P, turn: &Turn, outcome: &Outcome) {
    let (tenant, executions) = (&turn.identity.tenant, outcome.executions());
    let recorded = retry(
        Backoff::DATABASE,
        platform.time(),
        platform.entropy(),
        async || tool_executions::record(platform.sql(), tenant, executions).await,
    );
    if let Err(error) = recorded.await {
        tracing::error!(internal = error.internal(), "record tool executions failed");
    }
}

/// Stores the answer of a turn without a session for replays. If this fails, a repeated request
/// runs again. No other record has the answer, so overload is retried like a lost connection.
async fn store_replay<P: Platform>(platform: &P, turn: &Turn, replay: &StoredResponse) {
    let (tenant, request) = (&turn.identity.tenant, &turn.identity.request_id);
    let stored = retry(
        Backoff::DATABASE,
        platform.time(),
        platform.entropy(),
        async || {
            let stored = idempotency::finish(platform.sql(), tenant, request, replay).await;
            stored.map_err(RetryOverload)
        },
    );
    if let Err(RetryOverload(error)) = stored.await {
        tracing::error!(
            internal = error.internal(),
            "store idempotent answer failed"
        );
    }
}

/// An error that is also retried if the database is overloaded.
struct RetryOverload(SqlError);

impl Transient for RetryOverload {
    fn is_transient(&self) -> bool {
        self.0.is_transient() || self.0.kind == SqlErrorKind::Overloaded
    }
}

/// The model's answer as the session stores it. Of an answer that broke off only the text is
/// stored: half a tool call would make every later turn invalid.
fn answer_message(choice: &LlmChoice, outcome: &Outcome) -> Result<Option<Message>, ApiError> {
    let mut choice = choice.clone();
    if outcome.failure.is_some() {
        choice.tool_calls.clear();
    }
    if choice.content.is_none() && choice.refusal.is_none() && choice.tool_calls.is_empty() {
        return Ok(None);
    }
    let raw = choice
        .to_stored(&outcome.origin())
        .map_err(ApiError::internal)?;
    Ok(Some(Message::from_stored(Role::Assistant, raw)))
}
