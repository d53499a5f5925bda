//! Deletes what has expired: sessions past their own expiry, and what is older than a tenant keeps.
//!
//! Expired sessions are invisible from the moment of their expiry; this frees their storage. One run
//! works in steps of [`MAX_ROWS`] rows until its time or its steps are over, and the next run
//! continues. Tenants take turns: one with much to delete, or whose ledger fails, delays no other.

use std::collections::{BTreeMap, VecDeque};

use clawless_core::ledger::Input;
use clawless_core::time::{Clock, Millis, Timestamp};
use clawless_core::{SessionId, TenantId};
use clawless_edge::ledger::{Ledger, LedgerError};
use clawless_edge::logging;
use clawless_store::expiry::{self, ExpiredSession, RetainingTenant};
use clawless_store::{Kv, Sql, SqlError, hot};
use tracing::Instrument;

/// The most rows of one statement.
const MAX_ROWS: u32 = 200;
/// The most sessions of one step.
const MAX_SESSIONS: u32 = 100;
/// The tenants that are read at once.
const MAX_TENANTS: u32 = 1000;
/// How long a run may take. A cron trigger may run for 15 minutes.
pub const RUN_TIME: Millis = Millis::from_secs(5 * 60);
/// The most steps of one run: an invocation may make 1,000 calls, and a step makes up to three.
const MAX_STEPS: u32 = 250;
/// The time that sessions past their own expiry may take of a run.
const OWN_EXPIRY_TIME: Millis = Millis::from_secs(150);
/// The steps that they may take.
const MAX_OWN_EXPIRY_STEPS: u32 = 100;
/// How many tenants further each hour's run starts: at most the number that every run visits, as a
/// visit has up to five steps. A prime, so that the runs of later cycles start at other tenants.
const TENANTS_PER_HOUR: u64 = 29;
/// The pause between two runs.
const HOUR: Millis = Millis::from_secs(60 * 60);
/// How long after its last change a session may have a cached copy: the longest turn, and the TTL.
const COPY_LIFETIME: Millis = Millis::from_secs(60 * 60);

/// The length of so many days.
const fn days(count: u32) -> Millis {
    Millis::from_secs(24 * 60 * 60 * count as u64)
}

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
enum StepError {
    /// The time or the steps are over.
    #[error("the run is over")]
    Over,
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
    /// When the current part ends.
    end: Timestamp,
    /// The steps that are left to the current part.
    steps_left: u32,
    steps: u32,
    deleted: BTreeMap<TenantId, Deleted>,
    /// Tenants whose deletion failed. The next run repeats it.
    failed: Vec<TenantId>,
}

impl Run {
    /// Counts a step, unless the current part is over.
    fn step(&mut self, now: Timestamp) -> Result<(), StepError> {
        if self.steps_left == 0 || now >= self.end {
            return Err(StepError::Over);
        }
        self.steps_left -= 1;
        self.steps += 1;
        Ok(())
    }

    fn of(&mut self, tenant: &TenantId) -> &mut Deleted {
        self.deleted.entry(tenant.clone()).or_default()
    }

    /// Logs a tenant's error and ends the work for this tenant.
    fn fail(&mut self, tenant: TenantId, error: &StepError) {
        tracing::error!(
            tenant = tenant.as_str(),
            %error,
            "delete expired data of tenant failed"
        );
        self.failed.push(tenant);
    }
}

