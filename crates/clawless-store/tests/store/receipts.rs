//! Receipts are stored once, in any order, and the newest revision counts.

use clawless_core::ledger::{Amounts, Period, Provenance, Receipt};
use clawless_core::{Clock, KeyId, MicroDollars, RequestId, Tokens};
use clawless_store::receipts::{charged, is_stored, store};
use clawless_testkit::block_on;

use crate::world::World;

fn amounts(tokens: u64) -> Amounts {
    Amounts {
        messages: 1,
        tokens: Tokens::new(tokens),
        micro_dollars: MicroDollars::new(3 * tokens),
    }
}

pub(crate) fn receipt(world: &World, tokens: u64) -> Receipt {
    let now = world.clock.now();
    Receipt {
        request_id: RequestId::generate(now, &world.entropy),
        revision: 0,
        key_id: KeyId::generate(now, &world.entropy),
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
    }
}

fn charged_to(world: &World, tenant: &clawless_core::TenantId) -> Amounts {
    let period = Period::of(world.clock.now());
    block_on(charged(&world.database, tenant, period)).expect("runs")
}

#[test]
fn a_receipt_that_comes_twice_is_charged_once() {
    let world = World::new();
    let receipts = [receipt(&world, 10), receipt(&world, 20)];
    for _ in 0..2 {
        block_on(store(&world.database, &world.ours, &receipts)).expect("stored");
    }
    assert_eq!(charged_to(&world, &world.ours).tokens, Tokens::new(30));
    let known = is_stored(&world.database, &world.ours, &receipts[0].request_id);
    assert_eq!(block_on(known), Ok(true));
}

#[test]
fn a_correction_replaces_what_the_sweep_wrote_whichever_comes_first() {
    for order in [[0, 1], [1, 0]] {
        let world = World::new();
        let swept = receipt(&world, 10);
        let settled = Receipt {
            revision: 1,
            charged: amounts(25),
            ..swept.clone()
        };
        let both = [swept, settled];
        for index in order {
            block_on(store(&world.database, &world.ours, &both[index..=index])).expect("stored");
        }
        assert_eq!(charged_to(&world, &world.ours), amounts(25));
    }
}

#[test]
fn a_tenant_is_charged_for_its_own_calls_only() {
    let world = World::new();
    let shared = receipt(&world, 10);
    block_on(store(
        &world.database,
        &world.ours,
        std::slice::from_ref(&shared),
    ))
    .expect("stored");
    assert_eq!(charged_to(&world, &world.theirs), Amounts::ZERO);
    let known = is_stored(&world.database, &world.theirs, &shared.request_id);
    assert_eq!(block_on(known), Ok(false));
    let theirs = Receipt {
        charged: amounts(7),
        ..shared
    };
    block_on(store(&world.database, &world.theirs, &[theirs])).expect("stored");
    assert_eq!(charged_to(&world, &world.ours), amounts(10));
}
