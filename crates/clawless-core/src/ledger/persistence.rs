//! Writes the machine as rows and rebuilds it from them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::clock::MonotonicClock;
use super::config::ConfigState;
use super::lanes::LaneRow;
use super::machine::Machine;
use super::outbox::{ParkedTurn, Receipt};
use super::quotas::{Account, AccountRow};
use super::reservations::Reservation;
use super::revocations::KeyRow;
use super::rows::{
    BOOKS, CONFIG, KEY, LoadError, REQUEST, RequestRow, RowKey, SESSION, SWEPT, TURN, Write,
};
use super::storage::StorageRow;
use crate::time::Timestamp;

impl Machine {
    /// Row changes since the last call. Outputs since then must not be sent before these are
    /// durable. An error is a bug (all rows are plain data): the runtime must restart from its rows.
    pub fn take_writes(&mut self) -> Result<Vec<Write>, serde_json::Error> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        let mut writes = Vec::with_capacity(changed.len());
        for key in changed {
            self.write(key, &mut writes)?;
        }
        Ok(writes)
    }

    /// All rows of the machine.
    pub fn rows(&self) -> Result<Vec<Write>, serde_json::Error> {
        let mut keys = vec![RowKey::Config];
        keys.extend(
            self.quotas
                .iter()
                .map(|(period, _)| RowKey::Account(period)),
        );
        keys.extend(self.keys.ids().cloned().map(RowKey::Key));
        keys.extend(self.lanes.ids().cloned().map(RowKey::Session));
        let open = self.reservations.iter().map(|open| &open.request_id);
        let receipts = self.outbox.receipts().map(|receipt| &receipt.request_id);
        keys.extend(open.chain(receipts).cloned().map(RowKey::Request));
        let swept = self
            .outbox
            .all_swept()
            .map(|receipt| receipt.request_id.clone());
        keys.extend(swept.map(RowKey::Swept));
        let turns = self.outbox.turns().map(|turn| turn.request_id.clone());
        keys.extend(turns.map(RowKey::Turn));
        let mut writes = Vec::with_capacity(keys.len());
        for key in keys {
            self.write(key, &mut writes)?;
        }
        writes.retain(|write| matches!(write, Write::Put { .. }));
        Ok(writes)
    }

    fn write(&self, key: RowKey, writes: &mut Vec<Write>) -> Result<(), serde_json::Error> {
        match key {
            RowKey::Config => {
                let row = ConfigRow {
                    config: self.config,
                    storage: self.storage.row(),
                };
                let row = Some(&row).filter(|row| **row != ConfigRow::default());
                writes.push(Write::new(CONFIG, String::new(), row)?);
            }
            RowKey::Account(period) => {
                let row = self.quotas.get(period).map(|account| AccountRow {
                    period,
                    acknowledged: account.acknowledged,
                    warned: account.warned,
                });
                let empty = Account::default().acknowledged;
                let row = row.filter(|row| !row.warned.is_empty() || row.acknowledged != empty);
                writes.push(Write::new(BOOKS, period.to_string(), row.as_ref())?);
            }
            RowKey::Key(key_id) => {
                let state = self.keys.get(&key_id);
                let key = key_id.as_str().to_owned();
                let row = state.map(|state| KeyRow { key_id, state });
                writes.push(Write::new(KEY, key, row.as_ref())?);
            }
            RowKey::Session(id) => {
                let row = self.lanes.row(&id);
                writes.push(Write::new(SESSION, id.as_str().to_owned(), row.as_ref())?);
            }
            RowKey::Request(id) => {
                let open = self.reservations.get(&id).map(RequestRow::Open);
                let row = open.or_else(|| self.outbox.receipt(&id).map(RequestRow::Receipt));
                writes.push(Write::new(REQUEST, id.as_str().to_owned(), row.as_ref())?);
            }
            RowKey::Swept(id) => {
                let row = self.outbox.swept(&id);
                writes.push(Write::new(SWEPT, id.as_str().to_owned(), row)?);
            }
            RowKey::Turn(id) => {
                let row = self.outbox.turn(&id);
                writes.push(Write::new(TURN, id.as_str().to_owned(), row)?);
            }
        }
        Ok(())
    }
}

