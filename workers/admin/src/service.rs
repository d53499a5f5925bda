//! The admin Worker as a [`Service`]: tokens, roles and bodies.

use std::rc::Rc;

use clawless_core::admin_role::{AccessDenial, AdminAccess};
use clawless_core::{ApiError, ErrorCode, RequestId, TenantId};
use clawless_edge::http::{Authorized, Params, Query, ReadKind, Reader, RequestHead, Service};
use clawless_edge::tasks::Tasks;
use worker::Env;

use crate::authenticate::{Actor, authenticate};
use crate::context::{AdminCall, AdminContext, not_found};
use crate::input::BODY_LIMIT;

/// The admin Worker.
pub(crate) struct Admin;

/// All tokens without a tenant, as the limits of the isolate count them.
const OPERATORS: &str = "operators";

impl Service for Admin {
    type Platform = AdminContext;
    type Caller = Actor;
    type Access = AdminAccess;

    const IS_INTERNAL: bool = true;

    fn open(env: Env, _: Rc<Tasks>, _: &RequestId) -> Result<Rc<AdminContext>, ApiError> {
        Ok(Rc::new(AdminContext::new(env)))
    }

    /// The statuses of [`authenticate`]; then 403 if the route needs another role, and 404 for a tenant
    /// that the token is not bound to.
    async fn authorize(
        platform: &AdminContext,
        access: AdminAccess,
        head: &RequestHead,
        params: &Params,
    ) -> Result<Authorized<Actor>, ApiError> {
        let caller = authenticate(&platform.env, &platform.sql, head, platform.now).await?;
        let tenant = named_tenant(head, params);
        match access.check(&caller.role, tenant.as_deref()) {
            Ok(()) => Ok(Authorized {
                caller,
                headers: Vec::new(),
            }),
            Err(AccessDenial::Role) => Err(role_needed(access, &caller)),
            Err(AccessDenial::OtherTenant) => Err(not_found("tenant")),
        }
    }

    /// Tokens without a tenant share one limit, as do those of one tenant; each token has its own.
    fn reader(_: AdminAccess, caller: &Actor) -> Option<Reader> {
        Some(Reader {
            tenant: share(caller).into(),
            key: caller.id.as_str().into(),
            kind: ReadKind::Page,
        })
    }

    fn tenant(caller: &Actor) -> Option<&str> {
        Some(share(caller))
    }

    /// 1. 413 for the body. 2. 415 for one that is not JSON.
    async fn check(_: AdminAccess, call: &AdminCall) -> Result<(), ApiError> {
        if call.body.load(BODY_LIMIT).await? > 0 {
            call.head.require_json()?;
        }
        Ok(())
    }
}

/// Whose share of the isolate a request counts against.
fn share(caller: &Actor) -> &str {
    caller.role.tenant().map_or(OPERATORS, TenantId::as_str)
}

/// The tenant that a request names: by `{id}` in the path, otherwise by `tenant_id` in the query.
fn named_tenant(head: &RequestHead, params: &Params) -> Option<String> {
    match params.get("id") {
        // A repeated parameter names none, and is rejected with the others of the query.
        "" => Query::new(head).take("tenant_id").ok().flatten(),
        id => Some(id.to_owned()),
    }
}

fn role_needed(access: AdminAccess, caller: &Actor) -> ApiError {
    ApiError::new(
        ErrorCode::PermissionDenied,
        format!(
            "This request needs {}. Your token has the role `{}`.",
            access.describe(),
            caller.role.name().as_str()
        ),
    )
}
