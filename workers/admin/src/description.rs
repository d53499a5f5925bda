//! The routes table for the API's description.

use clawless_edge::http::described::DescribedRoute;

use crate::routes::ROUTES;

/// The routes that the gateway forwards, with their types.
pub fn routes() -> Vec<DescribedRoute> {
    let routes = ROUTES.described().into_iter();
    routes
        .filter(|route| route.pattern.starts_with("/admin/"))
        .collect()
}