impl Machine {
    /// Rebuilds a machine from its rows (table, key, value, in any order). State that is not stored
    /// is reset: buckets are full and no request waits.
    pub fn load<'a>(
        rows: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>,
    ) -> Result<Self, LoadError> {
        let mut machine = Self::default();
        // The clock continues from the latest time in any row.
        let mut latest = Timestamp::default();
        for (table, key, value) in rows {
            let row = RawRow { table, key, value };
            match table {
                CONFIG => {
                    let row: ConfigRow = row.parse()?;
                    machine.config = row.config;
                    machine.storage.restore(row.storage.unwrap_or_default());
                }
                BOOKS => {
                    let row: AccountRow = row.parse()?;
                    latest = latest.max(row.period.begins_at());
                    machine.restore_account(&row);
                }
                KEY => machine.keys.restore(row.parse()?),
                SESSION => {
                    let row: LaneRow = row.parse()?;
                    latest = latest.max(row.used_at);
                    machine.lanes.restore(&row);
                }
                REQUEST => match row.parse()? {
                    RequestRow::Open(open) => {
                        let open: Reservation = open;
                        latest = latest.max(open.renewed_at.unwrap_or(open.granted_at));
                        machine.restore_open(open);
                    }
                    RequestRow::Receipt(receipt) => {
                        let receipt: Receipt = receipt;
                        latest = latest.max(receipt.closed_at);
                        machine.outbox.push(receipt);
                    }
                },
                SWEPT => {
                    let receipt: Receipt = row.parse()?;
                    latest = latest.max(receipt.closed_at);
                    machine.outbox.remember_swept(receipt);
                }
                TURN => {
                    let turn: ParkedTurn = row.parse()?;
                    latest = latest.max(turn.parked_at);
                    machine.lanes.lane(&turn.session_id).parked_at = Some(turn.parked_at);
                    machine.outbox.park(turn);
                }
                unknown => return Err(LoadError::UnknownTable(unknown.to_owned())),
            }
        }
        machine.add_pending_receipts();
        machine.clock = MonotonicClock::starting_at(latest);
        Ok(machine)
    }

    fn restore_account(&mut self, row: &AccountRow) {
        let account = self.quotas.account(row.period);
        account.acknowledged = account.acknowledged.plus(&row.acknowledged);
        account.closed = account.closed.plus(&row.acknowledged);
        let granted = row.acknowledged.settled.plus(&row.acknowledged.released);
        account.granted = account.granted.plus(&granted);
        account.warned = account.warned.union(row.warned);
    }

    fn restore_open(&mut self, open: Reservation) {
        let account = self.quotas.account(open.period);
        account.granted = account.granted.plus(&open.reserved);
        account.open = account.open.plus(&open.reserved);
        self.storage.reserve(&open.storage);
        if let Some(session) = &open.session_id {
            self.lanes.lane(session).holder = Some(open.request_id.clone());
        }
        self.last_ticket = self.last_ticket.max(open.ticket);
        self.reservations.insert(open);
    }

    /// Adds pending receipts to the acknowledged totals, which include the revisions they replace.
    /// Runs after all rows are read, because rows arrive in any order.
    fn add_pending_receipts(&mut self) {
        for receipt in self.outbox.receipts() {
            self.storage.add_pending(receipt, None);
            let account = self.quotas.account(receipt.period);
            if receipt.replaces.is_none() {
                account.granted = account.granted.plus(&receipt.reserved);
            }
            account.closed = receipt.add_to(&account.closed);
        }
    }
}

/// The row of the configuration. It also holds the amounts of stored content: a table of their own
/// could not be read by an older version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct ConfigRow {
    #[serde(flatten)]
    config: ConfigState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    storage: Option<StorageRow>,
}

/// A row before parsing.
struct RawRow<'a> {
    table: &'a str,
    key: &'a str,
    value: &'a str,
}

impl RawRow<'_> {
    fn parse<T: DeserializeOwned>(&self) -> Result<T, LoadError> {
        serde_json::from_str(self.value).map_err(|source| LoadError::Row {
            table: self.table.to_owned(),
            key: self.key.to_owned(),
            source,
        })
    }
}
