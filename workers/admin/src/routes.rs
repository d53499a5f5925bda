//! The routes table: method, path, access rule, parameters of the query, handler with the types of its
//! request and responses. CONTRIBUTING.md describes how to add a line.

use clawless_api::admin::audit::AuditObject;
use clawless_api::admin::keys::{CreatedKey, KeyObject, KeyPatch, KeyRotation, NewKey};
use clawless_api::admin::records::{ExportedRecord, MessageRecord, SessionRecord};
use clawless_api::admin::tenants::{
    DeletionProgress, ErasureProgress, TenantBody, TenantObject, TenantPatch,
};
use clawless_api::admin::tokens::{CreatedToken, NewToken, TokenObject, TokenPatch};
use clawless_api::admin::usage::{UsageLine, UsageReport};
use clawless_api::admin::widgets::{LogoBody, WidgetObject, WidgetPatch};
use clawless_api::list::ListPage;
use clawless_core::admin_role::AdminAccess::{AnyRole, Global, Tenant};
use clawless_core::admin_role::RoleName::{Operator, Owner, Viewer};
use clawless_core::members::Members;
use clawless_edge::http::{Csv, Html, Routes};
use clawless_edge::routes;

use crate::health::{HealthReport, Liveness};
use crate::service::Admin;
use crate::{audit, docs, health, keys, tenants, tokens, widgets};

/// Every route of the admin Worker. Without a token, a request does not learn which routes exist.
pub(crate) static ROUTES: Routes<Admin> = Routes {
    unmatched: Some(AnyRole),
    lines: routes! {
        GET    "/health"                                          Public           => health::show() -> 200 Liveness | 503 Liveness,
        GET    "/admin/health"                                    Global(Viewer)   => health::report() -> 200 HealthReport,
        GET    "/admin/openapi.json"                              AnyRole          => docs::description() -> 200 Members,
        GET    "/admin/docs"                                      AnyRole          => docs::page() -> 200 Html,
        GET    "/admin/tenants"                                   Global(Viewer) ["cursor", "limit"]
               => tenants::list() -> 200 ListPage<TenantObject>,
        POST   "/admin/tenants"                                   Global(Operator) => tenants::create(TenantBody) -> 201 TenantObject,
        GET    "/admin/tenants/{id}"                              Tenant(Viewer)   => tenants::show() -> 200 TenantObject,
        PUT    "/admin/tenants/{id}"                              Tenant(Operator) => tenants::put(TenantBody)
               -> 200 TenantObject | Conflict | PreconditionFailed,
        PATCH  "/admin/tenants/{id}"                              Tenant(Operator) => tenants::patch(TenantPatch)
               -> 200 TenantObject | Conflict | PreconditionFailed,
        DELETE "/admin/tenants/{id}"                              Global(Operator) => tenants::delete()
               -> 200 DeletionProgress<'_> | 202 DeletionProgress<'_> | InvalidJson | InvalidType | Conflict | PreconditionFailed,
        GET    "/admin/tenants/{id}/usage"                        Tenant(Viewer) ["from", "to", "format"]
               => tenants::usage() -> 200 UsageReport | 200 Csv,
        GET    "/admin/tenants/{id}/sessions"                     Tenant(Operator) ["cursor", "limit"]
               => tenants::list_sessions() -> 200 ListPage<SessionRecord>,
        GET    "/admin/tenants/{id}/sessions/{session}"           Tenant(Operator) => tenants::show_session() -> 200 SessionRecord,
        GET    "/admin/tenants/{id}/sessions/{session}/messages"  Tenant(Operator) ["cursor", "limit"]
               => tenants::list_messages() -> 200 ListPage<MessageRecord>,
        GET    "/admin/tenants/{id}/export"                       Tenant(Operator) ["cursor"]
               => tenants::export() -> 200 ListPage<ExportedRecord>,
        POST   "/admin/tenants/{id}/erase"                        Global(Operator) ["cursor"]
               => tenants::erase() -> 200 ErasureProgress<'_> | 202 ErasureProgress<'_> | InvalidJson | InvalidType | Conflict,
        GET    "/admin/usage"                                     Global(Viewer) ["cursor", "limit", "from", "to"]
               => tenants::usage_of_all() -> 200 ListPage<UsageLine>,
        GET    "/admin/tenants/{id}/keys"                         Tenant(Viewer) ["cursor", "limit"]
               => keys::list() -> 200 ListPage<KeyObject>,
        POST   "/admin/tenants/{id}/keys"                         Tenant(Operator) => keys::mint(NewKey) -> 201 CreatedKey<'_> | Conflict,
        GET    "/admin/tenants/{id}/keys/{key}"                   Tenant(Viewer)   => keys::show() -> 200 KeyObject,
        PATCH  "/admin/tenants/{id}/keys/{key}"                   Tenant(Operator) => keys::change(KeyPatch) -> 200 KeyObject | Conflict,
        POST   "/admin/tenants/{id}/keys/{key}/rotate"            Tenant(Operator) => keys::rotate(KeyRotation) -> 201 CreatedKey<'_> | Conflict,
        POST   "/admin/tenants/{id}/keys/{key}/revoke"            Tenant(Operator) => keys::revoke() -> 200 KeyObject | InvalidJson | InvalidType | Conflict,
        GET    "/admin/tenants/{id}/keys/{key}/widget"            Tenant(Viewer)   => widgets::show() -> 200 WidgetObject<'_> | Conflict,
        PATCH  "/admin/tenants/{id}/keys/{key}/widget"            Tenant(Operator) => widgets::change(WidgetPatch) -> 200 WidgetObject<'_> | Conflict,
        PUT    "/admin/tenants/{id}/keys/{key}/widget/logo"       Tenant(Operator) => widgets::put_logo(LogoBody) -> 200 WidgetObject<'_> | Conflict,
        DELETE "/admin/tenants/{id}/keys/{key}/widget/logo"       Tenant(Operator) => widgets::delete_logo()
               -> 200 WidgetObject<'_> | InvalidJson | InvalidType | Conflict,
        GET    "/admin/tokens"                                    Global(Owner) ["cursor", "limit"]
               => tokens::list() -> 200 ListPage<TokenObject>,
        POST   "/admin/tokens"                                    Global(Owner)    => tokens::mint(NewToken) -> 201 CreatedToken<'_>,
        PATCH  "/admin/tokens/{id}"                               Global(Owner)    => tokens::change(TokenPatch) -> 200 TokenObject | Conflict,
        POST   "/admin/tokens/{id}/revoke"                        Global(Owner)    => tokens::revoke() -> 200 TokenObject | InvalidJson | InvalidType,
        GET    "/admin/audit"                                     Tenant(Viewer) ["cursor", "limit", "tenant_id"]
               => audit::list() -> 200 ListPage<AuditObject> | ResourceNotFound,
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
            let is_for_all = matches!(line.pattern, "/admin/docs" | "/admin/openapi.json");
            assert_eq!(line.access() == Some(AnyRole), is_for_all, "{line:?}");
            let is_open = is_for_all || line.pattern == "/health";
            assert_eq!(needs_role, !is_open, "{line:?}");
        }
        assert_eq!(ROUTES.unmatched, Some(AnyRole));
    }

    #[test]
    fn all_routes_of_tokens_have_the_access_that_the_audit_log_checks() {
        let of_tokens = ROUTES
            .lines
            .iter()
            .filter(|line| line.pattern.starts_with("/admin/tokens"));
        let found: Vec<_> = of_tokens.map(Route::access).collect();
        assert_eq!(found, [Some(tokens::ACCESS); 4]);
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
