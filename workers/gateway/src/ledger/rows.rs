//! The machine's rows in the object's `SQLite` database.

use clawless_core::TenantId;
use clawless_core::ledger::Write;
use clawless_edge::promise::PromiseFuture;
use serde::Deserialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::js_sys::Promise;
use worker::{SqlStorage, Storage};

use super::machine::Rows;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS ledger (
    part TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (part, key)
) WITHOUT ROWID";
const LOAD: &str = "SELECT part, key, value FROM ledger";
/// One statement for all changes of a batch: every statement costs a call into the runtime.
const PUT: &str = "INSERT OR REPLACE INTO ledger (part, key, value)
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)";
const DELETE: &str = "DELETE FROM ledger WHERE (part, key) IN
    (SELECT value ->> 0, value ->> 1 FROM json_each(?1))";

/// The ledger's tenant. An object that an alarm wakes does not get its name from the runtime.
const CREATE_OWNER: &str = "CREATE TABLE IF NOT EXISTS owner (tenant TEXT PRIMARY KEY)";
const FIND_OWNER: &str = "SELECT tenant FROM owner";
const SET_OWNER: &str = "INSERT OR IGNORE INTO owner (tenant) VALUES (?1)";

#[wasm_bindgen(module = "/src/ledger/rows.js")]
extern "C" {
    /// Runs both statements or neither, each with its parameter; a statement without one is skipped.
    #[wasm_bindgen(catch)]
    fn write(
        storage: &JsValue,
        put: &str,
        rows: Option<String>,
        delete: &str,
        keys: Option<String>,
    ) -> Result<(), JsValue>;

    /// Resolves when everything written is durable.
    fn sync(storage: &JsValue) -> Promise;
}

/// The object's storage.
pub(super) struct ObjectRows {
    storage: Storage,
    sql: SqlStorage,
}

#[derive(Deserialize)]
struct Row {
    part: String,
    key: String,
    value: String,
}

impl Rows for ObjectRows {
    fn load(&self) -> Result<Vec<(String, String, String)>, String> {
        self.sql.exec_raw(CREATE, None).map_err(text)?;
        let rows: Vec<Row> = self
            .sql
            .exec_raw(LOAD, None)
            .and_then(|cursor| cursor.to_array())
            .map_err(text)?;
        Ok(rows
            .into_iter()
            .map(|row| (row.part, row.key, row.value))
            .collect())
    }

    fn write(&self, writes: Vec<Write>) -> Result<(), String> {
        let (mut puts, mut deletes) = (Vec::new(), Vec::new());
        for write in &writes {
            match write {
                Write::Put { table, key, value } => puts.push([*table, key, value]),
                Write::Delete { table, key } => deletes.push([*table, key]),
            }
        }
        let (puts, deletes) = (parameter(&puts)?, parameter(&deletes)?);
        write(self.storage.as_raw(), PUT, puts, DELETE, deletes)
            .map_err(|thrown| text(worker::Error::from(thrown)))
    }

    async fn durable(&self) -> Result<(), String> {
        let synced = PromiseFuture::from(sync(self.storage.as_raw())).await;
        synced
            .map(drop)
            .map_err(|thrown| text(worker::Error::from(thrown)))
    }
}

/// Rows as the parameter of a statement; `None` without rows.
fn parameter<T: serde::Serialize>(rows: &[T]) -> Result<Option<String>, String> {
    let json = (!rows.is_empty()).then(|| serde_json::to_string(rows));
    json.transpose().map_err(text)
}

#[derive(Deserialize)]
struct Owner {
    tenant: TenantId,
}

impl ObjectRows {
    pub(super) fn new(storage: Storage) -> Self {
        let sql = storage.sql();
        Self { storage, sql }
    }

    /// The ledger's tenant, once an input has named it.
    pub(super) fn owner(&self) -> Option<TenantId> {
        self.sql.exec_raw(CREATE_OWNER, None).ok()?;
        let found = self.sql.exec_raw(FIND_OWNER, None).ok()?;
        let owners: Vec<Owner> = found.to_array().ok()?;
        owners.into_iter().next().map(|owner| owner.tenant)
    }

    /// Stores the ledger's tenant.
    pub(super) fn set_owner(&self, tenant: &TenantId) -> worker::Result<()> {
        let tenant = JsValue::from_str(tenant.as_str());
        self.sql.exec_raw(SET_OWNER, vec![tenant]).map(drop)
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
