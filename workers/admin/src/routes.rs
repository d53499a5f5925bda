//! The routes table: method, path, access rule, parameters of the query, handler.

use clawless_core::admin_role::AdminAccess::{AnyRole, Global, Tenant};
use clawless_core::admin_role::RoleName::{Operator, Owner, Viewer};
use clawless_edge::http::Routes;
use clawless_edge::routes;

use crate::service::Admin;
use crate::{audit, health, keys, tenants, tokens};

/// Every route of the admin Worker. Without a token, a request does not learn which routes exist.
pub(crate) static ROUTES: Routes<Admin> = Routes {
    unmatched: Some(AnyRole),
    lines: routes! {
        GET    "/health"                                          Public                                             => health::show,
        GET    "/admin/health"                                    Global(Viewer)                                     => health::report,
        GET    "/admin/tenants"                                   Global(Viewer)   ["cursor", "limit"]               => tenants::list,
        POST   "/admin/tenants"                                   Global(Operator)                                   => tenants::create,
        GET    "/admin/tenants/{id}"                              Tenant(Viewer)                                     => tenants::show,
        PUT    "/admin/tenants/{id}"                              Tenant(Operator)                                   => tenants::put,
        PATCH  "/admin/tenants/{id}"                              Tenant(Operator)                                   => tenants::patch,
        DELETE "/admin/tenants/{id}"                              Global(Operator)                                   => tenants::delete,
        GET    "/admin/tenants/{id}/usage"                        Tenant(Viewer)   ["from", "to", "format"]          => tenants::usage,
        GET    "/admin/tenants/{id}/sessions"                     Tenant(Operator) ["cursor", "limit"]               => tenants::list_sessions,
        GET    "/admin/tenants/{id}/sessions/{session}"           Tenant(Operator)                                   => tenants::show_session,
        GET    "/admin/tenants/{id}/sessions/{session}/messages"  Tenant(Operator) ["cursor", "limit"]               => tenants::list_messages,
        GET    "/admin/tenants/{id}/export"                       Tenant(Operator) ["cursor"]                        => tenants::export,
        POST   "/admin/tenants/{id}/erase"                        Global(Operator) ["cursor"]                        => tenants::erase,
        GET    "/admin/usage"                                     Global(Viewer)   ["cursor", "limit", "from", "to"] => tenants::usage_of_all,
        GET    "/admin/tenants/{id}/keys"                         Tenant(Viewer)   ["cursor", "limit"]               => keys::list,
        POST   "/admin/tenants/{id}/keys"                         Tenant(Operator)                                   => keys::mint,
        GET    "/admin/tenants/{id}/keys/{key}"                   Tenant(Viewer)                                     => keys::show,
        PATCH  "/admin/tenants/{id}/keys/{key}"                   Tenant(Operator)                                   => keys::change,
        POST   "/admin/tenants/{id}/keys/{key}/rotate"            Tenant(Operator)                                   => keys::rotate,
        POST   "/admin/tenants/{id}/keys/{key}/revoke"            Tenant(Operator)                                   => keys::revoke,
        GET    "/admin/tokens"                                    Global(Owner)    ["cursor", "limit"]               => tokens::list,
        POST   "/admin/tokens"                                    Global(Owner)                                      => tokens::mint,
        PATCH  "/admin/tokens/{id}"                               Global(Owner)                                      => tokens::change,
        POST   "/admin/tokens/{id}/revoke"                        Global(Owner)                                      => tokens::revoke,
        GET    "/admin/audit"                                     Tenant(Viewer)   ["cursor", "limit", "tenant_id"]  => audit::list,
    },
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clawless_edge::http::Route;

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

    fn route_of(line: &Route<Admin>) -> String {
        format!("{} {}", line.method, line.pattern)
    }

    #[test]
    fn every_route_except_the_health_check_needs_a_role() {
        for line in ROUTES.lines {
            let needs_role = matches!(line.access(), Some(Global(_) | Tenant(_)));
            assert_eq!(needs_role, line.pattern != "/health", "{line:?}");
        }
        assert_eq!(ROUTES.unmatched, Some(AnyRole));
    }

    #[test]
    fn routes_for_tenant_admins_name_a_tenant() {
        for line in ROUTES.lines {
            let names_tenant = line.pattern.starts_with("/admin/tenants/{id}")
                || line.query.contains(&"tenant_id");
            if matches!(line.access(), Some(Tenant(_))) {
                assert!(names_tenant, "{line:?}");
            }
        }
    }

    /// The routes that a role may use, of tokens without and with the tenant that a request names.
    #[test]
    fn each_role_reaches_its_routes_and_no_others() {
        let tenant = "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let bound = format!("tenant_admin:{tenant}");
        let reached = |role: &str| -> BTreeSet<String> {
            let role = role.parse().expect(role);
            let lines = ROUTES.lines.iter().filter(|line| {
                let access = line.access().unwrap_or(AnyRole);
                access.check(&role, Some(tenant)).is_ok()
            });
            lines.map(route_of).collect()
        };
        let all: BTreeSet<String> = ROUTES.lines.iter().map(route_of).collect();
        let (viewer, operator) = (reached("viewer"), reached("operator"));
        assert_eq!(reached("owner"), all);
        assert!(all.difference(&operator).all(|it| it.contains("/tokens")));
        assert!(!operator.iter().any(|it| it.contains("/tokens")));
        // Viewers change nothing and read no conversation.
        let reads_text = |it: &str| it.contains("/sessions") || it.ends_with("/export");
        let readable = operator
            .iter()
            .filter(|it| it.starts_with("GET ") && !reads_text(it));
        assert_eq!(viewer, readable.cloned().collect());
        let of_tenants: BTreeSet<String> = reached(&bound);
        let refused = all.difference(&of_tenants);
        let refused: Vec<&str> = refused.map(String::as_str).collect();
        assert_eq!(
            refused,
            [
                "DELETE /admin/tenants/{id}",
                "GET /admin/health",
                "GET /admin/tenants",
                "GET /admin/tokens",
                "GET /admin/usage",
                "PATCH /admin/tokens/{id}",
                "POST /admin/tenants",
                "POST /admin/tenants/{id}/erase",
                "POST /admin/tokens",
                "POST /admin/tokens/{id}/revoke",
            ]
        );
    }

    #[test]
    fn only_reading_routes_and_erase_have_parameters() {
        for line in ROUTES.lines {
            let takes = line.method == "GET" || line.pattern.ends_with("/erase");
            assert!(takes || line.query.is_empty(), "{line:?}");
        }
    }
}
