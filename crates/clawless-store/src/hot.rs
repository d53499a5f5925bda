//! Hot sessions: sessions and their histories in the cache.
//!
//! The cache key contains the session's head, and every change of a session, its settings included,
//! moves the head. A copy can therefore be missing but never out of date. Callers need the current
//! head from the ledger.

use std::collections::BTreeMap;

use clawless_core::ledger::SessionState;
use clawless_core::session::SessionHead;
use clawless_core::{Millis, Session, SessionId, TenantId, Timestamp};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::messages::{History, HistoryBudget, HistoryMessage, HistoryTurn};
use crate::ports::{Kv, KvError, KvKey, KvPrefix};
use crate::turns::NewMessage;

/// The TTL of a copy.
const COPY_TTL: Millis = Millis::from_secs(300);

/// The deletions that run at the same time: a Worker has six connections.
const CONCURRENT_DELETIONS: usize = 6;

/// The longest history that is cached, in bytes. KV accepts 25 MiB, but a copy is in memory twice,
/// as text and as messages, and an isolate has 128 MB. Longer histories are read from D1.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// Everything a turn needs to know of its session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HotSession {
    /// Its record, with the head that the copy belongs to.
    pub session: Session,
    /// Its history.
    pub history: History,
    /// The budget that the history was read with.
    pub budget: HistoryBudget,
}

impl HotSession {
    /// A session that its first turn will create, under the head that this turn expects.
    pub fn new(
        tenant: &TenantId,
        id: &SessionId,
        state: SessionState,
        budget: HistoryBudget,
        now: Timestamp,
    ) -> Self {
        let session = Session {
            id: id.clone(),
            tenant_id: tenant.clone(),
            title: None,
            metadata: BTreeMap::new(),
            system_prompt: None,
            model: None,
            thinking_level: None,
            tools: None,
            time_zone: None,
            head: state.head,
            token_total: state.token_total,
            expires_at: None,
            created_at: now,
            updated_at: now,
        };
        Self {
            session,
            history: History::default(),
            budget,
        }
    }

    /// Whether it has as much of the history as the database would return for this budget.
    pub const fn covers(&self, budget: HistoryBudget) -> bool {
        let is_enough = self.budget.turns >= budget.turns && self.budget.bytes >= budget.bytes;
        is_enough || !self.history.truncated
    }

    /// Whether it is short enough for the cache.
    pub fn is_cacheable(&self) -> bool {
        self.history.bytes() <= MAX_BYTES
    }

    /// Adds a turn that was stored under the head of `state`.
    #[must_use]
    pub fn with_turn(mut self, state: SessionState, messages: Vec<NewMessage>) -> Self {
        let messages = messages.into_iter().map(|new| HistoryMessage {
            role: new.message.role(),
            raw: new.message.raw().clone(),
        });
        self.history.turns.push(HistoryTurn {
            seq: state.head.seq(),
            messages: messages.collect(),
        });
        self.history.truncate(self.budget);
        self.session.head = state.head;
        self.session.token_total = state.token_total;
        self
    }
}

/// The copy of a session under a head, if the cache has it.
///
/// # Errors
/// If the cache fails or its value is not a copy of this session. Callers then read the database.
pub async fn find(
    kv: &impl Kv,
    tenant: &TenantId,
    id: &SessionId,
    head: SessionHead,
) -> Result<Option<HotSession>, KvError> {
    let Some(text) = kv.get(&KvKey::history(tenant, id, head)).await? else {
        return Ok(None);
    };
    let invalid = |internal| KvError { internal };
    let copy: HotSession = serde_json::from_str(&text)
        .map_err(|error| invalid(format!("invalid copy of a session: {error}")))?;
    let Session {
        tenant_id,
        id: found,
        head: found_head,
        ..
    } = &copy.session;
    if (tenant_id, found, *found_head) != (tenant, id, head) {
        return Err(invalid("copy of another session".to_owned()));
    }
    Ok(Some(copy))
}

/// Stores a copy under the session's head, unless it is too long.
///
/// # Errors
/// If the cache fails; the next turn then reads the database.
pub async fn store(kv: &impl Kv, tenant: &TenantId, copy: &HotSession) -> Result<(), KvError> {
    if !copy.is_cacheable() {
        return Ok(());
    }
    let text = serde_json::to_string(copy).map_err(|error| KvError {
        internal: format!("cannot serialize a copy: {error}"),
    })?;
    let key = KvKey::history(tenant, &copy.session.id, copy.session.head);
    kv.put(&key, text, COPY_TTL).await
}

/// Removes a copy. Other locations may still read it for a minute.
///
/// # Errors
/// If the cache fails; the copy then expires.
pub async fn remove(
    kv: &impl Kv,
    tenant: &TenantId,
    id: &SessionId,
    head: SessionHead,
) -> Result<(), KvError> {
    kv.delete(&KvKey::history(tenant, id, head)).await
}

/// Removes the copies of all sessions of a tenant, at most `limit` of them; `true` if no others are left.
/// A copy that is written meanwhile may remain until it expires.
///
/// # Errors
/// If the cache fails; the copies then expire.
pub async fn remove_all(kv: &impl Kv, tenant: &TenantId, limit: u32) -> Result<bool, KvError> {
    let prefix = KvPrefix::of_tenant(tenant);
    let page = kv.list(&prefix, limit, None).await?;
    for keys in page.keys.chunks(CONCURRENT_DELETIONS) {
        try_join_all(keys.iter().map(|key| kv.delete(key))).await?;
    }
    Ok(page.next.is_none())
}
