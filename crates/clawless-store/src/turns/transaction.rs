//! The statements of the transaction that stores a turn.

use clawless_core::chat::FinishReason;
use clawless_core::json::Json;
use clawless_core::session::SessionHead;
use clawless_core::{ErrorCode, TenantId};

use super::error::CommitError;
use super::new_turn::{MAX_MESSAGE_BYTES, NewMessage, NewTurn};
use super::statements::{CREATE_SESSION, INSERT_MESSAGE, INSERT_MESSAGES, INSERT_TURN, MOVE_HEAD};
use crate::ports::{Statement, Value};
use crate::{sends, tool_executions};

/// The rows of `INSERT_MESSAGES`.
const MESSAGES_PER_INSERT: usize = 8;

/// Builds the transaction. The head moves first, so that a turn that is too late fails there.
pub(super) fn build(tenant: &TenantId, turn: &NewTurn) -> Result<Vec<Statement>, CommitError> {
    let session = &turn.session;
    let mut statements =
        Vec::with_capacity(turn.messages.len() / MESSAGES_PER_INSERT + MESSAGES_PER_INSERT + 5);
    if let Some(fork) = &turn.fork {
        statements.extend(fork.statements(tenant, session, turn.created_at)?);
    } else if !session.is_generated() {
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
    let messages: Vec<(u32, &NewMessage)> = (0..).zip(&turn.messages).collect();
    let mut groups = messages.chunks_exact(MESSAGES_PER_INSERT);
    let rows = |group| message_rows(tenant, turn, head, group);
    for group in &mut groups {
        statements.push(INSERT_MESSAGES.with_all(rows(group)));
    }
    for single in groups.remainder().chunks(1) {
        statements.push(INSERT_MESSAGE.with_all(rows(single)));
    }
    statements.extend(tool_executions::insert(tenant, &turn.executions)?);
    if let Some(send) = &turn.send {
        let claim = (session, &turn.request);
        let reason = turn.status.incomplete_reason();
        let now = turn.created_at;
        statements.push(sends::end_statement(tenant, send, claim, reason, now));
    }
    let response = turn.response.as_ref();
    statements.extend(response.map(|it| it.finish_statement(tenant, &turn.request)));
    Ok(statements)
}

/// The total length of the turn's messages and its echo; checks that each fits a row.
fn stored_bytes(turn: &NewTurn) -> Result<u64, CommitError> {
    let mut total = turn.echo_bytes();
    for (position, new) in turn.messages.iter().enumerate() {
        let bytes = new.message.raw().as_str().len();
        if bytes > MAX_MESSAGE_BYTES {
            return Err(CommitError::TooLarge { position });
        }
        total = total.saturating_add(bytes as u64);
    }
    Ok(total)
}

/// The parameters that the messages share, then those of each.
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
    let reason = turn.status.incomplete_reason();
    let status = if reason.is_some() {
        "incomplete"
    } else {
        "complete"
    };
    let usage = &turn.usage;
    let cached = usage
        .prompt_tokens_details
        .and_then(|part| part.cached_tokens);
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
        reason.map(ErrorCode::as_str).into(),
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
        turn.echo.as_ref().map(Json::as_str).into(),
    ])
}
