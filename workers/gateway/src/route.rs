//! Stage 3: which model answers. Pure.

use clawless_core::ledger::Price;
use clawless_core::llm::LlmProvider;
use clawless_core::model::{AUTO, Model};
use clawless_core::tenant::Tenant;
use clawless_core::{ApiError, ErrorCode};

use crate::config::Config;

/// A model and the provider that serves it.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The provider.
    pub provider: LlmProvider,
    /// The model.
    pub model: Model,
}

/// The models that may answer a request, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    first: Link,
    fallback: Vec<Link>,
    /// Why these, for the log and the `x-clawless-route` header.
    pub reason: &'static str,
}

impl Route {
    /// The model that is asked first.
    pub const fn primary(&self) -> &Link {
        &self.first
    }

    /// Every model of the chain, in order.
    pub fn chain(&self) -> impl Iterator<Item = &Link> {
        std::iter::once(&self.first).chain(&self.fallback)
    }

    /// The dearest prices of the chain, by which a reservation is made.
    pub fn dearest(&self) -> Price {
        let prices = self.chain().filter_map(|link| link.model.price.as_ref());
        let dearest = prices.map(|price| Price {
            input: price.input.max(price.cache_write.unwrap_or(price.input)),
            output: price.output,
        });
        dearest.fold(Price::default(), Price::dearer)
    }
}

/// Chooses the models: first the one that the request names; for `auto` the tenant's default, else
/// the first that the tenant may use. The tenant's fallback models come after it.
///
/// # Errors
/// 404 in `OpenAI`'s words where there is no such model or the tenant may not use it.
pub fn route(config: &Config, tenant: &Tenant, wanted: &str) -> Result<Route, ApiError> {
    let mut allowed = config
        .models()
        .filter(|(_, model)| may_use(tenant, &model.id));
    let default = tenant.settings.default_model.as_deref();
    let (found, reason) = match (wanted, default) {
        (AUTO, None) => (allowed.next(), "auto"),
        (AUTO, Some(default)) => (allowed.find(|(_, model)| model.id == default), "tenant"),
        (name, _) => (allowed.find(|(_, model)| model.id == name), "named"),
    };
    let first = found.map(link).ok_or_else(|| not_found(wanted))?;
    let fallback = tenant
        .settings
        .fallback
        .iter()
        .filter(|name| **name != first.model.id);
    let fallback = fallback
        .filter(|name| may_use(tenant, name))
        .filter_map(|name| {
            config
                .models()
                .find(|(_, model)| model.id == *name)
                .map(link)
        });
    Ok(Route {
        fallback: fallback.collect(),
        first,
        reason,
    })
}

fn link((provider, model): (&LlmProvider, &Model)) -> Link {
    Link {
        provider: provider.clone(),
        model: model.clone(),
    }
}

/// Whether a tenant may use a model.
pub fn may_use(tenant: &Tenant, model: &str) -> bool {
    let allowed = tenant.settings.allowed_models.as_deref();
    allowed.is_none_or(|allowed| allowed.iter().any(|name| name == model))
}

/// The answer for a model that is not there, or not for this tenant; it does not tell which.
pub fn not_found(model: &str) -> ApiError {
    ApiError::new(
        ErrorCode::ModelNotFound,
        format!("The model `{model}` does not exist or you do not have access to it."),
    )
    .param("model")
}
