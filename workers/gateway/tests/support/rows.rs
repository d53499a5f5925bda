//! Ledger rows in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;

use clawless_core::ledger::Write;
use clawless_gateway::ledger::machine::Rows;

/// A ledger's rows, in memory.
#[derive(Default)]
pub struct MapRows(RefCell<BTreeMap<(String, String), String>>);

impl Rows for MapRows {
    fn load(&self) -> Result<Vec<(String, String, String)>, String> {
        let rows = self.0.borrow();
        let rows = rows
            .iter()
            .map(|((part, key), value)| (part.clone(), key.clone(), value.clone()));
        Ok(rows.collect())
    }

    fn write(&self, writes: Vec<Write>) -> Result<(), String> {
        let mut rows = self.0.borrow_mut();
        for write in writes {
            match write {
                Write::Put { table, key, value } => rows.insert((table.to_owned(), key), value),
                Write::Delete { table, key } => rows.remove(&(table.to_owned(), key)),
            };
        }
        Ok(())
    }

    async fn durable(&self) -> Result<(), String> {
        Ok(())
    }
}
