//! Usage is summed by day, model and key, for a tenant and a time span.

use clawless_core::ledger::Receipt;
use clawless_core::{Clock, Millis, TenantId, Timestamp, Tokens};
use clawless_store::{receipts, usage};
use clawless_testkit::block_on;

use crate::fixture::Fixture;
use crate::receipts::receipt;

const DAY: Millis = Millis::from_secs(86_400);

fn store(fixture: &Fixture, tenant: &TenantId, receipt: Receipt) {
    block_on(receipts::store(&fixture.database, tenant, &[receipt])).expect("stored");
}

#[test]
fn attack_25_usage_is_summed_by_day_model_and_key_for_one_tenant() {
    let fixture = Fixture::new();
    let now = fixture.clock.now();
    let first = receipt(&fixture, 10);
    let again = Receipt {
        key_id: first.key_id.clone(),
        ..receipt(&fixture, 20)
    };
    let other_model = Receipt {
        model: "large".to_owned(),
        ..receipt(&fixture, 40)
    };
    let next_day = Receipt {
        closed_at: now.plus(DAY),
        ..receipt(&fixture, 80)
    };
    for receipt in [first, again, other_model, next_day] {
        store(&fixture, &fixture.ours, receipt);
    }
    store(&fixture, &fixture.theirs, receipt(&fixture, 1000));
    let of = |tenant: &TenantId, to: Timestamp| {
        let query = usage::by_day_model_and_key(&fixture.database, tenant, (now, to), 100);
        block_on(query).expect("succeeds")
    };
    let all = of(&fixture.ours, now.plus(DAY).plus(DAY));
    let sums: Vec<(&str, u64, u64)> = all
        .iter()
        .map(|row| (row.model.as_str(), row.sums.messages, row.sums.tokens.get()))
        .collect();
    assert_eq!(sums, [("large", 1, 40), ("small", 2, 30), ("small", 1, 80)]);
    assert!(all[0].day == all[1].day && all[1].day < all[2].day);
    assert_eq!(all[0].day.len(), "2026-01-01".len());
    assert_eq!(all[1].sums.tokens_in, Tokens::new(30));
    assert_eq!(
        of(&fixture.ours, now.plus(DAY)).len(),
        2,
        "the end is exclusive"
    );

    let page = |after, limit| {
        let span = (now, now.plus(DAY));
        let query = usage::by_tenant_across_tenants(&fixture.database, after, span, limit);
        block_on(query).expect("succeeds")
    };
    let mut tokens: Vec<u64> = page(None, 10)
        .iter()
        .map(|row| row.sums.tokens.get())
        .collect();
    tokens.sort_unstable();
    assert_eq!(tokens, [70, 1000]);
    let first = page(None, 1);
    assert_eq!(first.len(), 1);
    let rest = page(Some(&first[0].tenant_id), 10);
    assert_eq!(rest.len(), 1);
    assert_ne!(rest[0].tenant_id, first[0].tenant_id);
}
