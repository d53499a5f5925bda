//! The object: a machine, the rows that survive it, and a batch that is durable or never was.

use std::collections::BTreeMap;

use clawless_core::Timestamp;
use clawless_core::ledger::{Input, Machine, Output, Period, Write};

type Rows = BTreeMap<(String, String), String>;

/// One input, what came of it, and the month in which it came.
pub struct Step {
    pub input: Input,
    pub output: Output,
    pub period: Period,
}

#[derive(Default)]
pub struct Object {
    pub machine: Machine,
    rows: Rows,
    /// Inputs whose outputs have not left yet.
    batch: Vec<Step>,
}

impl Object {
    /// Takes an input into the batch.
    pub fn apply(&mut self, now: Timestamp, input: &Input) {
        let output = self.machine.apply(now, input.clone());
        let period = self.machine.period();
        let input = input.clone();
        let books = self.machine.statement(period);
        let parts = books
            .closed
            .settled
            .plus(&books.closed.released)
            .plus(&books.open);
        assert_eq!(
            books.granted, parts,
            "granted is not settled + released + open after {input:?}"
        );
        self.batch.push(Step {
            input,
            output,
            period,
        });
    }

    /// Makes the batch durable and lets its outputs leave.
    pub fn commit(&mut self) -> Vec<Step> {
        let writes = self.machine.take_writes().expect("rows are plain data");
        let free =
            |step: &Step| matches!(&step.input, Input::Pass(pass) if pass.caller.config.is_none());
        let all_free = self.batch.iter().all(free);
        assert!(
            !all_free || writes.is_empty(),
            "a request that costs nothing wrote {writes:?}"
        );
        for write in writes {
            match write {
                Write::Put { table, key, value } => {
                    self.rows.insert((table.to_owned(), key), value);
                }
                Write::Delete { table, key } => {
                    self.rows.remove(&(table.to_owned(), key));
                }
            }
        }
        std::mem::take(&mut self.batch)
    }

    /// Dies with the batch, and rises from the rows. Gives the inputs that nobody answered.
    pub fn crash(&mut self) -> Vec<Input> {
        self.machine = self.reload();
        let lost = std::mem::take(&mut self.batch);
        lost.into_iter().map(|step| step.input).collect()
    }

    /// Between batches: the rows are what the machine would write, and load into the same machine.
    pub fn check_rows(&self) {
        assert_eq!(
            rows_of(&self.machine),
            self.rows,
            "rows are not what the machine holds"
        );
        let again = self.reload();
        assert_eq!(rows_of(&again), self.rows, "rows do not survive a restart");
        assert_eq!(again.running(), self.machine.running());
        let mut period = self.machine.period();
        // The months that a run can reach.
        for _ in 0..4 {
            assert_eq!(
                again.statement(period),
                self.machine.statement(period),
                "{period}"
            );
            let before = period.begins_at().as_millis().saturating_sub(1);
            period = Period::of(Timestamp::from_millis(before));
        }
    }

    fn reload(&self) -> Machine {
        let rows = self.rows.iter();
        let rows = rows.map(|((table, key), value)| (table.as_str(), key.as_str(), value.as_str()));
        Machine::load(rows).expect("own rows load")
    }
}

fn rows_of(machine: &Machine) -> Rows {
    let puts = machine.rows().expect("rows are plain data").into_iter();
    puts.map(|write| match write {
        Write::Put { table, key, value } => ((table.to_owned(), key), value),
        Write::Delete { .. } => panic!("a dump deletes nothing"),
    })
    .collect()
}
