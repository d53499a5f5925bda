//! `GET /v1/models` and `GET /v1/models/{id}`.

use clawless_api::models::{ModelList, ModelObject};
use clawless_core::ApiError;
use clawless_core::model::AUTO;
use clawless_edge::http::{Call, HttpResponse};

use crate::caller::Caller;
use crate::platform::Platform;
use crate::platform::config::Config;
use crate::routing::{aliases, may_use, model_not_found};

/// Lists the models that the caller may use, after `auto` and the aliases.
///
/// # Errors
/// An internal error if the list cannot be written.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub async fn list<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let list: ModelList<'_> = entries(call.platform.config(), &call.caller).collect();
    HttpResponse::of(&list)
}

/// Shows one model.
///
/// # Errors
/// 404 for a name that the caller may not use.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub async fn show<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let id = call.param("id");
    let mut entries = entries(call.platform.config(), &call.caller);
    let found = entries.find(|entry| entry.id() == id);
    HttpResponse::of(&found.ok_or_else(|| model_not_found(id))?)
}

/// Checks that the caller may use a model of this name.
///
/// # Errors
/// 404 with `OpenAI`'s message.
pub fn require_known(config: &Config, caller: &Caller, name: Option<&str>) -> Result<(), ApiError> {
    match name {
        Some(name) if !entries(config, caller).any(|entry| entry.id() == name) => {
            Err(model_not_found(name))
        }
        _ => Ok(()),
    }
}

/// `auto`, the aliases that have a model, and the models, each name once.
fn entries<'a>(config: &'a Config, caller: &'a Caller) -> impl Iterator<Item = ModelObject<'a>> {
    let aliases = std::iter::once(AUTO).chain(aliases(config, caller.tenant()));
    let aliases = aliases.map(|name| (name, "clawless"));
    let models = config.models.iter().enumerate().filter(|(at, model)| {
        let mut earlier = config.models.iter().take(*at);
        may_use(caller.tenant(), &model.id) && earlier.all(|other| other.id != model.id)
    });
    let models = models.map(|(_, model)| (model.id.as_str(), model.provider.as_str()));
    aliases
        .chain(models)
        .map(|(id, owned_by)| ModelObject::new(id, owned_by))
}
