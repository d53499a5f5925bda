//! The database that watches, and the tenants who work on it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};

use clawless_core::tenant::{TenantSettings, TenantStatus, Tier};
use clawless_core::{
    KeyId, MessageId, RequestId, SendId, SessionId, Tenant, TenantId, Timestamp, ToolExecutionId,
};
use clawless_store::{Sql, SqlError, Statement, tenants};
use clawless_testkit::{SeededEntropy, SqliteDatabase, block_on};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::TENANTS;
use crate::dice::Dice;
use crate::operations;

/// What the database says where a tenant writes another's row.
const CROSSING: &str = "a row of another tenant is written";

/// Names that all tenants use.
pub(crate) struct Pools {
    pub(crate) tenants: Vec<TenantId>,
    pub(crate) sessions: Vec<SessionId>,
    pub(crate) requests: Vec<RequestId>,
    pub(crate) messages: Vec<MessageId>,
    pub(crate) keys: Vec<KeyId>,
    pub(crate) executions: Vec<ToolExecutionId>,
    pub(crate) sends: Vec<SendId>,
}

impl Pools {
    fn new(seed: u64) -> Self {
        fn some<T>(count: u64, make: impl Fn(u64) -> T) -> Vec<T> {
            (0..count).map(make).collect()
        }
        let entropy = SeededEntropy::new(!seed);
        let at = Timestamp::from_millis(1_700_000_000_000);
        let mut sessions = some(6, |number| {
            format!("chat:{number}").parse().expect("a name")
        });
        sessions.extend(some(2, |_| SessionId::generate(at, &entropy)));
        Self {
            tenants: some(TENANTS as u64, |_| TenantId::generate(at, &entropy)),
            sessions,
            requests: some(300, |_| RequestId::generate(at, &entropy)),
            messages: some(300, |_| MessageId::generate(at, &entropy)),
            keys: some(12, |_| KeyId::generate(at, &entropy)),
            executions: some(60, |_| ToolExecutionId::generate(at, &entropy)),
            sends: some(40, |_| SendId::generate(at, &entropy)),
        }
    }
}

/// One seed's world.
pub(crate) struct World {
    pub(crate) database: Watched,
    pub(crate) pools: Pools,
    /// For each tenant what its calls gave, as digests.
    pub(crate) heard: Vec<Vec<u64>>,
}

impl World {
    /// Makes the calls of a seed: those of all tenants, or of one only.
    pub(crate) fn run(seed: u64, calls: u64, alone: Option<usize>) -> Self {
        let pools = Pools::new(seed);
        let mut world = Self {
            database: Watched::new(pools.tenants.clone()),
            pools,
            heard: vec![Vec::new(); TENANTS],
        };
        for tenant in 0..TENANTS {
            if alone.is_none_or(|one| one == tenant) {
                world.database.act(tenant);
                let record = world.tenant(tenant, 1);
                block_on(tenants::insert(&world.database, &record)).expect("a new tenant");
            }
        }
        for call in 0..calls {
            let dice = Dice::of(seed, call);
            let tenant = usize::try_from(dice.below(TENANTS as u64)).expect("fits");
            if alone.is_none_or(|one| one == tenant) {
                world.database.act(tenant);
                let mut said = Digest::default();
                operations::call(&world, tenant, &dice, &mut said);
                world.heard[tenant].push(said.0.finish());
            }
        }
        world
    }

    /// The statements that ran.
    pub(crate) fn ran(&self) -> BTreeSet<&'static str> {
        self.database.ran.borrow().clone()
    }

    /// What every text of a tenant holds, and nothing of anybody else.
    pub(crate) fn mark(tenant: usize) -> String {
        format!("mark-{tenant}")
    }

    /// A tenant's record.
    pub(crate) fn tenant(&self, tenant: usize, version: u64) -> Tenant {
        let at = Timestamp::from_millis(1_700_000_000_000);
        Tenant {
            id: self.pools.tenants[tenant].clone(),
            name: Self::mark(tenant),
            tier: Tier::Pro,
            status: TenantStatus::Active,
            settings: TenantSettings::default(),
            version,
            created_at: at,
            updated_at: at,
        }
    }
}

/// What a call gave, as a digest of how it prints.
#[derive(Default)]
pub(crate) struct Digest(DefaultHasher);

