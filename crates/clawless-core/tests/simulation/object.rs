//! The Durable Object: a machine, its persisted rows, and atomic batches.

use std::collections::BTreeMap;

use clawless_core::Timestamp;
use clawless_core::ledger::{Input, Machine, Output, Period, Write};

type Rows = BTreeMap<(String, String), String>;

/// One input, its output, and the month at that time.
pub struct Step {
    pub input: Input,
    pub output: Output,
    pub period: Period,
}

#[derive(Default)]
pub struct Object {
    pub machine: Machine,
    rows: Rows,
    /// Inputs whose outputs are not sent yet.
    batch: Vec<Step>,
}

impl Object {
    /// Applies an input and adds it to the batch.
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

    /// Persists the batch and returns its outputs.
    pub fn commit(&mut self) -> Vec<Step> {
        let writes = self.machine.take_writes().expect("rows are plain data");
        let free =
            |step: &Step| matches!(&step.input, Input::Pass(pass) if pass.caller.config.is_none());
        let all_free = self.batch.iter().all(free);
        assert!(
            !all_free || writes.is_empty(),
            "a request without cost wrote {writes:?}"
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

    /// Loses the batch and restarts from the rows. Returns the unanswered inputs.
    pub fn crash(&mut self) -> Vec<Input> {
        self.machine = self.reload();
        let lost = std::mem::take(&mut self.batch);
        lost.into_iter().map(|step| step.input).collect()
    }

    /// Between batches: the rows equal those of the machine, and load into an equal machine.
    pub fn check_rows(&self) {
        assert_eq!(
            rows_of(&self.machine),
            self.rows,
            "persisted rows differ from the machine"
        );
        let reloaded = self.reload();
        assert_eq!(rows_of(&reloaded), self.rows, "rows change in a restart");
        assert_eq!(reloaded.running(), self.machine.running());
        let mut period = self.machine.period();
        // A run spans at most four months.
        for _ in 0..4 {
            assert_eq!(
                reloaded.statement(period),
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
        Machine::load(rows).expect("valid rows")
    }
}

fn rows_of(machine: &Machine) -> Rows {
    let puts = machine.rows().expect("rows are plain data").into_iter();
    puts.map(|write| match write {
        Write::Put { table, key, value } => ((table.to_owned(), key), value),
        Write::Delete { .. } => panic!("rows() returned a deletion"),
    })
    .collect()
}
