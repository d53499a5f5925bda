//! Random calls of the store, each by one tenant, with ids that all tenants share.

mod administration;
mod conversations;
mod requests;
mod retention;
mod widgets;

use clawless_core::tool::{ToolCall, ToolExecution, ToolOutcome};
use clawless_core::{AuditId, Millis, RequestId, SessionId, TenantId};
use clawless_store::audit::AuditEntry;
use clawless_store::idempotency::StoredResponse;

use crate::fixture::{Digest, Fixture};
use crate::random::CallRandom;

/// Makes one call and adds its result to `results`. A call that needs the result of another makes both.
pub(crate) fn call(fixture: &Fixture, tenant: usize, random: &CallRandom, results: &mut Digest) {
    let caller = Caller {
        fixture,
        number: tenant,
        id: &fixture.pools.tenants[tenant],
        random,
    };
    // Percent. Deletions are rare, so that there are rows to cross.
    match random.below(100) {
        0..=29 => caller.commit_turn(results),
        30..=45 => caller.read_messages(results),
        46..=47 => caller.fork(results),
        48..=49 => caller.responses(results),
        50..=64 => caller.sessions(results),
        65..=71 => caller.keys(results),
        72 => caller.widgets(results),
        73..=79 => caller.idempotency(results),
        80..=86 => caller.receipts(results),
        87..=88 => caller.tools(results),
        89..=90 => caller.sends(results),
        91..=93 => caller.audit(results),
        94..=96 => caller.records(results),
        97 => caller.retention(results),
        98 => caller.tenant(results),
        _ => caller.erase(results),
    }
}

struct Caller<'a> {
    fixture: &'a Fixture,
    number: usize,
    id: &'a TenantId,
    random: &'a CallRandom,
}

impl Caller<'_> {
    fn mark(&self) -> String {
        Fixture::mark(self.number)
    }

    fn session(&self) -> &SessionId {
        self.random.choose(&self.fixture.pools.sessions)
    }

    fn request(&self) -> &RequestId {
        self.random.choose(&self.fixture.pools.requests)
    }

    fn execution(&self, session: Option<SessionId>, request: RequestId) -> ToolExecution {
        ToolExecution {
            id: self.random.choose(&self.fixture.pools.executions).clone(),
            tenant_id: self.id.clone(),
            session_id: session,
            request_id: request,
            key_id: Some(self.random.choose(&self.fixture.pools.keys).clone()),
            call: ToolCall {
                id: "call_1".to_owned(),
                name: "time_now".to_owned(),
                arguments: self.mark(),
                ..ToolCall::default()
            },
            outcome: ToolOutcome::Succeeded,
            result: self.mark(),
            started_at: self.random.now,
            duration: Millis::new(12),
        }
    }

    fn response(&self) -> StoredResponse {
        StoredResponse {
            key: self.random.choose(&self.fixture.pools.keys).clone(),
            route: "chat".to_owned(),
            idempotency_key: format!("key-{}", self.random.below(8)),
            response: self.mark(),
        }
    }

    fn entry(&self, action: &'static str) -> AuditEntry {
        AuditEntry {
            id: AuditId::generate(self.random.now, &self.random.entropy),
            at: self.random.now,
            actor: "adm_operator".to_owned(),
            action,
            target: Some(self.mark()),
            before: None,
            after: None,
            request_id: self.request().clone(),
        }
    }
}