impl Digest {
    pub(crate) fn note(&mut self, result: &impl fmt::Debug) {
        write!(self, "{result:?}").expect("hashing cannot fail");
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// A database that stops the test at the first row of another tenant's that is read or written.
pub(crate) struct Watched {
    inner: SqliteDatabase,
    tenants: Vec<TenantId>,
    acting: Cell<usize>,
    ran: RefCell<BTreeSet<&'static str>>,
}

impl Watched {
    fn new(tenants: Vec<TenantId>) -> Self {
        let inner = SqliteDatabase::new();
        guard(&inner);
        Self {
            inner,
            tenants,
            acting: Cell::new(usize::MAX),
            ran: RefCell::default(),
        }
    }

    /// The tenant whose calls come from now on.
    pub(crate) fn act(&self, tenant: usize) {
        if self.acting.replace(tenant) != tenant {
            let id = &self.tenants[tenant];
            // As a query, which is prepared once.
            self.inner
                .rows(&format!("UPDATE acting SET tenant = '{id}'"));
        }
    }

    fn note(&self, statement: &Statement) {
        self.ran.borrow_mut().insert(statement.sql);
    }

    fn check_row(&self, row: &Value, sql: &str) {
        for value in row.as_object().expect("a row").values() {
            if let Some(text) = value.as_str() {
                self.check(text, sql);
            }
        }
    }

    /// A text may name the acting tenant and hold its mark, and nobody else's.
    fn check(&self, text: &str, sql: &str) {
        let acting = self.acting.get();
        for (at, _) in text.match_indices("mark-") {
            let rest = &text[at..];
            assert!(
                rest.starts_with(&World::mark(acting)),
                "read by {acting}: {text}\n{sql}"
            );
        }
        for (at, _) in text.match_indices("ten_") {
            let id = self.tenants[acting].as_str();
            assert!(
                text[at..].starts_with(id),
                "read by {acting}: {text}\n{sql}"
            );
        }
    }

    fn watched<T>(result: Result<T, SqlError>) -> Result<T, SqlError> {
        if let Err(error) = &result {
            let said = format!("{error:?}");
            assert!(!said.contains(CROSSING), "{said}");
        }
        result
    }
}

impl Sql for Watched {
    async fn query<T: DeserializeOwned>(&self, statement: Statement) -> Result<Vec<T>, SqlError> {
        self.note(&statement);
        let sql = statement.sql;
        let rows: Vec<Value> = Self::watched(self.inner.query(statement).await)?;
        let read = |row: Value| {
            self.check_row(&row, sql);
            serde_json::from_value(row).map_err(SqlError::corrupt)
        };
        rows.into_iter().map(read).collect()
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<(), SqlError> {
        for statement in &statements {
            self.note(statement);
        }
        Self::watched(self.inner.batch(statements).await)
    }
}

/// Makes the database refuse every write to a row that is not the acting tenant's.
fn guard(database: &SqliteDatabase) {
    database.run_script(
        "CREATE TEMP TABLE acting (tenant TEXT); INSERT INTO acting VALUES ('nobody');",
    );
    let tables = database.rows(
        "SELECT t.name, c.name AS owner FROM sqlite_master t JOIN pragma_table_info(t.name) c
         ON c.name = iif(t.name = 'tenants', 'id', 'tenant_id')
         WHERE t.type = 'table' AND t.name <> 'admin_tokens'",
    );
    assert!(tables.len() > 8, "the tables of tenants are found");
    for table in tables {
        let (name, owner) = (table["name"].as_str(), table["owner"].as_str());
        let (name, owner) = (name.expect("a name"), owner.expect("a name"));
        for (event, row) in [
            ("INSERT", "NEW"),
            ("UPDATE", "OLD"),
            ("UPDATE", "NEW"),
            ("DELETE", "OLD"),
        ] {
            database.run_script(&format!(
                "CREATE TEMP TRIGGER guard_{name}_{event}_{row} BEFORE {event} ON main.{name}
                 WHEN {row}.{owner} IS NOT (SELECT tenant FROM acting)
                 BEGIN SELECT RAISE(ABORT, '{CROSSING}'); END"
            ));
        }
    }
}
