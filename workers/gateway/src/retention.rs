//! Deletes what has expired: sessions past their own expiry, and what is older than a tenant keeps.
//!
//! Expired sessions are invisible from the moment of their expiry; this frees their storage. One run
//! works in steps of [`MAX_ROWS`] rows until its time is over, and the next run continues.

use std::collections::BTreeMap;

use clawless_core::ledger::Input;
use clawless_core::time::{Clock, Millis, Timestamp};
use clawless_core::{SessionId, TenantId};
use clawless_edge::ledger::{Ledger, LedgerError};
use clawless_store::expiry::{self, ExpiredSession, RetainingTenant};
use clawless_store::{Kv, Sql, SqlError, hot};

/// The most rows of one statement.
const MAX_ROWS: u32 = 200;
/// The most sessions of one step.
const MAX_SESSIONS: u32 = 100;
/// The tenants that are read at once.
const MAX_TENANTS: u32 = 100;
/// How long a run may take. A cron trigger may run for 15 minutes.
pub const RUN_TIME: Millis = Millis::from_secs(5 * 60);
/// The most steps of one run: an invocation may make 1,000 calls, and a step makes up to three.
const MAX_STEPS: u32 = 250;
/// How long after its last change a session may have a cached copy: the longest turn, and the TTL.
const COPY_LIFETIME: Millis = Millis::from_secs(60 * 60);

/// The length of so many days.
const fn days(count: u32) -> Millis {
    Millis::from_secs(24 * 60 * 60 * count as u64)
}

/// The work failed; the next run repeats it.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The database failed.
    #[error("{}", .0.internal())]
    Sql(#[from] SqlError),
    /// A tenant's ledger did not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The ports of the cleanup.
#[derive(Debug)]
pub struct Cleanup<'a, S, K, L, C> {
    /// The database.
    pub sql: &'a S,
    /// The cache.
    pub kv: &'a K,
    /// The tenants' ledgers.
    pub ledger: &'a L,
    /// The clock.
    pub clock: &'a C,
}

/// What a run deleted of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Deleted {
    sessions: usize,
    turns: usize,
    executions: usize,
}

/// The limits and results of a run.
struct Run {
    end: Timestamp,
    steps: u32,
    deleted: BTreeMap<TenantId, Deleted>,
}

impl Run {
    /// Counts a step; `false` if the run is over.
    fn may_continue(&mut self, now: Timestamp) -> bool {
        self.steps += 1;
        self.steps <= MAX_STEPS && now < self.end
    }

    fn of(&mut self, tenant: &TenantId) -> &mut Deleted {
        self.deleted.entry(tenant.clone()).or_default()
    }
}

