//! Tenants change together with their lines in the audit log, by the record that was read.

use clawless_core::tenant::TenantStatus;
use clawless_core::{Clock, Tenant, TenantId};
use clawless_store::{audit, tenants};
use clawless_testkit::block_on;

use crate::key_changes::entry;
use crate::world::World;

fn find(world: &World, id: &TenantId) -> Option<Tenant> {
    block_on(tenants::find(&world.database, id)).expect("runs")
}

#[test]
fn a_tenant_is_created_and_changed_with_a_line_each() {
    let world = World::new();
    let fresh = Tenant {
        id: TenantId::generate(world.clock.now(), &world.entropy),
        ..find(&world, &world.ours).expect("there")
    };
    let noted = entry(&world, "tenant.create", fresh.id.as_str());
    block_on(tenants::create(&world.database, &fresh, &noted)).expect("runs");
    let changed = Tenant {
        status: TenantStatus::Suspended,
        version: 2,
        ..fresh
    };
    let change = || {
        let noted = entry(&world, "tenant.update", changed.id.as_str());
        block_on(tenants::update(&world.database, &changed, &noted))
    };
    assert_eq!(change(), Ok(true));
    assert_eq!(change(), Ok(false), "the record has changed since");
    let log = audit::list(&world.database, &changed.id, None, 10);
    assert_eq!(block_on(log).expect("runs").len(), 2);
    assert_eq!(find(&world, &changed.id), Some(changed));
}

#[test]
fn tenants_are_listed_page_by_page() {
    let world = World::new();
    let mut ids = [world.ours.clone(), world.theirs.clone()];
    ids.sort();
    let page = |after: Option<&TenantId>| -> Vec<TenantId> {
        let list = tenants::list_across_tenants(&world.database, after, 1);
        let found = block_on(list).expect("runs").into_iter();
        found.map(|tenant| tenant.id).collect()
    };
    assert_eq!(page(None), ids[..1]);
    assert_eq!(page(Some(&ids[0])), ids[1..]);
    assert_eq!(page(Some(&ids[1])), []);
}
