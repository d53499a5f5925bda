//! The hourly deletion of expired data serves every tenant.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use std::rc::Rc;

use clawless_core::TenantId;
use clawless_core::ledger::{Input, Output};
use clawless_core::tenant::TenantSettings;
use clawless_core::time::{Clock, Millis};
use clawless_edge::ledger::{Ledger, LedgerError};
use clawless_gateway::retention::Cleanup;
use support::Deployment;

const HOUR: Millis = Millis::from_secs(60 * 60);
const DAY: Millis = Millis::from_secs(24 * 60 * 60);

/// More turns than one run deletes.
const ENDLESS: u32 = 60_000;

/// Ledgers of which one does not answer.
struct Ledgers<'a> {
    deployment: &'a Deployment,
    silent: Option<&'a TenantId>,
}

impl Ledger for Ledgers<'_> {
    async fn call(&self, tenant: &TenantId, input: Input) -> Result<Output, LedgerError> {
        if Some(tenant) == self.silent {
            return Err(LedgerError::Silent);
        }
        self.deployment.call(tenant, input).await
    }
}

/// Tenants, by id, with these days of retention.
fn tenants(deployment: &Deployment, count: usize, days: Option<u32>) -> Vec<TenantId> {
    let settings = TenantSettings {
        retention_days: days,
        ..TenantSettings::default()
    };
    let create = || deployment.customer_with(settings.clone(), |_| {}).tenant;
    let mut tenants: Vec<TenantId> = std::iter::repeat_with(create).take(count).collect();
    tenants.sort();
    tenants
}

/// Stores a session with so many turns, which expires now or never.
fn store(deployment: &Deployment, tenant: &TenantId, session: &str, turns: u32, expires: bool) {
    let now = deployment.time.now().as_millis();
    let expires_at = if expires {
        now.to_string()
    } else {
        "NULL".to_owned()
    };
    deployment.sql.run_script(&format!(
        "INSERT INTO sessions (tenant_id, id, expires_at, created_at, updated_at)
         VALUES ('{tenant}', '{session}', {expires_at}, {now}, {now});
         WITH RECURSIVE numbers (number) AS (
           SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {turns})
         INSERT INTO turns (tenant_id, session_id, seq, request_id, status, model, provider,
                            provenance, created_at)
         SELECT '{tenant}', '{session}', number,
                'req_' || printf('%026d', number + (SELECT count(*) FROM turns)),
                'complete', 'small', 'scripted', 'provider', {now}
         FROM numbers;"
    ));
}

/// The turns of these tenants.
fn turns(deployment: &Deployment, tenants: &[TenantId]) -> i64 {
    let names: Vec<String> = tenants.iter().map(|id| format!("'{id}'")).collect();
    let names = names.join(", ");
    let sql = format!("SELECT count(*) FROM turns WHERE tenant_id IN ({names})");
    deployment.sql.count(&sql)
}

fn clean(deployment: &Rc<Deployment>, silent: Option<&TenantId>) -> bool {
    let cleanup = Cleanup {
        sql: &deployment.sql,
        kv: &deployment.kv,
        ledger: &Ledgers { deployment, silent },
        clock: &deployment.time,
    };
    deployment.run(cleanup.run()).expect("the database works")
}

#[test]
fn each_of_100_tenants_is_cleaned_within_four_hours() {
    let deployment = Deployment::new();
    let tenants = tenants(&deployment, 100, Some(1));
    for tenant in &tenants {
        store(&deployment, tenant, "old", 1, false);
    }
    deployment.time.advance(DAY);
    let left = [(); 4].map(|()| {
        deployment.time.advance(HOUR);
        assert!(!clean(&deployment, None), "no run reaches them all");
        turns(&deployment, &tenants)
    });
    assert!(left[0] > 0, "{left:?}");
    assert_eq!(left[3], 0, "{left:?}");
}

#[test]
fn a_tenant_with_more_than_a_run_deletes_delays_no_other() {
    let deployment = Deployment::new();
    let tenants = tenants(&deployment, 30, Some(1));
    let (first, others) = tenants.split_first().expect("tenants");
    store(&deployment, first, "old", ENDLESS, false);
    for tenant in others {
        store(&deployment, tenant, "old", 1, false);
    }
    deployment.time.advance(DAY);
    deployment.time.advance(HOUR);
    assert!(!clean(&deployment, None));
    assert_eq!(turns(&deployment, others), 0);
    let left = turns(&deployment, std::slice::from_ref(first));
    assert!(left > 0 && left < i64::from(ENDLESS), "{left}");
}

#[test]
fn expired_sessions_of_one_tenant_delay_neither_those_of_another_nor_a_retention() {
    let deployment = Deployment::new();
    let expiring = tenants(&deployment, 2, None);
    let retaining = tenants(&deployment, 5, Some(1));
    let (first, second) = expiring.split_first().expect("tenants");
    for number in 0..150 {
        store(
            &deployment,
            first,
            &format!("s{number}"),
            ENDLESS / 150,
            true,
        );
    }
    deployment.time.advance(Millis::new(1));
    store(&deployment, &expiring[1], "later", 1, true);
    for tenant in &retaining {
        store(&deployment, tenant, "old", 1, false);
    }
    deployment.time.advance(DAY);
    assert!(!clean(&deployment, None));
    assert_eq!(turns(&deployment, second), 0);
    assert_eq!(turns(&deployment, &retaining), 0);
    let left = turns(&deployment, std::slice::from_ref(first));
    assert!(left > 0 && left < i64::from(ENDLESS), "{left}");
}

#[test]
fn a_tenant_whose_ledger_fails_stops_no_other() {
    let deployment = Deployment::new();
    let tenants = tenants(&deployment, 10, Some(2));
    for tenant in &tenants {
        store(&deployment, tenant, "old", 1, false);
        store(&deployment, tenant, "expiring", 1, true);
    }
    deployment.time.advance(DAY);
    // A session in use, with a turn whose id is that of an old one.
    for tenant in &tenants {
        store(&deployment, tenant, "used", 1, false);
    }
    deployment.time.advance(DAY);
    let silent = &tenants[0];
    assert!(!clean(&deployment, Some(silent)), "it is not finished");
    let others = &tenants[1..];
    assert_eq!(turns(&deployment, others), 0);
    assert!(turns(&deployment, std::slice::from_ref(silent)) > 0);
    assert!(clean(&deployment, None));
    assert_eq!(turns(&deployment, &tenants), 0);
}