impl<S: Sql, K: Kv, L: Ledger, C: Clock> Cleanup<'_, S, K, L, C> {
    /// Deletes what has expired, until everything is deleted or the time is over. Returns whether
    /// everything is.
    ///
    /// # Errors
    /// If the database or a ledger fails; what is deleted stays deleted.
    pub async fn run(&self) -> Result<bool, RetentionError> {
        let mut run = Run {
            end: self.clock.now().plus(RUN_TIME),
            steps: 0,
            deleted: BTreeMap::new(),
        };
        let outcome = self.delete_all(&mut run).await;
        for (tenant, deleted) in &run.deleted {
            tracing::info!(
                tenant = tenant.as_str(),
                sessions = deleted.sessions,
                turns = deleted.turns,
                executions = deleted.executions,
                "expired data deleted"
            );
        }
        if matches!(outcome, Ok(false)) {
            tracing::warn!(steps = run.steps, "deletion of expired data not finished");
        }
        outcome
    }

    async fn delete_all(&self, run: &mut Run) -> Result<bool, RetentionError> {
        if !self.delete_by_own_expiry(run).await? {
            return Ok(false);
        }
        let mut after: Option<TenantId> = None;
        loop {
            let tenants = expiry::tenants_across_tenants(self.sql, after.as_ref(), MAX_TENANTS);
            let tenants = tenants.await?;
            for tenant in &tenants {
                if !self.delete_by_retention(tenant, run).await? {
                    return Ok(false);
                }
            }
            match tenants.into_iter().next_back() {
                Some(last) => after = Some(last.id),
                None => return Ok(true),
            }
        }
    }

    /// Deletes the sessions whose own expiry has passed.
    async fn delete_by_own_expiry(&self, run: &mut Run) -> Result<bool, RetentionError> {
        loop {
            let now = self.clock.now();
            if !run.may_continue(now) {
                return Ok(false);
            }
            let found = expiry::sessions_across_tenants(self.sql, now, MAX_SESSIONS).await?;
            if found.is_empty() {
                return Ok(true);
            }
            let mut by_tenant: BTreeMap<TenantId, Vec<ExpiredSession>> = BTreeMap::new();
            for row in found {
                by_tenant.entry(row.tenant).or_default().push(row.session);
            }
            for (tenant, sessions) in by_tenant {
                if !self.delete_sessions(&tenant, &sessions, run).await? {
                    return Ok(false);
                }
            }
        }
    }

    /// Deletes what is older than a tenant keeps.
    async fn delete_by_retention(
        &self,
        tenant: &RetainingTenant,
        run: &mut Run,
    ) -> Result<bool, RetentionError> {
        let id = &tenant.id;
        let cutoff = self.clock.now().minus(days(tenant.days));
        loop {
            let now = self.clock.now();
            if !run.may_continue(now) {
                return Ok(false);
            }
            let idle = expiry::idle_sessions(self.sql, id, cutoff, now, MAX_SESSIONS).await?;
            if idle.is_empty() {
                break;
            }
            if !self.delete_sessions(id, &idle, run).await? {
                return Ok(false);
            }
        }
        let forget = async |sessions: &[SessionId]| self.forget(id, sessions.to_vec()).await;
        loop {
            if !run.may_continue(self.clock.now()) {
                return Ok(false);
            }
            let turns = expiry::delete_old_turns(self.sql, id, cutoff, MAX_ROWS, forget).await?;
            run.of(id).turns += turns;
            if turns < MAX_ROWS as usize {
                break;
            }
        }
        loop {
            if !run.may_continue(self.clock.now()) {
                return Ok(false);
            }
            let deleted = expiry::delete_old_records(self.sql, id, cutoff, MAX_ROWS).await?;
            run.of(id).executions += deleted.executions;
            if deleted.executions.max(deleted.sends) < MAX_ROWS as usize {
                break;
            }
        }
        if *run.of(id) == Deleted::default() {
            run.deleted.remove(id);
        }
        Ok(true)
    }

    /// Deletes expired sessions of a tenant with everything that belongs to them. `false` if the run
    /// is over.
    async fn delete_sessions(
        &self,
        tenant: &TenantId,
        sessions: &[ExpiredSession],
        run: &mut Run,
    ) -> Result<bool, RetentionError> {
        let ids: Vec<SessionId> = sessions.iter().map(|session| session.id.clone()).collect();
        loop {
            let now = self.clock.now();
            if !run.may_continue(now) {
                return Ok(false);
            }
            let turns = expiry::delete_turns(self.sql, tenant, &ids, now, MAX_ROWS).await?;
            run.of(tenant).turns += turns;
            if turns < MAX_ROWS as usize {
                break;
            }
        }
        loop {
            let now = self.clock.now();
            if !run.may_continue(now) {
                return Ok(false);
            }
            let deleted = expiry::delete_executions(self.sql, tenant, &ids, now, MAX_ROWS).await?;
            run.of(tenant).executions += deleted;
            if deleted < MAX_ROWS as usize {
                break;
            }
        }
        let now = self.clock.now();
        let deleted = expiry::delete_sessions(self.sql, tenant, &ids, now).await;
        // Even after an error: the database may have committed although its response was lost.
        self.forget(tenant, ids).await?;
        run.of(tenant).sessions += deleted?.len();
        self.remove_copies(tenant, sessions, now).await;
        Ok(true)
    }

    /// Removes the cached copies of recently used sessions. Best effort: no turn reads them.
    async fn remove_copies(&self, tenant: &TenantId, sessions: &[ExpiredSession], now: Timestamp) {
        let is_recent = |at: Timestamp| now.since(at) < COPY_LIFETIME;
        for session in sessions.iter().filter(|it| is_recent(it.updated_at)) {
            let removed = hot::remove(self.kv, tenant, &session.id, session.head).await;
            if let Err(error) = removed {
                tracing::info!(internal = error.internal, "remove cached session failed");
            }
        }
    }

    /// Makes the ledger forget the heads of sessions and count the stored content.
    async fn forget(
        &self,
        tenant: &TenantId,
        session_ids: Vec<SessionId>,
    ) -> Result<(), RetentionError> {
        let input = Input::ForgetAll { session_ids };
        self.ledger.call(tenant, input).await?;
        Ok(())
    }
}
