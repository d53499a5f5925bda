//! `GET /health`: whether each part responds. It shows no secrets and needs no key.

use clawless_core::{ApiError, Clock};
use clawless_edge::http::{Call, HttpResponse};
use clawless_edge::time::EdgeTime;
use futures_util::future::join5;
use serde::Serialize;

use crate::platform::Platform;
use crate::platform::binding_names::{ADMIN, WIDGET};
use crate::platform::bindings::Bindings;
use crate::platform::health::Health;

#[derive(Serialize)]
struct Report {
    status: &'static str,
    dependencies: Dependencies,
}

#[derive(Serialize)]
struct Dependencies {
    database: &'static str,
    ledger: &'static str,
    cache: &'static str,
    admin: &'static str,
    widget: &'static str,
}

/// Checks every dependency at once, unless the isolate did so within the last seconds. 200 while chats
/// can be served: `ok`, or `degraded` if a part that chats do not need is missing; 503 `down`
/// without the database or the ledger.
///
/// # Errors
/// An internal error if the report cannot be written.
pub async fn show(call: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    let memory = call.platform.memory();
    let health = if let Some(known) = memory.health(EdgeTime.now()) {
        known
    } else {
        let found = check(&call.platform).await;
        memory.cache_health(found, EdgeTime.now());
        found
    };
    let serves = health.database && health.ledger;
    let status = match (serves, health.cache && health.admin && health.widget) {
        (false, _) => "down",
        (true, false) => "degraded",
        (true, true) => "ok",
    };
    let word = |responds| if responds { "ok" } else { "unavailable" };
    let dependencies = Dependencies {
        database: word(health.database),
        ledger: word(health.ledger),
        cache: word(health.cache),
        admin: word(health.admin),
        widget: word(health.widget),
    };
    let response = HttpResponse::of(&Report {
        status,
        dependencies,
    })?;
    Ok(response.with_status(if serves { 200 } else { 503 }))
}

async fn check(bindings: &Bindings) -> Health {
    let (database, ledger, cache, admin, widget) = join5(
        bindings.database_answers(),
        bindings.ledger_answers(),
        bindings.cache_answers(),
        bindings.service_answers(ADMIN),
        bindings.service_answers(WIDGET),
    )
    .await;
    Health {
        database,
        ledger,
        cache,
        admin,
        widget,
    }
}
