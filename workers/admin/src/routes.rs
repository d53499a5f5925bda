//! The routes table: method, path, access rule, parameters of the query, handler.

use clawless_edge::http::Routes;
use clawless_edge::routes;

use crate::service::Access::Operator;
use crate::service::Admin;
use crate::{audit, health, keys, tenants, tokens};

/// Every route of the admin Worker. Without a token, a request does not learn which routes exist.
pub(crate) static ROUTES: Routes<Admin> = Routes {
    unmatched: Some(Operator),
    lines: routes! {
        GET    "/health"                                         Public                                     => health::show,
        GET    "/admin/health"                                   Operator                                   => health::report,
        GET    "/admin/tenants"                                  Operator ["cursor", "limit"]               => tenants::list,
        POST   "/admin/tenants"                                  Operator                                   => tenants::create,
        GET    "/admin/tenants/{id}"                             Operator                                   => tenants::show,
        PUT    "/admin/tenants/{id}"                             Operator                                   => tenants::put,
        PATCH  "/admin/tenants/{id}"                             Operator                                   => tenants::patch,
        DELETE "/admin/tenants/{id}"                             Operator                                   => tenants::delete,
        GET    "/admin/tenants/{id}/usage"                       Operator ["from", "to", "format"]          => tenants::usage,
        GET    "/admin/tenants/{id}/sessions"                    Operator ["cursor", "limit"]               => tenants::list_sessions,
        GET    "/admin/tenants/{id}/sessions/{session}"          Operator                                   => tenants::show_session,
        GET    "/admin/tenants/{id}/sessions/{session}/messages" Operator ["cursor", "limit"]               => tenants::list_messages,
        GET    "/admin/tenants/{id}/export"                      Operator ["cursor"]                        => tenants::export,
        POST   "/admin/tenants/{id}/erase"                       Operator ["cursor"]                        => tenants::erase,
        GET    "/admin/usage"                                    Operator ["cursor", "limit", "from", "to"] => tenants::usage_of_all,
        GET    "/admin/tenants/{id}/keys"                        Operator ["cursor", "limit"]               => keys::list,
        POST   "/admin/tenants/{id}/keys"                        Operator                                   => keys::mint,
        GET    "/admin/tenants/{id}/keys/{key}"                  Operator                                   => keys::show,
        PATCH  "/admin/tenants/{id}/keys/{key}"                  Operator                                   => keys::change,
        POST   "/admin/tenants/{id}/keys/{key}/rotate"           Operator                                   => keys::rotate,
        POST   "/admin/tenants/{id}/keys/{key}/revoke"           Operator                                   => keys::revoke,
        GET    "/admin/tokens"                                   Operator ["cursor", "limit"]               => tokens::list,
        POST   "/admin/tokens"                                   Operator                                   => tokens::mint,
        POST   "/admin/tokens/{id}/revoke"                       Operator                                   => tokens::revoke,
        GET    "/admin/audit"                                    Operator ["cursor", "limit", "tenant_id"]  => audit::list,
    },
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_matches_its_own_path_and_no_two_are_equal() {
        let mut seen = BTreeSet::new();
        for line in ROUTES.lines {
            assert!(
                seen.insert((line.method, line.pattern)),
                "{line:?} is declared twice"
            );
            let path = line.pattern.replace(['{', '}'], "");
            let found = ROUTES.find(line.method, &path).expect(&path);
            assert_eq!(
                (found.route.method, found.route.pattern),
                (line.method, line.pattern)
            );
        }
    }

    #[test]
    fn every_route_except_the_health_check_needs_an_operator() {
        for line in ROUTES.lines {
            assert_eq!(
                line.access().is_none(),
                line.pattern == "/health",
                "{line:?}"
            );
        }
        assert!(ROUTES.unmatched.is_some());
    }

    #[test]
    fn only_reading_routes_and_erase_have_parameters() {
        for line in ROUTES.lines {
            let takes = line.method == "GET" || line.pattern.ends_with("/erase");
            assert!(takes || line.query.is_empty(), "{line:?}");
        }
    }
}
