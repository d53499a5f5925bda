//! `GET /v1/models` and `GET /v1/models/{id}`.

use clawless_api::models::{ModelList, ModelObject};
use clawless_core::ledger::EndpointClass;
use clawless_core::model::AUTO;
use clawless_core::{ApiError, Scope};
use clawless_edge::response::HttpResponse;

use crate::admit::check_rate_and_scope;
use crate::caller::Caller;
use crate::config::Config;
use crate::platform::Platform;
use crate::route::{aliases, may_use, not_found};

/// Lists the models that the caller may use, after `auto` and the aliases.
///
/// # Errors
/// 403 without the scope `chat`.
pub async fn list<P: Platform>(platform: &P, caller: &Caller) -> Result<HttpResponse, ApiError> {
    let rates = check_rate_and_scope(platform, caller, EndpointClass::Read, Scope::Chat).await?;
    let list: ModelList<'_> = entries(platform.config(), caller).collect();
    let answer = HttpResponse::of(&list)?;
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
) -> Result<HttpResponse, ApiError> {
    let rates = check_rate_and_scope(platform, caller, EndpointClass::Read, Scope::Chat).await?;
    let found = entries(platform.config(), caller).find(|entry| entry.id() == id);
    let found = found.ok_or_else(|| not_found(id).headers(rates.pairs()))?;
    Ok(HttpResponse::of(&found)?.with_headers(rates.pairs()))
}

/// Checks that a name is one of those that the caller may ask for.
///
/// # Errors
/// 404 in `OpenAI`'s words.
pub fn require_known(config: &Config, caller: &Caller, name: Option<&str>) -> Result<(), ApiError> {
    match name {
        Some(name) if !entries(config, caller).any(|entry| entry.id() == name) => {
            Err(not_found(name))
        }
        _ => Ok(()),
    }
}

/// `auto`, the aliases that lead somewhere, and the models, each name once.
fn entries<'a>(config: &'a Config, caller: &'a Caller) -> impl Iterator<Item = ModelObject<'a>> {
    let ours = std::iter::once(AUTO).chain(aliases(config, caller.tenant()));
    let ours = ours.map(|name| (name, "clawless"));
    let models = config.models.iter().enumerate().filter(|(at, model)| {
        let mut before = config.models.iter().take(*at);
        may_use(caller.tenant(), &model.id) && before.all(|other| other.id != model.id)
    });
    let models = models.map(|(_, model)| (model.id.as_str(), model.provider.as_str()));
    ours.chain(models)
        .map(|(id, owned_by)| ModelObject::new(id, owned_by))
}
