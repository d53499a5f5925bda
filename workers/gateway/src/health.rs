//! `GET /health`: whether each part answers. Tells no secrets and needs no key.

use std::rc::Rc;

use clawless_core::{ApiError, Clock};
use clawless_edge::response::HttpResponse;
use clawless_edge::time::EdgeTime;
use futures_util::future::join5;
use serde::Serialize;

use crate::bindings::{self, Bindings};
use crate::platform::Platform;

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

/// Which parts answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an answer of its own"
)]
pub struct Health {
    /// D1.
    pub database: bool,
    /// The tenants' ledgers.
    pub ledger: bool,
    /// KV.
    pub cache: bool,
    /// The admin Worker.
    pub admin: bool,
    /// The widget server.
    pub widget: bool,
}

/// Asks every dependency at once, unless that was done within the last seconds. 200 while chats can
/// be served: `ok`, or `degraded` where a part that chats do not need is missing; 503 `down` without
/// the database or the ledger.
///
/// # Errors
/// An internal error where the report cannot be written.
pub async fn report(bindings: &Rc<Bindings>) -> Result<HttpResponse, ApiError> {
    let memory = bindings.memory();
    let health = if let Some(known) = memory.health(EdgeTime.now()) {
        known
    } else {
        let found = look(bindings).await;
        memory.remember_health(found, EdgeTime.now());
        found
    };
    let serves = health.database && health.ledger;
    let status = match (serves, health.cache && health.admin && health.widget) {
        (false, _) => "down",
        (true, false) => "degraded",
        (true, true) => "ok",
    };
    let word = |answers| if answers { "ok" } else { "unavailable" };
    let dependencies = Dependencies {
        database: word(health.database),
        ledger: word(health.ledger),
        cache: word(health.cache),
        admin: word(health.admin),
        widget: word(health.widget),
    };
    let answer = HttpResponse::of(&Report {
        status,
        dependencies,
    })?;
    Ok(HttpResponse {
        status: if serves { 200 } else { 503 },
        ..answer
    })
}

async fn look(bindings: &Bindings) -> Health {
    let (database, ledger, cache, admin, widget) = join5(
        bindings.database_answers(),
        bindings.ledger_answers(),
        bindings.cache_answers(),
        bindings.service_answers(bindings::ADMIN),
        bindings.service_answers(bindings::WIDGET),
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
