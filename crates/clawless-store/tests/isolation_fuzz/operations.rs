//! Random calls of the store, each by one tenant, with ids that all tenants share.

use clawless_core::chat::{FinishReason, Message, Role, Usage};
use clawless_core::keys::KeyText;
use clawless_core::ledger::{Amounts, Period, Receipt};
use clawless_core::session::{Change, NewSession, SessionHead};
use clawless_core::tool::{CallForm, ToolCall, ToolExecution, ToolOutcome};
use clawless_core::{
    ApiKey, AuditId, KeyKind, MicroDollars, Millis, Provenance, RequestId, Scopes, SessionId,
    Tenant, TenantId, Tokens,
};
use clawless_store::audit::{self, AuditEntry};
use clawless_store::idempotency::{self, ClaimRequest, StoredResponse};
use clawless_store::messages::{self, HistoryBudget, Range, SortOrder};
use clawless_store::sends::{self, NewSend};
use clawless_store::sessions::{self, Filter, SessionLookup};
use clawless_store::turns::{self, NewMessage, NewTurn, TurnStatus};
use clawless_store::{
    api_keys, erasure, health, receipts, records, tenants, tool_executions, usage,
};
use clawless_testkit::block_on;

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
        30..=49 => caller.read_messages(results),
        50..=64 => caller.sessions(results),
        65..=72 => caller.keys(results),
        73..=79 => caller.idempotency(results),
        80..=86 => caller.receipts(results),
        87..=88 => caller.tools(results),
        89..=90 => caller.sends(results),
        91..=93 => caller.audit(results),
        94..=97 => caller.records(results),
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

    fn commit_turn(&self, results: &mut Digest) {
        let (sql, session) = (&self.fixture.database, self.session());
        let lookup = block_on(sessions::look_up(sql, self.id, session, self.random.now));
        results.add(&lookup);
        let head = match lookup.expect("succeeds") {
            SessionLookup::Found(session) => session.head,
            SessionLookup::Free { head } => head,
        };
        // One in eight may be too late.
        let expected = if self.random.below(8) == 0 {
            SessionHead::EMPTY
        } else {
            head
        };
        let turn = self.turn(session, expected);
        results.add(&block_on(turns::commit(sql, self.id, &turn)));
    }

    fn turn(&self, session: &SessionId, expected: SessionHead) -> NewTurn {
        let random = self.random;
        let count = if random.below(10) == 0 { 9 } else { 2 };
        let message = |position: u64| NewMessage {
            id: random.choose(&self.fixture.pools.messages).clone(),
            message: Message::text(
                if position.is_multiple_of(2) {
                    Role::User
                } else {
                    Role::Assistant
                },
                &format!("{} message {position}", self.mark()),
            )
            .expect("a message"),
        };
        let request = self.request().clone();
        let executions = if random.below(4) == 0 {
            vec![self.execution(Some(session.clone()), request.clone())]
        } else {
            Vec::new()
        };
        NewTurn {
            session: session.clone(),
            expected,
            key: Some(random.choose(&self.fixture.pools.keys).clone()),
            status: TurnStatus::Complete,
            finish_reason: Some(FinishReason::Stop),
            model: self.mark(),
            provider: "local".to_owned(),
            usage: Usage::of(20, 5),
            cost: MicroDollars::new(7),
            provenance: Provenance::Provider,
            stored_tokens: Tokens::new(10),
            messages: (0..count).map(message).collect(),
            executions,
            send: (random.below(10) == 0).then(|| random.choose(&self.fixture.pools.sends).clone()),
            created_at: random.now,
            response: random.coin().then(|| self.response()),
            request,
        }
    }

    fn execution(&self, session: Option<SessionId>, request: RequestId) -> ToolExecution {
        ToolExecution {
            id: self.random.choose(&self.fixture.pools.executions).clone(),
            tenant_id: self.id.clone(),
            session_id: session,
            request_id: request,
            call: ToolCall {
                form: CallForm::default(),
                id: "call_1".to_owned(),
                name: "time_now".to_owned(),
                arguments: self.mark(),
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

    fn read_messages(&self, results: &mut Digest) {
        let (sql, tenant, session) = (&self.fixture.database, self.id, self.session());
        let id = self.random.choose(&self.fixture.pools.messages);
        match self.random.below(6) {
            0 => {
                let budget = HistoryBudget {
                    turns: 5,
                    bytes: 600,
                };
                let head = SessionHead::new(1 << 40);
                results.add(&block_on(messages::history(
                    sql, tenant, session, head, budget,
                )));
            }
            1 => {
                let range = Range::default();
                let order = if self.random.coin() {
                    SortOrder::Forward
                } else {
                    SortOrder::Backward
                };
                results.add(&block_on(messages::page(
                    sql, tenant, session, range, order, 5,
                )));
            }
            2 => {
                let turn = SessionHead::new(1 + self.random.below(6));
                results.add(&block_on(messages::of_turn(sql, tenant, session, turn)));
            }
            3 => results.add(&block_on(messages::position(sql, tenant, session, id))),
            4 => results.add(&block_on(messages::remove(
                sql,
                tenant,
                session,
                id,
                self.random.now,
            ))),
            _ => results.add(&block_on(turns::find_by_request(
                sql,
                tenant,
                self.request(),
            ))),
        }
    }

    fn sessions(&self, results: &mut Digest) {
        let (sql, tenant, session, now) = (
            &self.fixture.database,
            self.id,
            self.session(),
            self.random.now,
        );
        let expires_at = self.random.coin().then(|| now.plus(Millis::from_secs(50)));
        match self.random.below(12) {
            0..=3 => {
                let new = NewSession {
                    title: Some(self.mark()),
                    expires_at,
                    ..NewSession::default()
                };
                results.add(&block_on(sessions::create(sql, tenant, session, &new, now)));
            }
            4..=6 => {
                let change = Change {
                    title: Some(Some(self.mark())),
                    expires_at: Some(expires_at),
                    ..Change::default()
                };
                results.add(&block_on(sessions::update(
                    sql, tenant, session, &change, now,
                )));
            }
            7..=8 => results.add(&block_on(sessions::find(sql, tenant, session, now))),
            9 => {
                let filter = Filter {
                    title: self.random.coin().then(|| "mark".to_owned()),
                    ..Filter::default()
                };
                results.add(&block_on(sessions::page(
                    sql, tenant, &filter, None, 4, now,
                )));
            }
            10 => results.add(&block_on(sessions::reset(sql, tenant, session, now))),
            _ => results.add(&block_on(sessions::delete(sql, tenant, session, now))),
        }
    }

    fn keys(&self, results: &mut Digest) {
        let (sql, tenant, now) = (&self.fixture.database, self.id, self.random.now);
        let id = self.random.choose(&self.fixture.pools.keys);
        let digest = KeyText::generate(KeyKind::Secret, &self.random.entropy).digest();
        let audit_entry = self.entry("key");
        let found = block_on(api_keys::find(sql, tenant, id));
        results.add(&found);
        match (found.expect("succeeds"), self.random.below(5)) {
            (None, 0) => {
                let key = self.key();
                results.add(&block_on(api_keys::insert(sql, tenant, &key, digest)));
            }
            (None, _) => {
                let key = self.key();
                results.add(&block_on(api_keys::mint(
                    sql,
                    tenant,
                    &key,
                    digest,
                    &audit_entry,
                )));
            }
            (Some(old), 1) => {
                let new = self.key();
                let rotate =
                    api_keys::rotate(sql, tenant, &old.key, now, (&new, digest), &audit_entry);
                results.add(&block_on(rotate));
            }
            (Some(old), 2) => {
                results.add(&block_on(api_keys::revoke(
                    sql,
                    tenant,
                    &old.key,
                    now,
                    &audit_entry,
                )));
            }
            (_, 3) => results.add(&block_on(api_keys::record_uses(
                sql,
                tenant,
                &[(id.clone(), now)],
            ))),
            (_, 4) => results.add(&block_on(api_keys::find_with_tenant(sql, tenant, id))),
            _ => results.add(&block_on(api_keys::list(sql, tenant, None, 20))),
        }
    }

    fn key(&self) -> ApiKey {
        ApiKey {
            id: self.random.choose(&self.fixture.pools.keys).clone(),
            tenant_id: self.id.clone(),
            kind: KeyKind::Secret,
            name: self.mark(),
            scopes: Scopes::all(),
            allowed_origins: Vec::new(),
            expires_at: None,
            revoked_at: None,
            version: 1,
            created_at: self.random.now,
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

    fn idempotency(&self, results: &mut Digest) {
        let (sql, tenant, now) = (&self.fixture.database, self.id, self.random.now);
        let (response, request) = (self.response(), self.request());
        let claim_key = idempotency::ClaimKey {
            key: &response.key,
            route: &response.route,
            idempotency_key: &response.idempotency_key,
        };
        match self.random.below(6) {
            0 => results.add(&block_on(idempotency::finish(
                sql, tenant, request, &response,
            ))),
            1 => results.add(&block_on(idempotency::release(
                sql, tenant, claim_key, request,
            ))),
            _ => {
                let body_digest = idempotency::digest(None, &[u8::from(self.random.coin())]);
                let new = ClaimRequest {
                    body_digest: &body_digest,
                    request,
                    now,
                    deadline: now.plus(Millis::from_secs(100)),
                    dead: None,
                };
                results.add(&block_on(idempotency::claim(sql, tenant, claim_key, new)));
            }
        }
    }

    fn receipts(&self, results: &mut Digest) {
        let (sql, tenant, now) = (&self.fixture.database, self.id, self.random.now);
        let request = self.request();
        match self.random.below(6) {
            0 => results.add(&block_on(receipts::is_stored(sql, tenant, request))),
            1 => results.add(&block_on(receipts::charged(sql, tenant, Period::of(now)))),
            2 => {
                let span = (now.minus(Millis::from_secs(3600)), now);
                results.add(&block_on(usage::by_day_model_and_key(sql, tenant, span)));
            }
            _ => {
                let amounts = Amounts {
                    messages: 1,
                    tokens: Tokens::new(self.random.below(1000)),
                    micro_dollars: MicroDollars::new(3),
                };
                let receipt = Receipt {
                    request_id: request.clone(),
                    revision: u32::try_from(self.random.below(4)).expect("fits"),
                    key_id: self.random.choose(&self.fixture.pools.keys).clone(),
                    session_id: Some(self.session().clone()),
                    model: self.mark(),
                    period: Period::of(now),
                    granted_at: now,
                    closed_at: now,
                    reserved: amounts,
                    charged: amounts,
                    tokens_in: amounts.tokens,
                    tokens_out: Tokens::ZERO,
                    provenance: Provenance::Provider,
                    replaces: None,
                };
                results.add(&block_on(receipts::store(sql, tenant, &[receipt])));
            }
        }
    }

    fn tools(&self, results: &mut Digest) {
        let (sql, tenant) = (&self.fixture.database, self.id);
        if self.random.coin() {
            let execution = self.execution(None, self.request().clone());
            results.add(&block_on(tool_executions::record(
                sql,
                tenant,
                &[execution],
            )));
        } else {
            let session = self.session();
            results.add(&block_on(tool_executions::list(
                sql, tenant, session, None, 5,
            )));
        }
    }

    fn sends(&self, results: &mut Digest) {
        let (sql, tenant, now) = (&self.fixture.database, self.id, self.random.now);
        let (id, request) = (
            self.random.choose(&self.fixture.pools.sends),
            self.request(),
        );
        match self.random.below(8) {
            0..=2 => {
                let message = self.mark();
                let new = NewSend {
                    id,
                    session: self.session(),
                    key: self.random.choose(&self.fixture.pools.keys),
                    origin: request.as_str(),
                    path: &[],
                    hops: 1,
                    message: &message,
                };
                results.add(&block_on(sends::accept(sql, tenant, new, now)));
            }
            3 => results.add(&block_on(sends::find(sql, tenant, id))),
            4..=5 => {
                let claimed = block_on(sends::claim(sql, tenant, id, request, None, now));
                results.add(&claimed);
                if self.random.coin() {
                    let release = sends::release(sql, tenant, id, request, "conflict", now);
                    results.add(&block_on(release));
                }
            }
            6 => {
                let request = self.request();
                results.add(&block_on(sends::fail(
                    sql, tenant, id, request, "conflict", now,
                )));
            }
            _ => results.add(&block_on(sends::give_up(sql, tenant, id, "conflict", now))),
        }
    }

    fn audit(&self, results: &mut Digest) {
        let (sql, tenant) = (&self.fixture.database, self.id);
        if self.random.below(4) == 0 {
            results.add(&block_on(audit::record(
                sql,
                tenant,
                &self.entry("session.read"),
            )));
        } else {
            results.add(&block_on(audit::list(sql, tenant, None, 5)));
        }
    }

    fn records(&self, results: &mut Digest) {
        let (sql, tenant, session) = (&self.fixture.database, self.id, self.session());
        match self.random.below(20) {
            0 => {
                let from = self
                    .random
                    .choose(&["tenant:", "turns:[\"chat:3\",2]", "receipts:"]);
                let from = from.parse().expect("a position");
                results.add(&block_on(records::export(sql, tenant, from)));
            }
            1..=6 => results.add(&block_on(records::sessions(sql, tenant, None, 4))),
            7..=12 => results.add(&block_on(records::session(sql, tenant, session))),
            _ => results.add(&block_on(records::messages(sql, tenant, session, None, 4))),
        }
        results.add(&block_on(health::check(sql)));
    }

    fn tenant(&self, results: &mut Digest) {
        let (sql, tenant) = (&self.fixture.database, self.id);
        let found = block_on(tenants::find(sql, tenant));
        results.add(&found);
        let record = match found.expect("succeeds") {
            Some(record) => Tenant {
                version: record.version + 1,
                ..record
            },
            None => self.fixture.tenant(self.number, 1),
        };
        let audit_entry = self.entry("tenant");
        if self.random.coin() {
            results.add(&block_on(tenants::update(sql, &record, &audit_entry)));
        } else {
            // Conflicts unless the tenant was deleted before.
            results.add(&block_on(tenants::create(sql, &record, &audit_entry)));
        }
    }

    fn erase(&self, results: &mut Digest) {
        let (sql, tenant, now) = (&self.fixture.database, self.id, self.random.now);
        match self.random.below(8) {
            0 => {
                while !block_on(erasure::erase_rows(sql, tenant, 50, 100)).expect("succeeds") {}
                let deleted = block_on(erasure::delete_tenant(
                    sql,
                    tenant,
                    &self.entry("tenant.delete"),
                ));
                results.add(&deleted);
                if self.random.below(4) != 0 {
                    let record = self.fixture.tenant(self.number, 1);
                    results.add(&block_on(tenants::create(
                        sql,
                        &record,
                        &self.entry("tenant.create"),
                    )));
                }
            }
            1..=2 => {
                let (start, last) = (self.session().as_str(), self.session());
                results.add(&block_on(erasure::session_ids(sql, tenant, start, 3)));
                let delete = erasure::delete_sessions(sql, tenant, start, last, now);
                results.add(&block_on(delete));
            }
            3 => results.add(&block_on(erasure::erase_sessionless_rows(
                sql, tenant, 3, 10,
            ))),
            _ => results.add(&block_on(erasure::erase_rows(sql, tenant, 1, 3))),
        }
    }
}
