//! The routes table: method, path, access rule, handler.

use clawless_edge::http::Routes;
use clawless_edge::routes;

use crate::docs;
use crate::service::{WidgetServer, health};

/// Every route of the widget server.
pub(crate) static ROUTES: Routes<WidgetServer> = Routes {
    unmatched: None,
    lines: routes! {
        GET "/health"       Public => health,
        GET "/openapi.json" Public => docs::description,
        GET "/docs"         Public => docs::page,
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_found_by_its_own_path() {
        for line in ROUTES.lines {
            let found = ROUTES.find(line.method, line.pattern).expect(line.pattern);
            assert_eq!(found.route.pattern, line.pattern);
        }
    }
}
