//! The routes table: method, path, access rule, parameters of the query, handler.

use clawless_edge::http::Routes;
use clawless_edge::routes;

use crate::docs;
use crate::service::{WidgetServer, health};
use crate::{files, logos, pages};

/// Every route of the widget server. Files and pages ignore the query: content management systems, campaigns
/// and cache busters add to it.
pub(crate) static ROUTES: Routes<WidgetServer> = Routes {
    unmatched: None,
    lines: routes! {
        GET "/health"                    Public              => health,
        GET "/openapi.json"              Public              => docs::description,
        GET "/docs"                      Public              => docs::page,
        GET "/demo"                      Public ["*"]        => pages::demo,
        GET "/widget/demo"               Public ["*"]        => pages::demo,
        GET "/widget/configure"          Public ["*"]        => pages::configure,
        GET "/widget/pages/{file}"       Public ["*"]        => pages::file,
        GET "/widget/logos/{digest}"     Public ["*"]        => logos::show,
        GET "/widget/{version}/{file…}"  Public ["*"]        => files::show,
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_pages_ignore_the_query() {
        let with_query = |line: &&clawless_edge::http::Route<WidgetServer>| line.query == ["*"];
        let paths = ROUTES.lines.iter().filter(with_query);
        let paths: Vec<_> = paths.map(|line| line.pattern).collect();
        for path in ["/demo", "/widget/demo", "/widget/{version}/{file…}"] {
            assert!(paths.contains(&path), "{path}");
        }
    }

    #[test]
    fn each_line_is_found_by_its_own_path() {
        for line in ROUTES.lines {
            let path = line.pattern.replace(['{', '}', '…'], "");
            let found = ROUTES.find(line.method, &path).expect(&path);
            assert_eq!(found.route.pattern, line.pattern);
        }
    }
}
