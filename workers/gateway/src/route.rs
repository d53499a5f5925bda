//! Stage 3: which model answers. Pure.

use clawless_core::llm::LlmProvider;
use clawless_core::model::{AUTO, Model};
use clawless_core::tenant::Tenant;
use clawless_core::{ApiError, ErrorCode};

use crate::config::Config;

/// The model that answers a request, and the provider that serves it.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The provider.
    pub provider: LlmProvider,
    /// The model.
    pub model: Model,
    /// Why this one, for the log and the `x-clawless-route` header.
    pub reason: &'static str,
}

/// Chooses the model: the one that the request names; for `auto` the tenant's default, else the
/// first that the tenant may use.
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
    let (provider, model) = found.ok_or_else(|| not_found(wanted))?;
    Ok(Route {
        provider: provider.clone(),
        model: model.clone(),
        reason,
    })
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
