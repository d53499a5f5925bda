//! Step 3: chooses the models for a request. Pure.

use clawless_core::ApiError;
use clawless_core::chat::CompletionRequest;
use clawless_core::tenant::Tenant;

use crate::platform::config::Config;
use crate::routing::{RequestFeatures, Route, SessionContext, select_route};

/// Routes a request before its session is known; `prepare` routes again if the session matters.
///
/// # Errors
/// 404 for an unknown model, 400 if the model does not support the request.
pub fn route(
    config: &Config,
    tenant: &Tenant,
    request: &CompletionRequest,
) -> Result<(RequestFeatures, Route), ApiError> {
    let features = RequestFeatures::new(request, &tenant.settings);
    let session = SessionContext {
        is_unread: request.session_id.is_some(),
        ..SessionContext::default()
    };
    let route = select_route(config, tenant, request, features, session)?;
    Ok((features, route))
}
