//! Sessions that begin with a copy of another session's history.

use std::collections::BTreeMap;

use clawless_core::session::SessionHead;
use clawless_core::{Entropy, RequestId, SessionId, Storage, TenantId, Timestamp, Tokens};
use serde::{Deserialize, Serialize};

use super::error::CommitError;
use super::statements::{COPIED_TURNS, COPY_MESSAGES, COPY_SESSION, COPY_TURNS};
use crate::ports::{Sql, SqlError, Statement};
use crate::row;

/// A copy of a history, which the first turn of a new session stores with itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// The session whose history is copied.
    pub source: SessionId,
    /// Its last turn that is copied.
    pub head: SessionHead,
    /// The request id of each copied turn's copy, by the turn's number. A request has one turn.
    pub copies: BTreeMap<u64, RequestId>,
    /// What the copy adds to the stored content, without the session's settings.
    pub stored: Storage,
    /// The tokens of the copied history.
    pub tokens: Tokens,
}

/// Prepares a copy of a session's history up to the turn `head`. Nothing is stored yet.
pub async fn fork(
    sql: &impl Sql,
    tenant: &TenantId,
    source: &SessionId,
    head: SessionHead,
    now: Timestamp,
    entropy: &impl Entropy,
) -> Result<Fork, SqlError> {
    #[derive(Deserialize)]
    struct Row {
        seq: u64,
        stored_tokens: u64,
        stored_bytes: u64,
        messages: u64,
    }
    let query = COPIED_TURNS.with([tenant.into(), source.into(), head.into()]);
    let rows: Vec<Row> = sql.query(query).await?;
    let mut fork = Fork {
        source: source.clone(),
        head,
        copies: BTreeMap::new(),
        stored: Storage::ZERO,
        tokens: Tokens::ZERO,
    };
    for row in rows {
        fork.copies
            .insert(row.seq, RequestId::generate(now, entropy));
        fork.stored = fork.stored.plus(&Storage {
            sessions: 0,
            messages: row.messages,
            bytes: row.stored_bytes,
        });
        fork.tokens = fork.tokens.plus(Tokens::new(row.stored_tokens));
    }
    Ok(fork)
}

impl Fork {
    /// What the copy adds to the stored content, with the bytes of the session's settings.
    pub fn with_settings(&self, settings: u64) -> Storage {
        self.stored.plus(&Storage {
            bytes: settings,
            ..Storage::ZERO
        })
    }

    /// The statements that create the session `id` with the copied history.
    pub(super) fn statements(
        &self,
        tenant: &TenantId,
        id: &SessionId,
        now: Timestamp,
    ) -> Result<[Statement; 3], CommitError> {
        let copies = row::to_json("turns.request_id", &self.copies)?;
        let (source, head) = (&self.source, self.head);
        Ok([
            COPY_SESSION.with([
                tenant.into(),
                id.into(),
                source.into(),
                head.into(),
                now.into(),
            ]),
            COPY_TURNS.with([
                tenant.into(),
                id.into(),
                source.into(),
                head.into(),
                copies.into(),
            ]),
            COPY_MESSAGES.with([tenant.into(), id.into(), source.into(), head.into()]),
        ])
    }
}
