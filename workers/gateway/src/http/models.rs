//! `GET /v1/models` and `GET /v1/models/{id}`.

use clawless_api::fields::invalid;
use clawless_api::messages::{ModelInfo, ModelPage, PageRequest};
use clawless_api::models::{ModelList, ModelObject};
use clawless_core::ApiError;
use clawless_core::model::AUTO;
use clawless_edge::http::{Call, HttpResponse, RequestHead};

use crate::caller::Caller;
use crate::platform::Platform;
use crate::platform::config::Config;
use crate::routing::{aliases, may_use, model_not_found};

/// The models of a page of Anthropic's list.
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 1000;
const LIMIT: &str = "a number from 1 to 1000";

/// Whether the client speaks Anthropic's API, whose models have another shape.
fn is_anthropics(head: &RequestHead) -> bool {
    head.header("anthropic-version").is_some()
}

/// Lists the models that the caller may use, after `auto` and the aliases. Anthropic's clients get a
/// page of their own objects.
///
/// # Errors
/// 400 for an invalid `limit` of an Anthropic client, and for the parameters of its pages from others,
/// who get the whole list.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub async fn list<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let entries = entries(call.platform.config(), &call.caller);
    if is_anthropics(&call.head) {
        let mut query = call.query();
        let limit: Option<usize> = query.parse("limit", LIMIT)?;
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(invalid("limit", format!("`limit` is {LIMIT}.")));
        }
        let (after, before) = (query.take("after_id")?, query.take("before_id")?);
        let page = PageRequest {
            limit,
            after: after.as_deref(),
            before: before.as_deref(),
        };
        let config = call.platform.config();
        let models = entries.map(|entry| info(config, entry.id()));
        return HttpResponse::of(&ModelPage::new(models.collect(), page));
    }
    call.query().only(&["beta"])?;
    HttpResponse::of(&entries.collect::<ModelList<'_>>())
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
    let found = found.ok_or_else(|| model_not_found(id))?;
    if is_anthropics(&call.head) {
        return HttpResponse::of(&info(call.platform.config(), found.id()));
    }
    HttpResponse::of(&found)
}

/// A model or an alias as Anthropic's clients read it.
fn info<'a>(config: &Config, id: &'a str) -> ModelInfo<'a> {
    ModelInfo::new(id, config.models.iter().find(|model| model.id == id))
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
