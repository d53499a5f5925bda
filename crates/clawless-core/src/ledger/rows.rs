//! Persistence: the machine as rows, and back.
//!
//! A row is a table's name, a key and a JSON text; one SQL table with these three columns is
//! enough. What follows from other rows is not written: what is reserved follows from the open
//! reservations, what is used from the filed sums and the receipts that wait, who holds a lane from
//! both. So an admission writes one row, a settlement overwrites it, and acknowledged receipts are
//! summed up in one row a batch.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::config::ConfigState;
use super::lanes::LaneRow;
use super::machine::Machine;
use super::outbox::{ParkedTurn, Receipt};
use super::quotas::{Books, BooksRow};
use super::reservations::Reservation;
use super::revocations::KeyRow;
use super::{Period, clock::SteadyClock};
use crate::ids::{KeyId, RequestId, SessionId};
use crate::time::Timestamp;

/// The name of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RowKey {
    Config,
    Books(Period),
    Key(KeyId),
    Session(SessionId),
    /// An open reservation, then its receipt.
    Request(RequestId),
    Swept(RequestId),
    Turn(RequestId),
}

/// A request's row: an open reservation that its receipt overwrites.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RequestRow<Open, Receipt> {
    Open(Open),
    Receipt(Receipt),
}

/// One row change. Changes of one batch never name a row twice; their order does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Insert or replace.
    Put {
        /// The table.
        table: &'static str,
        /// The row's key in its table.
        key: String,
        /// The row as JSON text.
        value: String,
    },
    /// Delete; the row need not exist.
    Delete {
        /// The table.
        table: &'static str,
        /// The row's key in its table.
        key: String,
    },
}

/// A row cannot be read. The ledger must not go on without it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A table that this version does not know: written by a newer one.
    #[error("unknown ledger table {0:?}")]
    UnknownTable(String),
    /// The text of a row is not what its table holds.
    #[error("ledger row {key:?} of {table:?}: {source}")]
    Row {
        /// The table.
        table: String,
        /// The row's key.
        key: String,
        /// What is wrong.
        source: serde_json::Error,
    },
}

const CONFIG: &str = "config";
const BOOKS: &str = "books";
const KEY: &str = "key";
const SESSION: &str = "session";
const REQUEST: &str = "request";
const SWEPT: &str = "swept";
const TURN: &str = "turn";

impl Machine {
    /// The row changes since the last call. The outputs since then may leave only when these are
    /// durable. An error is a defect (all rows are plain data); the shell must then restart from
    /// its rows.
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

    /// Every row of the machine, as if all had changed.
    pub fn rows(&self) -> Result<Vec<Write>, serde_json::Error> {
        let mut keys = vec![RowKey::Config];
        keys.extend(self.quotas.iter().map(|(period, _)| RowKey::Books(period)));
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
                let empty = self.config == ConfigState::default();
                let config = (!empty).then_some(&self.config);
                writes.push(change(CONFIG, String::new(), config)?);
            }
            RowKey::Books(period) => {
                let row = self.quotas.get(period).map(|books| BooksRow {
                    period,
                    filed: books.filed,
                    warned: books.warned,
                });
                let row = row.filter(|row| row.warned != 0 || row.filed != Books::default().filed);
                writes.push(change(BOOKS, period.to_string(), row.as_ref())?);
            }
            RowKey::Key(key_id) => {
                let state = self.keys.get(&key_id);
                let name = key_id.as_str().to_owned();
                let row = state.map(|state| KeyRow { key_id, state });
                writes.push(change(KEY, name, row.as_ref())?);
            }
            RowKey::Session(id) => {
                let row = self.lanes.row(&id);
                writes.push(change(SESSION, id.as_str().to_owned(), row.as_ref())?);
            }
            RowKey::Request(id) => {
                let open = self.reservations.get(&id).map(RequestRow::Open);
                let row = open.or_else(|| self.outbox.receipt(&id).map(RequestRow::Receipt));
                writes.push(change(REQUEST, id.as_str().to_owned(), row.as_ref())?);
            }
            RowKey::Swept(id) => {
                let row = self.outbox.swept(&id);
                writes.push(change(SWEPT, id.as_str().to_owned(), row)?);
            }
            RowKey::Turn(id) => {
                let row = self.outbox.turn(&id);
                writes.push(change(TURN, id.as_str().to_owned(), row)?);
            }
        }
        Ok(())
    }
}