impl<S: Sql, K: Kv, L: Ledger, C: Clock> Cleanup<'_, S, K, L, C> {
    /// Deletes what has expired, until everything is deleted or the run is over. Returns whether
    /// everything is. An error of one tenant is logged, and the others continue.
    ///
    /// # Errors
    /// If the database cannot be searched; what is deleted stays deleted.
    pub async fn run(&self) -> Result<bool, SqlError> {
        let start = self.clock.now();
        let mut run = Run {
            end: start.plus(OWN_EXPIRY_TIME),
            steps_left: MAX_OWN_EXPIRY_STEPS,
            steps: 0,
            deleted: BTreeMap::new(),
            failed: Vec::new(),
        };
        let by_own_expiry = self.delete_by_own_expiry(&mut run).await;
        run.end = start.plus(RUN_TIME);
        run.steps_left = MAX_STEPS - run.steps;
        let by_retention = self.delete_by_retention(&mut run).await;
        for (tenant, deleted) in &run.deleted {
            if *deleted == Deleted::default() {
                continue;
            }
            tracing::info!(
                tenant = tenant.as_str(),
                sessions = deleted.sessions,
                turns = deleted.turns,
                executions = deleted.executions,
                "expired data deleted"
            );
        }
        let (by_own_expiry, by_retention) = (by_own_expiry?, by_retention?);
        let is_finished = by_own_expiry && by_retention && run.failed.is_empty();
        if !is_finished {
            tracing::warn!(steps = run.steps, "deletion of expired data not finished");
        }
        Ok(is_finished)
    }

    /// Deletes the sessions whose own expiry has passed. A tenant with more than one step deletes
    /// waits until the others had theirs.
    async fn delete_by_own_expiry(&self, run: &mut Run) -> Result<bool, SqlError> {
        let mut served: Vec<TenantId> = Vec::new();
        loop {
            let now = self.clock.now();
            if run.step(now).is_err() {
                return Ok(false);
            }
            let except = [served.as_slice(), &run.failed].concat();
            let found = expiry::sessions_across_tenants(self.sql, now, &except, MAX_SESSIONS);
            let found = found.await?;
            if found.is_empty() {
                if served.is_empty() {
                    return Ok(true);
                }
                served.clear();
            }
            let mut by_tenant: BTreeMap<TenantId, Vec<ExpiredSession>> = BTreeMap::new();
            for row in found {
                by_tenant.entry(row.tenant).or_default().push(row.session);
            }
            for (tenant, sessions) in by_tenant {
                let span = logging::work_span(None, Some(&tenant));
                let deleting = self.delete_sessions(&tenant, &sessions, run);
                match deleting.instrument(span).await {
                    Ok(_) => served.push(tenant),
                    Err(StepError::Over) => return Ok(false),
                    Err(error) => run.fail(tenant, &error),
                }
            }
        }
    }

    /// Deletes what is older than the tenants keep. Each run starts at another tenant. A tenant with
    /// more than one visit deletes waits until the others had theirs.
    async fn delete_by_retention(&self, run: &mut Run) -> Result<bool, SqlError> {
        let mut tenants = self.retaining_tenants().await?;
        while let Some(tenant) = tenants.pop_front() {
            if run.failed.contains(&tenant.id) {
                continue;
            }
            let span = logging::work_span(None, Some(&tenant.id));
            match self.visit(&tenant, run).instrument(span).await {
                Ok(true) => {}
                Ok(false) => tenants.push_back(tenant),
                Err(StepError::Over) => return Ok(false),
                Err(error) => run.fail(tenant.id, &error),
            }
        }
        Ok(true)
    }

    /// All tenants that keep messages for a limited time, from the one at which this hour starts.
    async fn retaining_tenants(&self) -> Result<VecDeque<RetainingTenant>, SqlError> {
        let mut all = VecDeque::new();
        loop {
            let after = all.back().map(|tenant: &RetainingTenant| &tenant.id);
            let page = expiry::tenants_across_tenants(self.sql, after, MAX_TENANTS).await?;
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        let hour = self.clock.now().as_millis() / HOUR.get();
        let start = (hour * TENANTS_PER_HOUR).checked_rem(all.len() as u64);
        all.rotate_left(
            start
                .and_then(|start| usize::try_from(start).ok())
                .unwrap_or(0),
        );
        Ok(all)
    }

    /// Deletes one step of everything that is older than a tenant keeps. Returns whether that was
    /// all.
    async fn visit(&self, tenant: &RetainingTenant, run: &mut Run) -> Result<bool, StepError> {
        let id = &tenant.id;
        let now = self.clock.now();
        let cutoff = now.minus(days(tenant.days));
        run.step(now)?;
        let idle = expiry::idle_sessions(self.sql, id, cutoff, now, MAX_SESSIONS).await?;
        let mut is_last = idle.len() < MAX_SESSIONS as usize;
        if !idle.is_empty() {
            is_last &= self.delete_sessions(id, &idle, run).await?;
        }
        run.step(self.clock.now())?;
        let forget = async |sessions: &[SessionId]| self.forget(id, sessions.to_vec()).await;
        let turns = expiry::delete_old_turns(self.sql, id, cutoff, MAX_ROWS, forget).await?;
        run.of(id).turns += turns;
        run.step(self.clock.now())?;
        let deleted = expiry::delete_old_records(self.sql, id, cutoff, MAX_ROWS).await?;
        run.of(id).executions += deleted.executions;
        let most = turns.max(deleted.executions).max(deleted.sends);
        Ok(is_last && most < MAX_ROWS as usize)
    }

    /// Deletes expired sessions of a tenant with everything that belongs to them, or one step of it.
    /// Returns whether that was all.
    async fn delete_sessions(
        &self,
        tenant: &TenantId,
        sessions: &[ExpiredSession],
        run: &mut Run,
    ) -> Result<bool, StepError> {
        let ids: Vec<SessionId> = sessions.iter().map(|session| session.id.clone()).collect();
        let now = self.clock.now();
        run.step(now)?;
        let turns = expiry::delete_turns(self.sql, tenant, &ids, now, MAX_ROWS).await?;
        run.of(tenant).turns += turns;
        let now = self.clock.now();
        run.step(now)?;
        let executions = expiry::delete_executions(self.sql, tenant, &ids, now, MAX_ROWS).await?;
        run.of(tenant).executions += executions;
        if turns.max(executions) >= MAX_ROWS as usize {
            return Ok(false);
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
    ) -> Result<(), StepError> {
        let input = Input::ForgetAll { session_ids };
        self.ledger.call(tenant, input).await?;
        Ok(())
    }
}
