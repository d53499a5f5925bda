//! `GET /v1/models` and `GET /v1/models/{id}`.

use clawless_core::ledger::EndpointClass;
use clawless_core::model::AUTO;
use clawless_core::{ApiError, Scope};
use clawless_edge::answer::Answer;
use serde::Serialize;

use crate::admit::pass;
use crate::caller::Caller;
use crate::config::Config;
use crate::platform::Platform;
use crate::route::{may_use, not_found};

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    object: &'static str,
    /// Providers do not tell when a model was made, so we tell none.
    created: u64,
    owned_by: &'a str,
}

/// Lists the models that the caller may use, `auto` first.
///
/// # Errors
/// 403 without the scope `chat`.
pub async fn list<P: Platform>(platform: &P, caller: &Caller) -> Result<Answer, ApiError> {
    caller.require(Scope::Chat)?;
    let rates = pass(platform, caller, EndpointClass::Read).await?;
    let answer = Answer::of(&List {
        object: "list",
        data: entries(platform.config(), caller).collect(),
    })?;
    Ok(answer.with_headers(rates.pairs()))
}

/// Describes one model.
///
/// # Errors
/// 404 where there is none of that name for the caller, 403 without the scope `chat`.
pub async fn retrieve<P: Platform>(
    platform: &P,
    caller: &Caller,
    id: &str,
) -> Result<Answer, ApiError> {
    caller.require(Scope::Chat)?;
    let rates = pass(platform, caller, EndpointClass::Read).await?;
    let found = entries(platform.config(), caller).find(|entry| entry.id == id);
    let found = found.ok_or_else(|| not_found(id).headers(rates.pairs()))?;
    Ok(Answer::of(&found)?.with_headers(rates.pairs()))
}

fn entries<'a>(config: &'a Config, caller: &'a Caller) -> impl Iterator<Item = Entry<'a>> {
    let auto = Entry {
        id: AUTO,
        object: "model",
        created: 0,
        owned_by: "clawless",
    };
    let models = config
        .models()
        .filter(|(_, model)| may_use(caller.tenant(), &model.id));
    std::iter::once(auto).chain(models.map(|(provider, model)| Entry {
        id: &model.id,
        object: "model",
        created: 0,
        owned_by: &provider.name,
    }))
}
