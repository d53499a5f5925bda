//! Calls of single requests: idempotency claims, receipts, tool executions and sends.

use clawless_core::ledger::{Amounts, Period, Receipt};
use clawless_core::{MicroDollars, Millis, Provenance, Tokens};
use clawless_store::idempotency::{self, ClaimRequest};
use clawless_store::sends::{self, NewSend};
use clawless_store::{receipts, tool_executions, usage};
use clawless_testkit::block_on;

use super::Caller;
use crate::fixture::Digest;

impl Caller<'_> {
    pub(super) fn idempotency(&self, results: &mut Digest) {
        let (sql, tenant, now) = (&self.fixture.database, self.id, self.random.now);
        let (response, request) = (self.response(), self.request());
        let claim_key = idempotency::ClaimKey {
            key: &response.key,
            route: &response.route,
            idempotency_key: &response.idempotency_key,
        };
        match self.random.below(6) {
            0 => results.add(&block_on(idempotency::finish(
                sql, tenant, request, &response,
            ))),
            1 => results.add(&block_on(idempotency::release(
                sql, tenant, claim_key, request,
            ))),
            _ => {
                let body_digest = idempotency::digest(None, None, &[u8::from(self.random.coin())]);
                let new = ClaimRequest {
                    body_digest: &body_digest,
                    request,
                    now,
                    deadline: now.plus(Millis::from_secs(100)),
                    abandoned: None,
                };
                results.add(&block_on(idempotency::claim(sql, tenant, claim_key, new)));
            }
        }
    }

    pub(super) fn receipts(&self, results: &mut Digest) {
        let (sql, tenant, now) = (&self.fixture.database, self.id, self.random.now);
        let request = self.request();
        match self.random.below(6) {
            0 => results.add(&block_on(receipts::is_stored(sql, tenant, request))),
            1 => results.add(&block_on(receipts::charged(sql, tenant, Period::of(now)))),
            2 => {
                let span = (now.minus(Millis::from_secs(3600)), now);
                results.add(&block_on(usage::by_day_model_and_key(
                    sql, tenant, span, 100,
                )));
            }
            _ => {
                let amounts = Amounts {
                    messages: 1,
                    tokens: Tokens::new(self.random.below(1000)),
                    micro_dollars: MicroDollars::new(3),
                };
                let receipt = Receipt {
                    request_id: request.clone(),
                    revision: u32::try_from(self.random.below(4)).expect("fits"),
                    key_id: self.random.choose(&self.fixture.pools.keys).clone(),
                    session_id: Some(self.session().clone()),
                    model: self.mark(),
                    period: Period::of(now),
                    granted_at: now,
                    closed_at: now,
                    reserved: amounts,
                    charged: amounts,
                    tokens_in: amounts.tokens,
                    tokens_out: Tokens::ZERO,
                    provenance: Provenance::Provider,
                    replaces: None,
                    stored: clawless_core::Storage::ZERO,
                };
                results.add(&block_on(receipts::store(sql, tenant, &[receipt])));
            }
        }
    }

    pub(super) fn tools(&self, results: &mut Digest) {
        let (sql, tenant) = (&self.fixture.database, self.id);
        if self.random.coin() {
            let execution = self.execution(None, self.request().clone());
            results.add(&block_on(tool_executions::record(
                sql,
                tenant,
                &[execution],
            )));
        } else {
            let session = self.session();
            results.add(&block_on(tool_executions::list(
                sql, tenant, session, None, 5,
            )));
        }
    }

    pub(super) fn sends(&self, results: &mut Digest) {
        let (sql, tenant, now) = (&self.fixture.database, self.id, self.random.now);
        let (id, request) = (
            self.random.choose(&self.fixture.pools.sends),
            self.request(),
        );
        match self.random.below(8) {
            0..=2 => {
                let message = self.mark();
                let new = NewSend {
                    id,
                    session: self.session(),
                    key: self.random.choose(&self.fixture.pools.keys),
                    origin: request.as_str(),
                    path: &[],
                    hops: 1,
                    message: &message,
                };
                results.add(&block_on(sends::accept(sql, tenant, new, now)));
            }
            3 => results.add(&block_on(sends::find(sql, tenant, id))),
            4..=5 => {
                let claimed = block_on(sends::claim(sql, tenant, id, request, None, now));
                results.add(&claimed);
                if self.random.coin() {
                    let release = sends::release(sql, tenant, id, request, "conflict", now);
                    results.add(&block_on(release));
                }
            }
            6 => {
                let request = self.request();
                results.add(&block_on(sends::fail(
                    sql, tenant, id, request, "conflict", now,
                )));
            }
            _ => results.add(&block_on(sends::give_up(sql, tenant, id, "conflict", now))),
        }
    }
}
