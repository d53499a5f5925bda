//! The calls of the hourly clean-up, and the counts of stored content.

use clawless_core::Millis;
use clawless_store::ports::SqlError;
use clawless_store::{expiry, storage};
use clawless_testkit::block_on;

use super::Caller;
use crate::fixture::Digest;

impl Caller<'_> {
    pub(super) fn retention(&self, results: &mut Digest) {
        let (sql, tenant, now) = (&self.fixture.database, self.id, self.random.now);
        let cutoff = now.minus(Millis::from_secs(60));
        let sessions = [self.session().clone(), self.session().clone()];
        match self.random.below(7) {
            0 => results.add(&block_on(expiry::idle_sessions(
                sql, tenant, cutoff, now, 5,
            ))),
            1 => {
                let delete = expiry::delete_turns(sql, tenant, &sessions, now, 3);
                results.add(&block_on(delete));
            }
            2 => {
                let delete = expiry::delete_executions(sql, tenant, &sessions, now, 3);
                results.add(&block_on(delete));
            }
            3 => {
                let delete = expiry::delete_sessions(sql, tenant, &sessions, now);
                results.add(&block_on(delete));
            }
            4 => {
                let forget = async |_: &[_]| Ok::<_, SqlError>(());
                let delete = expiry::delete_old_turns(sql, tenant, cutoff, 2, forget);
                results.add(&block_on(delete));
            }
            5 => {
                let delete = expiry::delete_old_records(sql, tenant, cutoff, 2);
                results.add(&block_on(delete));
            }
            _ => {
                results.add(&block_on(storage::count(sql, tenant)));
                let session = &sessions[0];
                results.add(&block_on(storage::of_session(sql, tenant, session, now)));
            }
        }
    }
}
