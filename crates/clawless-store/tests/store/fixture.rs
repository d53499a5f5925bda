//! A database with two tenants, and shorthands for what tests do in it.

use clawless_core::chat::{FinishReason, Message, Role, Usage};
use clawless_core::keys::{KeyDigest, KeyText};
use clawless_core::session::SessionHead;
use clawless_core::tenant::{TenantSettings, TenantStatus, Tier};
use clawless_core::{
    ApiKey, Clock, KeyId, KeyKind, MessageId, MicroDollars, Provenance, RequestId, Scopes,
    SessionId, Tenant, TenantId, Timestamp, Tokens,
};
use clawless_store::messages::{HistoryBudget, history};
use clawless_store::turns::{CommitError, Committed, NewMessage, NewTurn, TurnStatus, commit};
use clawless_store::{SqlError, api_keys, tenants};
use clawless_testkit::{FixedClock, SeededEntropy, SqliteDatabase, block_on};

/// Includes every history of the tests.
pub(crate) const ALL: HistoryBudget = HistoryBudget {
    turns: 1000,
    bytes: 1_000_000,
};

/// Room for whatever is read.
#[allow(clippy::unnecessary_wraps, reason = "other callers have no room")]
pub(crate) fn any_room(_: u64) -> Result<(), SqlError> {
    Ok(())
}

pub(crate) struct Fixture {
    pub(crate) database: SqliteDatabase,
    pub(crate) clock: FixedClock,
    pub(crate) entropy: SeededEntropy,
    pub(crate) ours: TenantId,
    pub(crate) theirs: TenantId,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let (clock, entropy) = (FixedClock::default(), SeededEntropy::new(1));
        let id = || TenantId::generate(clock.now(), &entropy);
        let (ours, theirs) = (id(), id());
        let database = SqliteDatabase::new();
        for (id, name) in [(&ours, "ours"), (&theirs, "theirs")] {
            let tenant = Tenant {
                id: id.clone(),
                name: name.to_owned(),
                tier: Tier::Pro,
                status: TenantStatus::Active,
                settings: TenantSettings::default(),
                version: 1,
                created_at: clock.now(),
                updated_at: clock.now(),
            };
            block_on(tenants::insert(&database, &tenant)).expect("a new tenant");
        }
        Self {
            database,
            clock,
            entropy,
            ours,
            theirs,
        }
    }

    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Stores a new key of the tenant; returns it with its digest.
    pub(crate) fn key(&self, tenant: &TenantId) -> (ApiKey, KeyDigest) {
        let digest = KeyText::generate(KeyKind::Secret, &self.entropy).digest();
        let key = ApiKey {
            id: KeyId::generate(self.clock.now(), &self.entropy),
            tenant_id: tenant.clone(),
            kind: KeyKind::Secret,
            name: "server".to_owned(),
            scopes: Scopes::all(),
            limits: clawless_core::limits::KeyLimits::default(),
            allowed_origins: vec!["https://example.org".to_owned()],
            expires_at: None,
            revoked_at: None,
            version: 1,
            created_at: self.clock.now(),
        };
        block_on(api_keys::insert(&self.database, tenant, &key, digest)).expect("a new key");
        (key, digest)
    }

    pub(crate) fn message(&self, role: Role, text: &str) -> NewMessage {
        NewMessage {
            id: MessageId::generate(self.clock.now(), &self.entropy),
            message: Message::text(role, text).expect("a message"),
        }
    }

    /// A turn with the user's message `text` and the model's response.
    pub(crate) fn turn(&self, session: &str, expected: u64, text: &str) -> NewTurn {
        NewTurn {
            session: session_id(session),
            expected: SessionHead::new(expected),
            request: RequestId::generate(self.clock.now(), &self.entropy),
            key: None,
            status: TurnStatus::Complete,
            finish_reason: Some(FinishReason::Stop),
            model: "small".to_owned(),
            provider: "local".to_owned(),
            usage: Usage::new(20, 5),
            cost: MicroDollars::new(7),
            provenance: Provenance::Provider,
            stored_tokens: Tokens::new(10),
            messages: vec![
                self.message(Role::User, text),
                self.message(Role::Assistant, &format!("re: {text}")),
            ],
            executions: Vec::new(),
            send: None,
            created_at: self.clock.now(),
            echo: None,
            fork: None,
            response: None,
        }
    }

    pub(crate) fn commit(
        &self,
        tenant: &TenantId,
        turn: &NewTurn,
    ) -> Result<Committed, CommitError> {
        block_on(commit(&self.database, tenant, turn))
    }

    /// Commits a turn for each text, to a new session.
    pub(crate) fn add_turns(&self, tenant: &TenantId, session: &str, texts: &[&str]) {
        self.add_turns_at(tenant, session, 0, texts);
    }

    /// Commits a turn for each text, to a session with this head.
    pub(crate) fn add_turns_at(&self, tenant: &TenantId, session: &str, head: u64, texts: &[&str]) {
        for (head, text) in (head..).zip(texts) {
            let turn = self.turn(session, head, text);
            self.commit(tenant, &turn).expect("a turn");
        }
    }

    /// The user's messages in the session's history.
    pub(crate) fn user_texts(&self, tenant: &TenantId, session: &str) -> Vec<String> {
        self.user_texts_at(tenant, session, SessionHead::new(1 << 50), ALL)
            .expect("a history")
    }

    pub(crate) fn user_texts_at(
        &self,
        tenant: &TenantId,
        session: &str,
        head: SessionHead,
        budget: HistoryBudget,
    ) -> Result<Vec<String>, SqlError> {
        let session = session_id(session);
        let read = history(&self.database, tenant, &session, head, budget, any_room);
        let messages = block_on(read)?.into_messages();
        Ok(messages
            .filter(|message| message.role() == Role::User)
            .filter_map(|message| message.view().expect("readable").content)
            .flat_map(|content| content.texts().map(str::to_owned).collect::<Vec<_>>())
            .collect())
    }

    /// The number of rows in the tables of sessions.
    pub(crate) fn row_count(&self) -> i64 {
        self.database.count(
            "SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM turns)
                  + (SELECT count(*) FROM messages) + (SELECT count(*) FROM tool_executions)",
        )
    }
}

pub(crate) fn session_id(session: &str) -> SessionId {
    session.parse().expect("a session's name")
}