fn change<T: Serialize>(
    table: &'static str,
    key: String,
    row: Option<&T>,
) -> Result<Write, serde_json::Error> {
    Ok(match row {
        Some(row) => Write::Put {
            table,
            key,
            value: serde_json::to_string(row)?,
        },
        None => Write::Delete { table, key },
    })
}

/// The longest-lived state that a restart must not turn back: the latest time in any row.
struct Latest(Timestamp);

impl Latest {
    fn see(&mut self, moment: Timestamp) {
        self.0 = self.0.max(moment);
    }
}

impl Machine {
    /// Rebuilds a machine from its rows: table, key, value, in any order. What the rows do not hold
    /// is as after a long silence: buckets are full, nobody waits.
    pub fn load<'a>(
        rows: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>,
    ) -> Result<Self, LoadError> {
        let mut machine = Self::default();
        let mut latest = Latest(Timestamp::default());
        for (table, key, value) in rows {
            let row = Text { table, key, value };
            match table {
                CONFIG => machine.config = row.read()?,
                BOOKS => {
                    let row: BooksRow = row.read()?;
                    latest.see(row.period.begins_at());
                    machine.restore_books(&row);
                }
                KEY => machine.keys.restore(row.read()?),
                SESSION => {
                    let row: LaneRow = row.read()?;
                    latest.see(row.used_at);
                    machine.lanes.restore(&row);
                }
                REQUEST => match row.read()? {
                    RequestRow::Open(open) => {
                        let open: Reservation = open;
                        latest.see(open.granted_at);
                        machine.restore_open(open);
                    }
                    RequestRow::Receipt(receipt) => {
                        let receipt: Receipt = receipt;
                        latest.see(receipt.closed_at);
                        machine.outbox.push(receipt);
                    }
                },
                SWEPT => {
                    let receipt: Receipt = row.read()?;
                    latest.see(receipt.closed_at);
                    machine.outbox.remember_swept(receipt);
                }
                TURN => {
                    let turn: ParkedTurn = row.read()?;
                    latest.see(turn.parked_at);
                    machine.lanes.lane(&turn.session_id).parked_at = Some(turn.parked_at);
                    machine.outbox.park(turn);
                }
                unknown => return Err(LoadError::UnknownTable(unknown.to_owned())),
            }
        }
        machine.sum_up_receipts();
        machine.clock = SteadyClock::starting_at(latest.0);
        Ok(machine)
    }

    fn restore_books(&mut self, row: &BooksRow) {
        let books = self.quotas.books(row.period);
        books.filed = books.filed.plus(&row.filed);
        books.closed = books.closed.plus(&row.filed);
        let granted = row.filed.settled.plus(&row.filed.released);
        books.granted = books.granted.plus(&granted);
        books.warned |= row.warned;
    }

    fn restore_open(&mut self, open: Reservation) {
        let books = self.quotas.books(open.period);
        books.granted = books.granted.plus(&open.reserved);
        books.open = books.open.plus(&open.reserved);
        if let Some(session) = &open.session_id {
            self.lanes.lane(session).holder = Some(open.request_id.clone());
        }
        self.last_ticket = self.last_ticket.max(open.ticket);
        self.reservations.insert(open);
    }

    /// Adds the receipts that wait to the filed sums, which hold what they replace: only once all
    /// rows are read, since they come in any order.
    fn sum_up_receipts(&mut self) {
        for receipt in self.outbox.receipts() {
            let books = self.quotas.books(receipt.period);
            if receipt.replaces.is_none() {
                books.granted = books.granted.plus(&receipt.reserved);
            }
            books.closed = receipt.file(&books.closed);
        }
    }
}

/// The text of a row.
struct Text<'a> {
    table: &'a str,
    key: &'a str,
    value: &'a str,
}

impl Text<'_> {
    fn read<T: DeserializeOwned>(&self) -> Result<T, LoadError> {
        serde_json::from_str(self.value).map_err(|source| LoadError::Row {
            table: self.table.to_owned(),
            key: self.key.to_owned(),
            source,
        })
    }
}
