//! The store's calls, drawn by dice: each by one tenant, under names that all of them use.

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
use clawless_store::idempotency::{self, Bid, Kept};
use clawless_store::messages::{self, HistoryBudget, Range, SortOrder};
use clawless_store::sends::{self, NewSend};
use clawless_store::sessions::{self, Filter, SessionLookup};
use clawless_store::turns::{self, NewMessage, NewTurn, TurnStatus};
use clawless_store::{
    api_keys, erasure, health, receipts, records, tenants, tool_executions, usage,
};
use clawless_testkit::block_on;

use crate::dice::Dice;
use crate::world::{Digest, World};

/// One call, and what it gave. Where a call needs what another gives, both are made.
pub(crate) fn call(world: &World, tenant: usize, dice: &Dice, said: &mut Digest) {
    let caller = Caller {
        world,
        number: tenant,
        id: &world.pools.tenants[tenant],
        dice,
    };
    // Out of 100; what empties the database is rare, so that there is something to cross.
    match dice.below(100) {
        0..=29 => caller.talk(said),
        30..=49 => caller.read_messages(said),
        50..=64 => caller.sessions(said),
        65..=72 => caller.keys(said),
        73..=79 => caller.idempotency(said),
        80..=86 => caller.receipts(said),
        87..=88 => caller.tools(said),
        89..=90 => caller.sends(said),
        91..=93 => caller.audit(said),
        94..=97 => caller.records(said),
        98 => caller.tenant(said),
        _ => caller.erase(said),
    }
}

struct Caller<'a> {
    world: &'a World,
    number: usize,
    id: &'a TenantId,
    dice: &'a Dice,
}

