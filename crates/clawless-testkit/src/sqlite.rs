//! `SQLite` in the place of D1: the same migrations, the same limits, the same error messages.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use clawless_store::{Sql, SqlError, Statement, Value};
use rusqlite::config::DbConfig;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection, params_from_iter};
use serde::de::DeserializeOwned;

use crate::migrations;

/// D1's limits: what its documentation says, and what workerd sets for every database.
const LIMITS: [(Limit, i32); 7] = [
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    (Limit::SQLITE_LIMIT_LENGTH, 2_000_000),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
    (Limit::SQLITE_LIMIT_COLUMN, 100),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
];

/// How many prepared statements are kept: about as many as the store has.
const PREPARED: usize = 128;

/// What shall go wrong with a call, and the message that it fails with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call fails and does nothing.
    Before(&'static str),
    /// The call is carried out, and then its answer is lost.
    After(&'static str),
}

impl Fault {
    /// D1's message for a lost connection.
    pub const LOST: &'static str = "D1_ERROR: Network connection lost.";
    /// D1's message for an overload.
    pub const OVERLOADED: &'static str =
        "D1_ERROR: D1 DB is overloaded. Requests queued for too long.";
}

/// A database in memory.
#[derive(Debug)]
pub struct SqliteDatabase {
    connection: RefCell<Connection>,
    faults: RefCell<VecDeque<Option<Fault>>>,
    calls: Cell<u32>,
    statements: Cell<usize>,
}

impl Default for SqliteDatabase {
    fn default() -> Self {
        Self::new()
    }
}

impl SqliteDatabase {
    /// A database with all migrations applied.
    pub fn new() -> Self {
        let database = Self::empty();
        for migration in migrations() {
            database.run_script(&migration.sql);
        }
        database
    }

    /// A database without any tables.
    pub fn empty() -> Self {
        let connection = Connection::open_in_memory().expect("SQLite opens");
        for (limit, value) in LIMITS {
            connection
                .set_limit(limit, value)
                .expect("a limit can be set");
        }
        for (switch, on) in [
            (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        ] {
            connection
                .set_db_config(switch, on)
                .expect("a switch can be set");
        }
        connection.set_prepared_statement_cache_capacity(PREPARED);
        Self {
            connection: RefCell::new(connection),
            faults: RefCell::default(),
            calls: Cell::default(),
            statements: Cell::default(),
        }
    }

    /// Runs SQL that may hold several statements.
    pub fn run_script(&self, sql: &str) {
        self.run_first(sql, usize::MAX);
    }

    /// Runs the first statements of a script, as if it were interrupted; says how many it ran.
    pub fn run_first(&self, sql: &str, count: usize) -> usize {
        let connection = self.connection.borrow();
        let mut batch = Batch::new(&connection, sql);
        let mut ran = 0;
        while ran < count {
            let Some(mut statement) = batch.next().expect("the script is SQL") else {
                break;
            };
            statement.raw_execute().expect("the script runs");
            ran += 1;
        }
        ran
    }

    /// Runs a query of the test's own and gives its rows as JSON objects.
    pub fn rows(&self, sql: &str) -> Vec<serde_json::Value> {
        self.select(sql, &[]).expect("the query runs")
    }

    /// A query of the test's own that gives one number.
    pub fn count(&self, sql: &str) -> i64 {
        let connection = self.connection.borrow();
        connection
            .query_one(sql, [], |row| row.get(0))
            .expect("the query gives a number")
    }

    /// How the database would go about a statement, a line a step; the parameters are NULL.
    pub fn plan_of(&self, sql: &str) -> Vec<String> {
        let connection = self.connection.borrow();
        let mut explain = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .expect("the statement fits the schema");
        let steps = explain.raw_query().mapped(|row| row.get("detail"));
        steps.map(|step| step.expect("a step")).collect()
    }

    /// How many queries and batches were asked for so far, failures included.
    pub fn calls(&self) -> u32 {
        self.calls.get()
    }

    /// How many statements those were: what D1 counts against the limit of an invocation.
    pub fn statements(&self) -> usize {
        self.statements.get()
    }

    /// Plans what goes wrong with the coming calls, one after another; `None` goes well.
    pub fn plan(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.faults.borrow_mut().extend(faults);
    }

    /// Forgets the faults that have not come yet.
    pub fn unplan(&self) {
        self.faults.borrow_mut().clear();
    }

    /// Carries out one call, or lets it fail as planned.
    fn call<T>(
        &self,
        statements: usize,
        work: impl FnOnce() -> rusqlite::Result<T>,
    ) -> Result<T, SqlError> {
        self.calls.set(self.calls.get() + 1);
        self.statements.set(self.statements.get() + statements);
        let fault = self.faults.borrow_mut().pop_front().flatten();
        if let Some(Fault::Before(message)) = fault {
            return Err(SqlError::from_message(message));
        }
        let result = work().map_err(|error| SqlError::from_message(error.to_string()))?;
        match fault {
            Some(Fault::After(message)) => Err(SqlError::from_message(message)),
            _ => Ok(result),
        }
    }

    fn select(&self, sql: &str, params: &[Value]) -> rusqlite::Result<Vec<serde_json::Value>> {
        let connection = self.connection.borrow();
        let mut statement = connection.prepare_cached(sql)?;
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let params = params_from_iter(params.iter().map(bound));
        let rows = statement.query_map(params, |row| {
            let mut object = serde_json::Map::new();
            for (index, name) in names.iter().enumerate() {
                object.insert(name.clone(), json(row.get_ref(index)?));
            }
            Ok(serde_json::Value::Object(object))
        })?;
        rows.collect()
    }

    fn transact(&self, statements: &[Statement]) -> rusqlite::Result<()> {
        let mut connection = self.connection.borrow_mut();
        let transaction = connection.transaction()?;
        for statement in statements {
            let mut prepared = transaction.prepare_cached(statement.sql)?;
            let mut rows = prepared.query(params_from_iter(statement.params.iter().map(bound)))?;
            while rows.next()?.is_some() {}
        }
        transaction.commit()
    }
}

impl Sql for SqliteDatabase {
    async fn query<T: DeserializeOwned>(&self, statement: Statement) -> Result<Vec<T>, SqlError> {
        let rows = self.call(1, || self.select(statement.sql, &statement.params))?;
        rows.into_iter()
            .map(|row| serde_json::from_value(row).map_err(SqlError::corrupt))
            .collect()
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<(), SqlError> {
        self.call(statements.len(), || self.transact(&statements))
    }
}

fn bound(value: &Value) -> rusqlite::types::Value {
    match value {
        Value::Null => rusqlite::types::Value::Null,
        Value::Integer(number) => rusqlite::types::Value::Integer(number.get()),
        Value::Text(text) => rusqlite::types::Value::Text(text.clone()),
    }
}

fn json(value: ValueRef<'_>) -> serde_json::Value {
    match value {
        ValueRef::Null => serde_json::Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(_) => panic!("no table has a BLOB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the database would take the statement.
    fn takes(sql: &str) -> bool {
        SqliteDatabase::new().select(sql, &[]).is_ok()
    }

    #[test]
    fn it_has_the_rules_of_d1() {
        let orphan = "INSERT INTO sessions (tenant_id, id, created_at, updated_at)
                      VALUES ('ten_nobody', 's', 1, 1)";
        assert!(!takes(orphan), "foreign keys are on");
        assert!(
            !takes("SELECT \"not a column\""),
            "double quotes are for names"
        );
        assert!(takes("SELECT 'a text'"));
        let many = |count| vec!["?"; count].join(", ");
        let database = SqliteDatabase::empty();
        let too_many = format!("SELECT 1 WHERE 1 IN ({})", many(101));
        assert!(database.connection.borrow().prepare(&too_many).is_err());
        let enough = format!("SELECT 1 WHERE 1 IN ({})", many(100));
        assert!(database.connection.borrow().prepare(&enough).is_ok());
        assert!(takes("SELECT zeroblob(2000000) IS NULL AS big"));
        assert!(!takes("SELECT zeroblob(2000001) IS NULL AS bigger"));
    }

    #[test]
    fn planned_faults_come_in_order_and_then_all_is_well() {
        let database = SqliteDatabase::new();
        database.plan([None, Some(Fault::Before(Fault::LOST))]);
        let check = || futures_executor::block_on(clawless_store::health::check(&database));
        assert!(check().is_ok());
        assert!(check().is_err());
        assert!(check().is_ok());
        assert_eq!(database.calls(), 3);
    }
}
