//! `GET /health`: whether each part answers. Tells no secrets and needs no key.

use std::rc::Rc;

use clawless_core::ApiError;
use clawless_edge::answer::Answer;
use futures_util::future::join5;
use serde::Serialize;

use crate::bindings::{self, Bindings};

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

/// Asks every dependency at once. 200 while chats can be served: `ok`, or `degraded` where a part
/// that chats do not need is missing; 503 `down` without the database or
/// the ledger.
///
/// # Errors
/// An internal error where the report cannot be written.
pub async fn report(bindings: &Rc<Bindings>) -> Result<Answer, ApiError> {
    let (database, ledger, cache, admin, widget) = join5(
        bindings.database_answers(),
        bindings.ledger_answers(),
        bindings.cache_answers(),
        bindings.service_answers(bindings::ADMIN),
        bindings.service_answers(bindings::WIDGET),
    )
    .await;
    let status = match (database && ledger, cache && admin && widget) {
        (false, _) => "down",
        (true, false) => "degraded",
        (true, true) => "ok",
    };
    let word = |answers| if answers { "ok" } else { "unavailable" };
    let dependencies = Dependencies {
        database: word(database),
        ledger: word(ledger),
        cache: word(cache),
        admin: word(admin),
        widget: word(widget),
    };
    let answer = Answer::of(&Report {
        status,
        dependencies,
    })?;
    Ok(Answer {
        status: if database && ledger { 200 } else { 503 },
        ..answer
    })
}
