//! The statements that store a turn, all or none.

use clawless_core::TenantId;
use clawless_core::chat::FinishReason;
use clawless_core::session::SessionHead;

use super::{
    CREATE_SESSION, CommitError, INSERT_MESSAGE, INSERT_MESSAGES, INSERT_TURN, MAX_MESSAGE_BYTES,
    MOVE_HEAD, NewMessage, NewTurn, TurnStatus,
};
use crate::ports::Value;
use crate::statement::Statement;
use crate::{sends, tool_executions};

/// How many messages `INSERT_MESSAGES` takes.
const GROUP: usize = 8;

/// The transaction. The head moves first: a turn that comes too late fails there.
pub(super) fn of(tenant: &TenantId, turn: &NewTurn) -> Result<Vec<Statement>, CommitError> {
    let session = &turn.session;
    let mut statements = Vec::with_capacity(turn.messages.len() / GROUP + GROUP + 5);
    if !session.is_generated() {
        statements.push(CREATE_SESSION.with([
            tenant.into(),
            session.into(),
            turn.created_at.into(),
            turn.expected.into(),
        ]));
    }
    statements.push(MOVE_HEAD.with([
        tenant.into(),
        session.into(),
        turn.expected.into(),
        turn.stored_tokens.into(),
        turn.created_at.into(),
    ]));
    let head = turn.expected.next();
    statements.push(turn_row(tenant, turn, head, stored_bytes(turn)?));
    let positioned: Vec<(u32, &NewMessage)> = (0..).zip(&turn.messages).collect();
    let mut groups = positioned.chunks_exact(GROUP);
    let rows = |group| message_rows(tenant, turn, head, group);
    for group in &mut groups {
        statements.push(INSERT_MESSAGES.with_all(rows(group)));
    }
    for single in groups.remainder().chunks(1) {
        statements.push(INSERT_MESSAGE.with_all(rows(single)));
    }
    statements.extend(tool_executions::insertion(tenant, &turn.executions)?);
    if let Some(send) = &turn.send {
        statements.push(sends::ending(tenant, send, turn));
    }
    let kept = turn.kept.as_ref();
    statements.extend(kept.map(|kept| kept.statement(tenant, &turn.request)));
    Ok(statements)
}

/// How long the turn's messages are together; none may be longer than a row can be.
fn stored_bytes(turn: &NewTurn) -> Result<u64, CommitError> {
    let mut total = 0_u64;
    for (position, new) in turn.messages.iter().enumerate() {
        let bytes = new.message.raw().as_str().len();
        if bytes > MAX_MESSAGE_BYTES {
            return Err(CommitError::TooLarge { position });
        }
        total = total.saturating_add(bytes as u64);
    }
    Ok(total)
}

/// The place that the messages share, then what each has of its own.
fn message_rows(
    tenant: &TenantId,
    turn: &NewTurn,
    head: SessionHead,
    messages: &[(u32, &NewMessage)],
) -> Vec<Value> {
    let mut params = vec![tenant.into(), (&turn.session).into(), head.into()];
    for (position, new) in messages {
        params.extend([
            (*position).into(),
            (&new.id).into(),
            new.message.role().as_str().into(),
            new.message.raw().as_str().into(),
        ]);
    }
    params
}

fn turn_row(tenant: &TenantId, turn: &NewTurn, head: SessionHead, stored_bytes: u64) -> Statement {
    let (status, reason) = match turn.status {
        TurnStatus::Complete => ("complete", None),
        TurnStatus::Incomplete(code) => ("incomplete", Some(code.as_str())),
    };
    let usage = &turn.usage;
    let cached = usage.prompt_tokens_details.and_then(|part| part.cached_tokens);
    let reasoning = usage
        .completion_tokens_details
        .and_then(|part| part.reasoning_tokens);
    INSERT_TURN.with([
        tenant.into(),
        (&turn.session).into(),
        head.into(),
        (&turn.request).into(),
        turn.key.as_ref().into(),
        status.into(),
        reason.into(),
        turn.finish_reason.map(FinishReason::as_str).into(),
        turn.model.as_str().into(),
        turn.provider.as_str().into(),
        usage.prompt_tokens.into(),
        usage.completion_tokens.into(),
        cached.unwrap_or_default().into(),
        reasoning.unwrap_or_default().into(),
        turn.cost.into(),
        turn.provenance.as_str().into(),
        turn.stored_tokens.into(),
        stored_bytes.into(),
        turn.created_at.into(),
    ])
}
