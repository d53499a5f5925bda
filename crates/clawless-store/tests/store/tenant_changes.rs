//! Tenants change together with their audit entries, based on the record that was read.

use clawless_core::tenant::TenantStatus;
use clawless_core::{Clock, Tenant, TenantId};
use clawless_store::{audit, tenants};
use clawless_testkit::block_on;

use crate::fixture::Fixture;
use crate::key_changes::entry;

fn find(fixture: &Fixture, id: &TenantId) -> Option<Tenant> {
    block_on(tenants::find(&fixture.database, id)).expect("succeeds")
}

#[test]
fn tenant_changes_are_audited() {
    let fixture = Fixture::new();
    let fresh = Tenant {
        id: TenantId::generate(fixture.clock.now(), &fixture.entropy),
        ..find(&fixture, &fixture.ours).expect("found")
    };
    let audit_entry = entry(&fixture, "tenant.create", fresh.id.as_str());
    block_on(tenants::create(&fixture.database, &fresh, &audit_entry)).expect("succeeds");
    let changed = Tenant {
        status: TenantStatus::Suspended,
        version: 2,
        ..fresh
    };
    let change = || {
        let audit_entry = entry(&fixture, "tenant.update", changed.id.as_str());
        block_on(tenants::update(&fixture.database, &changed, &audit_entry))
    };
    assert_eq!(change(), Ok(true));
    assert_eq!(change(), Ok(false), "the record has changed since");
    let log = audit::list(&fixture.database, &changed.id, None, 10);
    assert_eq!(block_on(log).expect("succeeds").len(), 2);
    assert_eq!(find(&fixture, &changed.id), Some(changed));
}

#[test]
fn tenants_are_listed_in_pages() {
    let fixture = Fixture::new();
    let mut ids = [fixture.ours.clone(), fixture.theirs.clone()];
    ids.sort();
    let page = |after: Option<&TenantId>| -> Vec<TenantId> {
        let list = tenants::list_across_tenants(&fixture.database, after, 1);
        let found = block_on(list).expect("succeeds").into_iter();
        found.map(|tenant| tenant.id).collect()
    };
    assert_eq!(page(None), ids[..1]);
    assert_eq!(page(Some(&ids[0])), ids[1..]);
    assert_eq!(page(Some(&ids[1])), []);
}
