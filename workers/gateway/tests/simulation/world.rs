//! One simulated world: tenants, clients, two isolates that are killed, and alarms.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use clawless_core::Millis;
use clawless_core::limits::Override;
use clawless_core::tenant::TenantSettings;
use clawless_core::time::{Clock, Timer};
use clawless_gateway::ledger::background;
use clawless_testkit::Fault;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join_all};

use super::client::{Client, ClientResponse};
use super::gateway::{Gateway, Shared};
use super::provider::Provider;
use super::random::Random;
use crate::support::{Customer, Deployment};

const TENANTS: usize = 2;
const CLIENTS: usize = 3;

/// A finished world.
pub struct World {
    pub deployment: Rc<Deployment>,
    pub customers: Vec<Rc<Customer>>,
    pub provider: Provider,
    pub responses: Vec<ClientResponse>,
    pub deaths: u32,
}

/// Simulates the world of a seed.
pub fn simulate(seed: u64) -> World {
    let deployment = Deployment::with_seed(seed);
    let shared = Shared {
        deployment: Rc::clone(&deployment),
        random: Random::new(seed),
        is_calm: Rc::new(Cell::new(false)),
    };
    let mut settings = TenantSettings::default();
    settings.limits.requests_per_minute = Override::Unlimited;
    settings.limits.concurrent = Override::Unlimited;
    let provider = Provider::new(&shared);
    let gateways: Vec<_> = (0..2).map(|_| Gateway::new(&shared, &provider)).collect();
    let customers: Vec<Rc<Customer>> = (0..TENANTS)
        .map(|_| Rc::new(deployment.customer_with(settings.clone(), |_| {})))
        .collect();
    let responses: Rc<RefCell<Vec<ClientResponse>>> = Rc::default();
    let clients = (0..TENANTS * CLIENTS).map(|number| {
        let tenant = number % TENANTS;
        let client = Client {
            shared: shared.clone(),
            gateways: gateways.clone(),
            customer: Rc::clone(&customers[tenant]),
            tenant,
            number,
            responses: Rc::clone(&responses),
        };
        client.run()
    });
    let clients = join_all(clients).map(drop).boxed_local();
    let deaths = Rc::new(Cell::new(0));
    let kill_isolates =
        kill_isolates(shared.clone(), gateways.clone(), Rc::clone(&deaths)).boxed_local();
    let alarms = alarms(shared.clone(), customers.clone()).boxed_local();
    run(&deployment, &gateways, clients, vec![kill_isolates, alarms]);
    shared.is_calm.set(true);
    // Reservations expire, the sweeps finish, and parked turns and receipts are sent.
    for _ in 0..4 {
        deployment.time.advance(Millis::from_secs(700));
        for customer in &customers {
            deployment.run_alarm(&customer.tenant);
        }
    }
    let responses = responses.take();
    World {
        deployment,
        customers,
        provider,
        responses,
        deaths: deaths.get(),
    }
}

/// Kills an isolate at random times.
async fn kill_isolates(shared: Shared, gateways: Vec<Rc<Gateway>>, deaths: Rc<Cell<u32>>) {
    let began = shared.deployment.time.now();
    loop {
        let age = shared.deployment.time.now().since(began);
        assert!(age < Millis::from_secs(4 * 3600), "a client waits forever");
        let span = shared.random.millis(20_000);
        shared.deployment.time.sleep(span).await;
        gateways[usize::from(shared.random.percent(50))].die();
        deaths.set(deaths.get() + 1);
    }
}

/// Runs the ledgers' alarms. Their database calls fail too, and are retried.
async fn alarms(shared: Shared, customers: Vec<Rc<Customer>>) {
    let deployment = &shared.deployment;
    loop {
        let span = shared.random.millis(6000);
        deployment.time.sleep(span).await;
        for customer in &customers {
            if shared.random.percent(10) {
                deployment
                    .sql
                    .inject([Some(Fault::After(Fault::CONNECTION_LOST))]);
            }
            let runtime = deployment.runtime(&customer.tenant);
            let work = background::run(
                &*runtime,
                &deployment.time,
                &deployment.sql,
                &customer.tenant,
            );
            let done = work.await;
            deployment.sql.clear_faults();
            drop(done);
        }
    }
}

/// Runs until the clients have finished and no task is left.
fn run(
    deployment: &Deployment,
    gateways: &[Rc<Gateway>],
    clients: LocalBoxFuture<'static, ()>,
    mut others: Vec<LocalBoxFuture<'static, ()>>,
) {
    let mut clients = Some(clients);
    deployment.time.run(poll_fn(move |context| {
        for other in &mut others {
            let _ = other.as_mut().poll(context);
        }
        if let Some(running) = clients.as_mut()
            && running.as_mut().poll(context).is_ready()
        {
            clients = None;
        }
        let mut is_quiet = true;
        for gateway in gateways {
            is_quiet &= gateway.run_tasks(context);
        }
        if clients.is_none() && is_quiet {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }));
}
