//! The routes table: method, path, access rule, parameters of the query, handler.

use clawless_edge::http::Routes;
use clawless_edge::routes;

use crate::docs;
use crate::service::{WidgetServer, health};
use crate::{files, logos, pages};

/// Every route of the widget server. Content management systems add `ver` or `v` to the URL of a script.
pub(crate) static ROUTES: Routes<WidgetServer> = Routes {
    unmatched: None,
    lines: routes! {
        GET "/health"                    Public              => health,
        GET "/openapi.json"              Public              => docs::description,
        GET "/docs"                      Public              => docs::page,
        GET "/demo"                      Public              => pages::demo,
        GET "/widget/demo"               Public              => pages::demo,
        GET "/widget/configure"          Public              => pages::configure,
        GET "/widget/pages/{file}"       Public              => pages::file,
        GET "/widget/logos/{digest}"     Public              => logos::show,
        GET "/widget/{version}/{file…}"  Public ["ver", "v"] => files::show,
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_found_by_its_own_path() {
        for line in ROUTES.lines {
            let path = line.pattern.replace(['{', '}', '…'], "");
            let found = ROUTES.find(line.method, &path).expect(&path);
            assert_eq!(found.route.pattern, line.pattern);
        }
    }
}
