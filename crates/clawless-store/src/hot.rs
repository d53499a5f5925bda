//! Hot sessions: copies of sessions and of what was said in them, in the cache.
//!
//! A copy stands under the head that it shows, and what is true of a head never changes: whatever
//! changes a session, its settings included, moves its head. So a copy may be missing, and is never
//! out of date. Whoever asks must have the present head from the ledger.

use std::collections::BTreeMap;

use clawless_core::ledger::SessionState;
use clawless_core::session::SessionHead;
use clawless_core::{Millis, Session, SessionId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::messages::{History, HistoryBudget, HistoryMessage, HistoryTurn};
use crate::ports::{Kv, KvError, KvKey};
use crate::turns::NewMessage;

/// How long a copy lives.
const LIFE: Millis = Millis::from_secs(300);

/// The longest history that is copied, in bytes. KV would take 25 MiB; but a copy is in memory as a
/// text and as messages at once, of 128 MB for all that an isolate does. A longer history is read
/// from D1.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// All that the database says of a session to a turn of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HotSession {
    /// Its record; its head is the one that all this is true of.
    pub session: Session,
    /// What was said in it.
    pub history: History,
    /// How much of the history was wanted at most. There is no more, unless it is truncated.
    pub budget: HistoryBudget,
}

impl HotSession {
    /// A session that its first turn is about to make, under the head that this turn expects.
    pub fn begun(
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

    /// Whether it has as much of the history as the database would give for this budget.
    pub const fn holds(&self, budget: HistoryBudget) -> bool {
        let is_enough = self.budget.turns >= budget.turns && self.budget.bytes >= budget.bytes;
        is_enough || !self.history.truncated
    }

    /// Whether it is short enough to be copied.
    pub fn is_small(&self) -> bool {
        self.history.bytes() <= MAX_BYTES
    }

    /// The session after one more turn, which was stored under the head of `state`.
    #[must_use]
    pub fn after(mut self, state: SessionState, said: Vec<NewMessage>) -> Self {
        let messages = said.into_iter().map(|new| HistoryMessage {
            role: new.message.role(),
            raw: new.message.raw().clone(),
        });
        self.history.turns.push(HistoryTurn {
            seq: state.head.seq(),
            messages: messages.collect(),
        });
        self.history.cut(self.budget);
        self.session.head = state.head;
        self.session.token_total = state.token_total;
        self
    }
}

/// The copy of a session under a head, if the cache has it.
///
/// # Errors
/// Where the cache fails, or what it gives is no copy of this session. The database has it all.
pub async fn find(
    kv: &impl Kv,
    tenant: &TenantId,
    id: &SessionId,
    head: SessionHead,
) -> Result<Option<HotSession>, KvError> {
    let Some(text) = kv.get(&KvKey::history(tenant, id, head)).await? else {
        return Ok(None);
    };
    let unreadable = |internal| KvError { internal };
    let copy: HotSession = serde_json::from_str(&text)
        .map_err(|error| unreadable(format!("not a copy of a session: {error}")))?;
    let Session {
        tenant_id,
        id: found,
        head: stands,
        ..
    } = &copy.session;
    if (tenant_id, found, *stands) != (tenant, id, head) {
        return Err(unreadable("the copy of another session".to_owned()));
    }
    Ok(Some(copy))
}

/// Puts a copy under the session's head; does nothing where it is too long.
///
/// # Errors
/// Where the cache fails; the next turn reads the database.
pub async fn keep(kv: &impl Kv, tenant: &TenantId, copy: &HotSession) -> Result<(), KvError> {
    if !copy.is_small() {
        return Ok(());
    }
    let text = serde_json::to_string(copy).map_err(|error| KvError {
        internal: format!("a copy cannot be written: {error}"),
    })?;
    let key = KvKey::history(tenant, &copy.session.id, copy.session.head);
    kv.put(&key, text, LIFE).await
}

/// Takes a copy away. Other places may still see it for a minute; nobody should ask for it.
///
/// # Errors
/// Where the cache fails; the copy ends by itself.
pub async fn remove(
    kv: &impl Kv,
    tenant: &TenantId,
    id: &SessionId,
    head: SessionHead,
) -> Result<(), KvError> {
    kv.delete(&KvKey::history(tenant, id, head)).await
}
