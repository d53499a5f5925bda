//! `SQLite` instead of D1, with the same migrations, limits and error messages.

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

/// D1's limits, from its documentation and from workerd's source.
const LIMITS: [(Limit, i32); 7] = [
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    (Limit::SQLITE_LIMIT_LENGTH, 2_000_000),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
    (Limit::SQLITE_LIMIT_COLUMN, 100),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
];

/// The size of the statement cache: about the number of the store's statements.
const MAX_PREPARED_STATEMENTS: usize = 128;

/// An injected failure of a call, with its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call fails without running.
    Before(&'static str),
    /// The call runs, then its response is lost.
    After(&'static str),
}

impl Fault {
    /// D1's message for a lost connection.
    pub const CONNECTION_LOST: &'static str = "D1_ERROR: Network connection lost.";
    /// D1's message for an overload.
    pub const OVERLOADED: &'static str =
        "D1_ERROR: D1 DB is overloaded. Requests queued for too long.";
}

/// An in-memory database.
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
        connection.set_prepared_statement_cache_capacity(MAX_PREPARED_STATEMENTS);
        Self {
            connection: RefCell::new(connection),
            faults: RefCell::default(),
            calls: Cell::default(),
            statements: Cell::default(),
        }
    }

    /// Runs a script of several statements.
    pub fn run_script(&self, sql: &str) {
        self.run_first(sql, usize::MAX);
    }

    /// Runs the first `count` statements of a script, as if interrupted; returns how many were run.
    /// A column that exists already is not added again: a migration adds one as the only statement
    /// of its file, which wrangler applies once.
    pub fn run_first(&self, sql: &str, count: usize) -> usize {
        let sql = self.without_existing_columns(sql);
        let connection = self.connection.borrow();
        let mut batch = Batch::new(&connection, &sql);
        let mut executed = 0;
        while executed < count {
            let Some(mut statement) = batch.next().expect("the script is SQL") else {
                break;
            };
            statement.raw_execute().expect("the script runs");
            executed += 1;
        }
        executed
    }

    /// The script without the lines that add a column which exists.
    fn without_existing_columns(&self, sql: &str) -> String {
        let connection = self.connection.borrow();
        let exists = |line: &&str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let ["ALTER", "TABLE", table, "ADD", "COLUMN", column, ..] = words.as_slice() else {
                return false;
            };
            let count = "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2";
            let found = connection.query_one(count, [table, column], |row| row.get::<_, i64>(0));
            found.expect("the schema can be read") > 0
        };
        let lines = sql.lines().filter(|line| !exists(line));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Runs a test's query; returns its rows as JSON objects.
    pub fn rows(&self, sql: &str) -> Vec<serde_json::Value> {
        self.select(sql, &[]).expect("the query runs")
    }

    /// Runs a test's query that returns one number.
    pub fn count(&self, sql: &str) -> i64 {
        let connection = self.connection.borrow();
        connection
            .query_one(sql, [], |row| row.get(0))
            .expect("the query returns a number")
    }

    /// The query plan of a statement, one line a step; the parameters are NULL.
    pub fn query_plan(&self, sql: &str) -> Vec<String> {
        let connection = self.connection.borrow();
        let mut explain = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .expect("the statement fits the schema");
        let steps = explain.raw_query().mapped(|row| row.get("detail"));
        steps.map(|step| step.expect("a step")).collect()
    }

    /// The number of queries and batches so far, failures included.
    pub fn calls(&self) -> u32 {
        self.calls.get()
    }

    /// The number of their statements, which D1 counts against the limit of an invocation.
    pub fn statements(&self) -> usize {
        self.statements.get()
    }

    /// Injects faults into the next calls, in order; `None` lets a call succeed.
    pub fn inject(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.faults.borrow_mut().extend(faults);
    }

    /// Removes the faults that have not been used yet.
    pub fn clear_faults(&self) {
        self.faults.borrow_mut().clear();
    }

    /// Runs one call, or fails with the injected fault.
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
        let params = params_from_iter(params.iter().map(to_sqlite));
        let rows = statement.query_map(params, |row| {
            let mut object = serde_json::Map::new();
            for (index, name) in names.iter().enumerate() {
                object.insert(name.clone(), to_json(row.get_ref(index)?));
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
            let mut rows =
                prepared.query(params_from_iter(statement.params.iter().map(to_sqlite)))?;
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

fn to_sqlite(value: &Value) -> rusqlite::types::Value {
    match value {
        Value::Null => rusqlite::types::Value::Null,
        Value::Integer(number) => rusqlite::types::Value::Integer(number.get()),
        Value::Text(text) => rusqlite::types::Value::Text(text.clone()),
    }
}

fn to_json(value: ValueRef<'_>) -> serde_json::Value {
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

    /// Whether the database accepts the statement.
    fn accepts(sql: &str) -> bool {
        SqliteDatabase::new().select(sql, &[]).is_ok()
    }

    #[test]
    fn database_enforces_the_limits_of_d1() {
        let orphan = "INSERT INTO sessions (tenant_id, id, created_at, updated_at)
                      VALUES ('ten_unknown', 's', 1, 1)";
        assert!(!accepts(orphan), "foreign keys are on");
        assert!(
            !accepts("SELECT \"not a column\""),
            "double quotes are identifiers only"
        );
        assert!(accepts("SELECT 'a text'"));
        let placeholders = |count| vec!["?"; count].join(", ");
        let database = SqliteDatabase::empty();
        let too_many = format!("SELECT 1 WHERE 1 IN ({})", placeholders(101));
        assert!(database.connection.borrow().prepare(&too_many).is_err());
        let enough = format!("SELECT 1 WHERE 1 IN ({})", placeholders(100));
        assert!(database.connection.borrow().prepare(&enough).is_ok());
        assert!(accepts("SELECT zeroblob(2000000) IS NULL AS at_limit"));
        assert!(!accepts("SELECT zeroblob(2000001) IS NULL AS above_limit"));
    }

    #[test]
    fn injected_faults_apply_in_order() {
        let database = SqliteDatabase::new();
        database.inject([None, Some(Fault::Before(Fault::CONNECTION_LOST))]);
        let check = || futures_executor::block_on(clawless_store::health::check(&database));
        assert!(check().is_ok());
        assert!(check().is_err());
        assert!(check().is_ok());
        assert_eq!(database.calls(), 3);
    }
}