impl Caller<'_> {
    fn mark(&self) -> String {
        World::mark(self.number)
    }

    fn session(&self) -> &SessionId {
        self.dice.one(&self.world.pools.sessions)
    }

    fn request(&self) -> &RequestId {
        self.dice.one(&self.world.pools.requests)
    }

    fn talk(&self, said: &mut Digest) {
        let (sql, session) = (&self.world.database, self.session());
        let place = block_on(sessions::look_up(sql, self.id, session, self.dice.now));
        said.note(&place);
        let head = match place.expect("runs") {
            SessionLookup::Found(session) => session.head,
            SessionLookup::Free { head } => head,
        };
        // Now and then one that comes too late.
        let expected = if self.dice.below(8) == 0 {
            SessionHead::EMPTY
        } else {
            head
        };
        let turn = self.turn(session, expected);
        said.note(&block_on(turns::commit(sql, self.id, &turn)));
    }

    fn turn(&self, session: &SessionId, expected: SessionHead) -> NewTurn {
        let dice = self.dice;
        let count = if dice.below(10) == 0 { 9 } else { 2 };
        let message = |at: u64| NewMessage {
            id: dice.one(&self.world.pools.messages).clone(),
            message: Message::text(
                if at.is_multiple_of(2) {
                    Role::User
                } else {
                    Role::Assistant
                },
                &format!("{} says {at}", self.mark()),
            )
            .expect("a message"),
        };
        let request = self.request().clone();
        let executions = if dice.below(4) == 0 {
            vec![self.execution(Some(session.clone()), request.clone())]
        } else {
            Vec::new()
        };
        NewTurn {
            session: session.clone(),
            expected,
            key: Some(dice.one(&self.world.pools.keys).clone()),
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
            send: (dice.below(10) == 0).then(|| dice.one(&self.world.pools.sends).clone()),
            created_at: dice.now,
            kept: dice.is_heads().then(|| self.kept()),
            request,
        }
    }

    fn execution(&self, session: Option<SessionId>, request: RequestId) -> ToolExecution {
        ToolExecution {
            id: self.dice.one(&self.world.pools.executions).clone(),
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
            started_at: self.dice.now,
            duration: Millis::new(12),
        }
    }

    fn kept(&self) -> Kept {
        Kept {
            key: self.dice.one(&self.world.pools.keys).clone(),
            route: "chat".to_owned(),
            idempotency_key: format!("again-{}", self.dice.below(8)),
            answer: self.mark(),
        }
    }

    fn read_messages(&self, said: &mut Digest) {
        let (sql, tenant, session) = (&self.world.database, self.id, self.session());
        let id = self.dice.one(&self.world.pools.messages);
        match self.dice.below(6) {
            0 => {
                let budget = HistoryBudget {
                    turns: 5,
                    bytes: 600,
                };
                let head = SessionHead::new(1 << 40);
                said.note(&block_on(messages::history(
                    sql, tenant, session, head, budget,
                )));
            }
            1 => {
                let range = Range::default();
                let order = if self.dice.is_heads() {
                    SortOrder::Forward
                } else {
                    SortOrder::Backward
                };
                said.note(&block_on(messages::page(
                    sql, tenant, session, range, order, 5,
                )));
            }
            2 => {
                let turn = SessionHead::new(1 + self.dice.below(6));
                said.note(&block_on(messages::of_turn(sql, tenant, session, turn)));
            }
            3 => said.note(&block_on(messages::place(sql, tenant, session, id))),
            4 => said.note(&block_on(messages::remove(
                sql,
                tenant,
                session,
                id,
                self.dice.now,
            ))),
            _ => said.note(&block_on(turns::find_by_request(
                sql,
                tenant,
                self.request(),
            ))),
        }
    }

    fn sessions(&self, said: &mut Digest) {
        let (sql, tenant, session, now) =
            (&self.world.database, self.id, self.session(), self.dice.now);
        let ends = self
            .dice
            .is_heads()
            .then(|| now.plus(Millis::from_secs(50)));
        match self.dice.below(12) {
            0..=3 => {
                let new = NewSession {
                    title: Some(self.mark()),
                    expires_at: ends,
                    ..NewSession::default()
                };
                said.note(&block_on(sessions::create(sql, tenant, session, &new, now)));
            }
            4..=6 => {
                let change = Change {
                    title: Some(Some(self.mark())),
                    expires_at: Some(ends),
                    ..Change::default()
                };
                said.note(&block_on(sessions::update(
                    sql, tenant, session, &change, now,
                )));
            }
            7..=8 => said.note(&block_on(sessions::find(sql, tenant, session, now))),
            9 => {
                let filter = Filter {
                    title: self.dice.is_heads().then(|| "mark".to_owned()),
                    ..Filter::default()
                };
                said.note(&block_on(sessions::page(
                    sql, tenant, &filter, None, 4, now,
                )));
            }
            10 => said.note(&block_on(sessions::reset(sql, tenant, session, now))),
            _ => said.note(&block_on(sessions::delete(sql, tenant, session, now))),
        }
    }

    fn keys(&self, said: &mut Digest) {
        let (sql, tenant, now) = (&self.world.database, self.id, self.dice.now);
        let id = self.dice.one(&self.world.pools.keys);
        let digest = KeyText::generate(KeyKind::Secret, &self.dice.entropy).digest();
        let noted = self.entry("key");
        let found = block_on(api_keys::find(sql, tenant, id));
        said.note(&found);
        match (found.expect("runs"), self.dice.below(5)) {
            (None, 0) => {
                let key = self.key();
                said.note(&block_on(api_keys::insert(sql, tenant, &key, digest)));
            }
            (None, _) => {
                let key = self.key();
                said.note(&block_on(api_keys::mint(sql, tenant, &key, digest, &noted)));
            }
            (Some(old), 1) => {
                let new = self.key();
                let rotate = api_keys::rotate(sql, tenant, &old.key, now, (&new, digest), &noted);
                said.note(&block_on(rotate));
            }
            (Some(old), 2) => {
                said.note(&block_on(api_keys::revoke(
                    sql, tenant, &old.key, now, &noted,
                )));
            }
            (_, 3) => said.note(&block_on(api_keys::note_uses(
                sql,
                tenant,
                &[(id.clone(), now)],
            ))),
            (_, 4) => said.note(&block_on(api_keys::find_with_tenant(sql, tenant, id))),
            _ => said.note(&block_on(api_keys::list(sql, tenant, None, 20))),
        }
    }

    fn key(&self) -> ApiKey {
        ApiKey {
            id: self.dice.one(&self.world.pools.keys).clone(),
            tenant_id: self.id.clone(),
            kind: KeyKind::Secret,
            name: self.mark(),
            scopes: Scopes::all(),
            allowed_origins: Vec::new(),
            expires_at: None,
            revoked_at: None,
            version: 1,
            created_at: self.dice.now,
        }
    }

    fn entry(&self, action: &'static str) -> AuditEntry {
        AuditEntry {
            id: AuditId::generate(self.dice.now, &self.dice.entropy),
            at: self.dice.now,
            actor: "adm_somebody".to_owned(),
            action,
            target: Some(self.mark()),
            before: None,
            after: None,
            request_id: self.request().clone(),
        }
    }

    fn idempotency(&self, said: &mut Digest) {
        let (sql, tenant, now) = (&self.world.database, self.id, self.dice.now);
        let (kept, request) = (self.kept(), self.request());
        let place = idempotency::ClaimKey {
            key: &kept.key,
            route: &kept.route,
            idempotency_key: &kept.idempotency_key,
        };
        match self.dice.below(6) {
            0 => said.note(&block_on(idempotency::finish(sql, tenant, request, &kept))),
            1 => said.note(&block_on(idempotency::release(sql, tenant, place, request))),
            _ => {
                let body_digest = idempotency::digest(None, &[u8::from(self.dice.is_heads())]);
                let bid = Bid {
                    body_digest: &body_digest,
                    request,
                    now,
                    deadline: now.plus(Millis::from_secs(100)),
                    dead: None,
                };
                said.note(&block_on(idempotency::claim(sql, tenant, place, bid)));
            }
        }
    }

    fn receipts(&self, said: &mut Digest) {
        let (sql, tenant, now) = (&self.world.database, self.id, self.dice.now);
        let request = self.request();
        match self.dice.below(6) {
            0 => said.note(&block_on(receipts::is_stored(sql, tenant, request))),
            1 => said.note(&block_on(receipts::charged(sql, tenant, Period::of(now)))),
            2 => {
                let span = (now.minus(Millis::from_secs(3600)), now);
                said.note(&block_on(usage::by_day_model_and_key(sql, tenant, span)));
            }
            _ => {
                let amounts = Amounts {
                    messages: 1,
                    tokens: Tokens::new(self.dice.below(1000)),
                    micro_dollars: MicroDollars::new(3),
                };
                let receipt = Receipt {
                    request_id: request.clone(),
                    revision: u32::try_from(self.dice.below(4)).expect("fits"),
                    key_id: self.dice.one(&self.world.pools.keys).clone(),
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
                said.note(&block_on(receipts::store(sql, tenant, &[receipt])));
            }
        }
    }

    fn tools(&self, said: &mut Digest) {
        let (sql, tenant) = (&self.world.database, self.id);
        if self.dice.is_heads() {
            let done = self.execution(None, self.request().clone());
            said.note(&block_on(tool_executions::record(sql, tenant, &[done])));
        } else {
            let session = self.session();
            said.note(&block_on(tool_executions::list(
                sql, tenant, session, None, 5,
            )));
        }
    }

    fn sends(&self, said: &mut Digest) {
        let (sql, tenant, now) = (&self.world.database, self.id, self.dice.now);
        let (id, request) = (self.dice.one(&self.world.pools.sends), self.request());
        match self.dice.below(8) {
            0..=2 => {
                let message = self.mark();
                let new = NewSend {
                    id,
                    session: self.session(),
                    key: self.dice.one(&self.world.pools.keys),
                    origin: request.as_str(),
                    path: &[],
                    hops: 1,
                    message: &message,
                };
                said.note(&block_on(sends::accept(sql, tenant, new, now)));
            }
            3 => said.note(&block_on(sends::find(sql, tenant, id))),
            4..=5 => {
                let claimed = block_on(sends::claim(sql, tenant, id, request, None, now));
                said.note(&claimed);
                if self.dice.is_heads() {
                    let release = sends::release(sql, tenant, id, request, "conflict", now);
                    said.note(&block_on(release));
                }
            }
            6 => {
                let request = self.request();
                said.note(&block_on(sends::fail(
                    sql, tenant, id, request, "conflict", now,
                )));
            }
            _ => said.note(&block_on(sends::give_up(sql, tenant, id, "conflict", now))),
        }
    }

    fn audit(&self, said: &mut Digest) {
        let (sql, tenant) = (&self.world.database, self.id);
        if self.dice.below(4) == 0 {
            said.note(&block_on(audit::note(
                sql,
                tenant,
                &self.entry("session.read"),
            )));
        } else {
            said.note(&block_on(audit::list(sql, tenant, None, 5)));
        }
    }

    fn records(&self, said: &mut Digest) {
        let (sql, tenant, session) = (&self.world.database, self.id, self.session());
        match self.dice.below(20) {
            0 => {
                let from = self
                    .dice
                    .one(&["tenant:", "turns:[\"chat:3\",2]", "receipts:"]);
                let from = from.parse().expect("a place");
                said.note(&block_on(records::export(sql, tenant, from)));
            }
            1..=6 => said.note(&block_on(records::sessions(sql, tenant, None, 4))),
            7..=12 => said.note(&block_on(records::session(sql, tenant, session))),
            _ => said.note(&block_on(records::messages(sql, tenant, session, None, 4))),
        }
        said.note(&block_on(health::check(sql)));
    }

    fn tenant(&self, said: &mut Digest) {
        let (sql, tenant) = (&self.world.database, self.id);
        let found = block_on(tenants::find(sql, tenant));
        said.note(&found);
        let record = match found.expect("runs") {
            Some(record) => Tenant {
                version: record.version + 1,
                ..record
            },
            None => self.world.tenant(self.number, 1),
        };
        let noted = self.entry("tenant");
        if self.dice.is_heads() {
            said.note(&block_on(tenants::update(sql, &record, &noted)));
        } else {
            // There is one, except where it was deleted before.
            said.note(&block_on(tenants::create(sql, &record, &noted)));
        }
    }

    fn erase(&self, said: &mut Digest) {
        let (sql, tenant, now) = (&self.world.database, self.id, self.dice.now);
        match self.dice.below(8) {
            0 => {
                while !block_on(erasure::erase_some(sql, tenant, 50, 100)).expect("runs") {}
                let gone = block_on(erasure::finish(sql, tenant, &self.entry("tenant.delete")));
                said.note(&gone);
                if self.dice.below(4) != 0 {
                    let anew = self.world.tenant(self.number, 1);
                    said.note(&block_on(tenants::create(
                        sql,
                        &anew,
                        &self.entry("tenant.create"),
                    )));
                }
            }
            1..=2 => {
                let (start, last) = (self.session().as_str(), self.session());
                said.note(&block_on(erasure::session_ids(sql, tenant, start, 3)));
                let empty = erasure::empty_sessions(sql, tenant, start, last, now);
                said.note(&block_on(empty));
            }
            3 => said.note(&block_on(erasure::erase_beside_sessions(
                sql, tenant, 3, 10,
            ))),
            _ => said.note(&block_on(erasure::erase_some(sql, tenant, 1, 3))),
        }
    }
}
