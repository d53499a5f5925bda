//! Calls that read and change sessions, turns and messages.

use std::collections::BTreeMap;

use clawless_core::chat::{FinishReason, Message, Role, Usage};
use clawless_core::json::Json;
use clawless_core::session::{Change, NewSession, SessionHead};
use clawless_core::{MicroDollars, Millis, Provenance, SessionId, Tokens};
use clawless_store::SqlError;
use clawless_store::messages::{self, HistoryBudget, Range, SortOrder};
use clawless_store::sessions::{self, Filter, SessionLookup};
use clawless_store::turns::{self, NewMessage, NewTurn, StoredTurn, TurnStatus};
use clawless_testkit::block_on;

use super::Caller;
use crate::fixture::Digest;

impl Caller<'_> {
    pub(super) fn commit_turn(&self, results: &mut Digest) {
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

    /// A turn that begins a session with a copy of another one.
    pub(super) fn fork(&self, results: &mut Digest) {
        let (sql, random) = (&self.fixture.database, self.random);
        let source = self.session();
        let head = SessionHead::new(1 + random.below(6));
        let prepared = turns::fork(sql, self.id, source, head, random.now, &random.entropy);
        let prepared = block_on(prepared);
        results.add(&prepared);
        let fork = prepared.expect("succeeds");
        let name = format!("fork:{}", random.below(20))
            .parse()
            .expect("a name");
        let turn = NewTurn {
            fork: Some(fork),
            ..self.turn(&name, head)
        };
        results.add(&block_on(turns::commit(sql, self.id, &turn)));
    }

    pub(super) fn responses(&self, results: &mut Digest) {
        let (sql, tenant, now) = (&self.fixture.database, self.id, self.random.now);
        let request = self.request();
        let found = turns::find_response(sql, tenant, request, now);
        let found = block_on(found);
        results.add(&found);
        if let (true, Some(found)) = (self.random.coin(), found.expect("succeeds")) {
            let (session, head) = (&found.turn.session, found.turn.head);
            let tokens = turns::tokens_until(sql, tenant, session, head);
            results.add(&block_on(tokens));
            let removed = turns::remove(sql, tenant, session, head, request, now);
            results.add(&block_on(removed));
        }
    }

    fn echo(&self) -> Json {
        Json::from_value(&BTreeMap::from([("mark", self.mark())])).expect("JSON")
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
            usage: Usage::new(20, 5),
            cost: MicroDollars::new(7),
            provenance: Provenance::Provider,
            stored_tokens: Tokens::new(10),
            messages: (0..count).map(message).collect(),
            executions,
            send: (random.below(10) == 0).then(|| random.choose(&self.fixture.pools.sends).clone()),
            created_at: random.now,
            echo: random.coin().then(|| self.echo()),
            fork: None,
            response: random.coin().then(|| self.response()),
            request,
        }
    }

    pub(super) fn read_messages(&self, results: &mut Digest) {
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
                    sql, tenant, session, head, budget, any_room,
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
                let turn = StoredTurn {
                    session: session.clone(),
                    head: SessionHead::new(1 + self.random.below(6)),
                    incomplete_reason: None,
                    finish_reason: None,
                    model: String::new(),
                    provider: String::new(),
                    usage: Usage::default(),
                    cost: MicroDollars::ZERO,
                    provenance: Provenance::Provider,
                    created_at: self.random.now,
                    stored_bytes: 0,
                    has_echo: self.random.coin(),
                };
                let content = messages::of_turn(sql, tenant, &turn, any_room);
                results.add(&block_on(content));
            }
            3 => {
                results.add(&block_on(messages::position(sql, tenant, session, id)));
                let text = self.mark();
                results.add(&block_on(messages::containing(sql, tenant, session, &text)));
            }
            4 => results.add(&block_on(messages::remove(
                sql,
                tenant,
                session,
                id,
                self.random.now,
            ))),
            _ => {
                let (request, now) = (self.request(), self.random.now);
                results.add(&block_on(turns::find_by_request(sql, tenant, request)));
                let found = turns::find_in_session(sql, tenant, session, request, now);
                results.add(&block_on(found));
            }
        }
    }

    pub(super) fn sessions(&self, results: &mut Digest) {
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
}

/// Room for whatever is read.
#[allow(clippy::unnecessary_wraps, reason = "other callers have no room")]
fn any_room(_: u64) -> Result<(), SqlError> {
    Ok(())
}
