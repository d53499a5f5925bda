//! Receipts are stored once, in any order, and the highest revision wins.

use clawless_core::ledger::{Amounts, Period, Provenance, Receipt};
use clawless_core::{Clock, KeyId, MicroDollars, RequestId, Tokens};
use clawless_store::receipts::{charged, is_stored, store};
use clawless_testkit::block_on;

use crate::fixture::Fixture;

fn amounts(tokens: u64) -> Amounts {
    Amounts {
        messages: 1,
        tokens: Tokens::new(tokens),
        micro_dollars: MicroDollars::new(3 * tokens),
    }
}

pub(crate) fn receipt(fixture: &Fixture, tokens: u64) -> Receipt {
    let now = fixture.clock.now();
    Receipt {
        request_id: RequestId::generate(now, &fixture.entropy),
        revision: 0,
        key_id: KeyId::generate(now, &fixture.entropy),
        session_id: None,
        model: "small".to_owned(),
        period: Period::of(now),
        granted_at: now,
        closed_at: now,
        reserved: amounts(100),
        charged: amounts(tokens),
        tokens_in: Tokens::new(tokens),
        tokens_out: Tokens::ZERO,
        provenance: Provenance::Swept,
        replaces: None,
        stored: clawless_core::Storage::ZERO,
    }
}

fn charged_to(fixture: &Fixture, tenant: &clawless_core::TenantId) -> Amounts {
    let period = Period::of(fixture.clock.now());
    block_on(charged(&fixture.database, tenant, period)).expect("succeeds")
}

#[test]
fn repeated_receipt_is_charged_once() {
    let fixture = Fixture::new();
    let receipts = [receipt(&fixture, 10), receipt(&fixture, 20)];
    for _ in 0..2 {
        block_on(store(&fixture.database, &fixture.ours, &receipts)).expect("stored");
    }
    assert_eq!(charged_to(&fixture, &fixture.ours).tokens, Tokens::new(30));
    let stored = is_stored(&fixture.database, &fixture.ours, &receipts[0].request_id);
    assert_eq!(block_on(stored), Ok(true));
}

#[test]
fn higher_revision_wins_in_any_order() {
    for order in [[0, 1], [1, 0]] {
        let fixture = Fixture::new();
        let swept = receipt(&fixture, 10);
        let settled = Receipt {
            revision: 1,
            charged: amounts(25),
            ..swept.clone()
        };
        let both = [swept, settled];
        for index in order {
            block_on(store(
                &fixture.database,
                &fixture.ours,
                &both[index..=index],
            ))
            .expect("stored");
        }
        assert_eq!(charged_to(&fixture, &fixture.ours), amounts(25));
    }
}

#[test]
fn tenant_is_charged_only_for_its_own_requests() {
    let fixture = Fixture::new();
    let shared = receipt(&fixture, 10);
    block_on(store(
        &fixture.database,
        &fixture.ours,
        std::slice::from_ref(&shared),
    ))
    .expect("stored");
    assert_eq!(charged_to(&fixture, &fixture.theirs), Amounts::ZERO);
    let stored = is_stored(&fixture.database, &fixture.theirs, &shared.request_id);
    assert_eq!(block_on(stored), Ok(false));
    let theirs = Receipt {
        charged: amounts(7),
        ..shared
    };
    block_on(store(&fixture.database, &fixture.theirs, &[theirs])).expect("stored");
    assert_eq!(charged_to(&fixture, &fixture.ours), amounts(10));
}
