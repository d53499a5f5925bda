//! Reports how a request was routed and tried, on answers and on errors, by response headers. The log
//! line of the request repeats them.

use clawless_core::ApiError;
use clawless_core::tenant::Tenant;

use crate::platform::Platform;
use crate::routing::{Route, unknown_fallbacks};

/// The model that answered, or that was tried last.
pub const MODEL: &str = "x-clawless-model";
/// Why the first model of the chain was chosen.
pub const ROUTE: &str = "x-clawless-route";
/// The number of requests sent to providers.
pub const TRIES: &str = "x-clawless-tries";

/// The headers of a call; `route` is from [`Route::header`].
pub fn headers(model: &str, route: String, tries: usize) -> Vec<(&'static str, String)> {
    vec![
        (MODEL, model.to_owned()),
        (ROUTE, route),
        (TRIES, tries.to_string()),
    ]
}

/// The value of a header of an error.
pub fn header<'a>(error: &'a ApiError, name: &str) -> Option<&'a str> {
    let mut headers = error.headers.iter();
    let found = headers.find(|(other, _)| *other == name);
    found.map(|(_, value)| value.as_str())
}

/// Logs the fallback models of a tenant that are not on offer, once per isolate and version of its
/// settings.
pub fn log_unknown_fallbacks<P: Platform>(platform: &P, tenant: &Tenant) {
    let unknown = unknown_fallbacks(platform.config(), tenant);
    if !unknown.is_empty() && platform.memory().note_settings(&tenant.id, tenant.version) {
        for (setting, model) in unknown {
            tracing::warn!(setting, model, "fallback model is not offered");
        }
    }
}

/// How a request was routed, for an error of any later step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteReport {
    model: String,
    route: String,
}

impl RouteReport {
    /// The report of a route on which nothing has been tried.
    pub fn new(route: &Route) -> Self {
        Self {
            model: route.primary().model.id.clone(),
            route: route.header(),
        }
    }

    /// Adds the headers to an error, unless the step that failed has added them. A revoked key gets the
    /// response of an unknown one.
    pub fn add_to(&self, error: ApiError) -> ApiError {
        if error.status() == 401 || header(&error, MODEL).is_some() {
            return error;
        }
        error.headers(headers(&self.model, self.route.clone(), 0))
    }
}
