//! A database that checks its callers, and the tenants who use it.

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
use crate::operations;
use crate::random::CallRandom;

/// The database's message if a tenant writes another tenant's row.
const CROSSING: &str = "write to a row of another tenant";

/// Ids that all tenants share.
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
        fn generate<T>(count: u64, make: impl Fn(u64) -> T) -> Vec<T> {
            (0..count).map(make).collect()
        }
        let entropy = SeededEntropy::new(!seed);
        let at = Timestamp::from_millis(1_700_000_000_000);
        let mut sessions = generate(6, |number| {
            format!("chat:{number}").parse().expect("a name")
        });
        sessions.extend(generate(2, |_| SessionId::generate(at, &entropy)));
        Self {
            tenants: generate(TENANTS as u64, |_| TenantId::generate(at, &entropy)),
            sessions,
            requests: generate(300, |_| RequestId::generate(at, &entropy)),
            messages: generate(300, |_| MessageId::generate(at, &entropy)),
            keys: generate(12, |_| KeyId::generate(at, &entropy)),
            executions: generate(60, |_| ToolExecutionId::generate(at, &entropy)),
            sends: generate(40, |_| SendId::generate(at, &entropy)),
        }
    }
}

/// The state of one seed.
pub(crate) struct Fixture {
    pub(crate) database: CheckedDatabase,
    pub(crate) pools: Pools,
    /// The digests of each tenant's results, one a call.
    pub(crate) results: Vec<Vec<u64>>,
}

impl Fixture {
    /// Makes the calls of a seed, of all tenants or of one alone.
    pub(crate) fn run(seed: u64, calls: u64, alone: Option<usize>) -> Self {
        let pools = Pools::new(seed);
        let mut fixture = Self {
            database: CheckedDatabase::new(pools.tenants.clone()),
            pools,
            results: vec![Vec::new(); TENANTS],
        };
        for tenant in 0..TENANTS {
            if alone.is_none_or(|one| one == tenant) {
                fixture.database.set_tenant(tenant);
                let record = fixture.tenant(tenant, 1);
                block_on(tenants::insert(&fixture.database, &record)).expect("a new tenant");
            }
        }
        for call in 0..calls {
            let random = CallRandom::new(seed, call);
            let tenant = usize::try_from(random.below(TENANTS as u64)).expect("fits");
            if alone.is_none_or(|one| one == tenant) {
                fixture.database.set_tenant(tenant);
                let mut results = Digest::default();
                operations::call(&fixture, tenant, &random, &mut results);
                fixture.results[tenant].push(results.0.finish());
            }
        }
        fixture
    }

    /// The statements that were run.
    pub(crate) fn executed_statements(&self) -> BTreeSet<&'static str> {
        self.database.executed.borrow().clone()
    }

    /// The mark that all of a tenant's texts contain, and no other tenant's.
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

/// A digest of the results of a call.
#[derive(Default)]
pub(crate) struct Digest(DefaultHasher);

impl Digest {
    pub(crate) fn add(&mut self, result: &impl fmt::Debug) {
        write!(self, "{result:?}").expect("hashing cannot fail");
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// A database that stops the test if a tenant reads or writes a row of another.
pub(crate) struct CheckedDatabase {
    inner: SqliteDatabase,
    tenants: Vec<TenantId>,
    acting: Cell<usize>,
    executed: RefCell<BTreeSet<&'static str>>,
}

impl CheckedDatabase {
    fn new(tenants: Vec<TenantId>) -> Self {
        let inner = SqliteDatabase::new();
        guard(&inner);
        bind_tokens(&inner, &tenants);
        Self {
            inner,
            tenants,
            acting: Cell::new(usize::MAX),
            executed: RefCell::default(),
        }
    }

    /// Sets the tenant that makes the next calls.
    pub(crate) fn set_tenant(&self, tenant: usize) {
        if self.acting.replace(tenant) != tenant {
            let id = &self.tenants[tenant];
            // A query is prepared only once.
            self.inner
                .rows(&format!("UPDATE acting SET tenant = '{id}'"));
        }
    }

    fn record(&self, statement: &Statement) {
        self.executed.borrow_mut().insert(statement.sql);
    }

    fn check_row(&self, row: &Value, sql: &str) {
        for value in row.as_object().expect("a row").values() {
            if let Some(text) = value.as_str() {
                self.check_text(text, sql);
            }
        }
    }

    /// A text may contain the id and the mark of the acting tenant only.
    fn check_text(&self, text: &str, sql: &str) {
        let acting = self.acting.get();
        for (at, _) in text.match_indices("mark-") {
            let rest = &text[at..];
            assert!(
                rest.starts_with(&Fixture::mark(acting)),
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

    fn check_result<T>(result: Result<T, SqlError>) -> Result<T, SqlError> {
        if let Err(error) = &result {
            let text = format!("{error:?}");
            assert!(!text.contains(CROSSING), "{text}");
        }
        result
    }
}

impl Sql for CheckedDatabase {
    async fn query<T: DeserializeOwned>(&self, statement: Statement) -> Result<Vec<T>, SqlError> {
        self.record(&statement);
        let sql = statement.sql;
        let rows: Vec<Value> = Self::check_result(self.inner.query(statement).await)?;
        let read = |row: Value| {
            self.check_row(&row, sql);
            serde_json::from_value(row).map_err(SqlError::corrupt)
        };
        rows.into_iter().map(read).collect()
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<(), SqlError> {
        for statement in &statements {
            self.record(statement);
        }
        Self::check_result(self.inner.batch(statements).await)
    }
}

/// Adds an admin token for each tenant: only operators mint them.
fn bind_tokens(database: &SqliteDatabase, tenants: &[TenantId]) {
    for (number, tenant) in tenants.iter().enumerate() {
        let name = Fixture::mark(number);
        database.run_script(&format!(
            "INSERT INTO admin_tokens (id, digest, name, role, created_at)
             VALUES ('adm_{number:026}', printf('%064d', {number}), '{name}', 'tenant_admin:{tenant}', 1)"
        ));
    }
}

/// Adds triggers that reject every write to a row of another than the acting tenant.
fn guard(database: &SqliteDatabase) {
    database
        .run_script("CREATE TEMP TABLE acting (tenant TEXT); INSERT INTO acting VALUES ('none');");
    let tables = database.rows(
        "SELECT t.name, c.name AS owner FROM sqlite_master t JOIN pragma_table_info(t.name) c
         ON c.name = iif(t.name = 'tenants', 'id', 'tenant_id')
         WHERE t.type = 'table' AND t.name <> 'admin_tokens'",
    );
    assert!(tables.len() > 8, "the tables of tenants");
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
