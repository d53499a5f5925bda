//! The table of contents: every route, and what answers it.

use clawless_core::{ApiError, Clock, RequestId};
use clawless_edge::d1::D1;
use clawless_edge::entropy::EdgeEntropy;
use clawless_edge::ledger::RemoteLedger;
use clawless_edge::request::{RequestHead, read_body};
use clawless_edge::response::HttpResponse;
use clawless_edge::routes::{Found, Routes, shown};
use clawless_edge::time::EdgeTime;
use clawless_edge::worker_entry;
use tracing::Instrument;
use worker::{Env, Request, Response};

use crate::authenticate::authenticate;
use crate::bindings::DB;
use crate::context::AdminContext;
use crate::input::BODY_LIMIT;
use crate::page::Query;
use crate::{audit, keys, tenants, tokens};

/// Every route there is.
const ROUTES: Routes<Route> = Routes(&[
    (
        "/admin/tenants",
        &[("GET", Route::ListTenants), ("POST", Route::CreateTenant)],
    ),
    (
        "/admin/tenants/{id}",
        &[
            ("GET", Route::ShowTenant),
            ("PUT", Route::PutTenant),
            ("PATCH", Route::PatchTenant),
            ("DELETE", Route::DeleteTenant),
        ],
    ),
    ("/admin/tenants/{id}/usage", &[("GET", Route::TenantUsage)]),
    (
        "/admin/tenants/{id}/sessions",
        &[("GET", Route::ListSessions)],
    ),
    (
        "/admin/tenants/{id}/sessions/{session}",
        &[("GET", Route::ShowSession)],
    ),
    (
        "/admin/tenants/{id}/sessions/{session}/messages",
        &[("GET", Route::ListMessages)],
    ),
    ("/admin/tenants/{id}/export", &[("GET", Route::Export)]),
    ("/admin/tenants/{id}/erase", &[("POST", Route::Erase)]),
    ("/admin/usage", &[("GET", Route::Usage)]),
    (
        "/admin/tenants/{id}/keys",
        &[("GET", Route::ListKeys), ("POST", Route::MintKey)],
    ),
    ("/admin/tenants/{id}/keys/{key}", &[("GET", Route::ShowKey)]),
    (
        "/admin/tenants/{id}/keys/{key}/rotate",
        &[("POST", Route::RotateKey)],
    ),
    (
        "/admin/tenants/{id}/keys/{key}/revoke",
        &[("POST", Route::RevokeKey)],
    ),
    (
        "/admin/tokens",
        &[("GET", Route::ListTokens), ("POST", Route::MintToken)],
    ),
    ("/admin/tokens/{id}/revoke", &[("POST", Route::RevokeToken)]),
    ("/admin/audit", &[("GET", Route::Audit)]),
]);

/// What answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    ListTenants,
    CreateTenant,
    ShowTenant,
    PutTenant,
    PatchTenant,
    DeleteTenant,
    TenantUsage,
    ListSessions,
    ShowSession,
    ListMessages,
    Export,
    Erase,
    Usage,
    ListKeys,
    MintKey,
    ShowKey,
    RotateKey,
    RevokeKey,
    ListTokens,
    MintToken,
    RevokeToken,
    Audit,
}

impl Route {
    /// Whether its handler reads the query, and refuses by name what it does not know.
    fn takes_a_query(self) -> bool {
        matches!(
            self,
            Self::ListTenants
                | Self::TenantUsage
                | Self::ListSessions
                | Self::ListMessages
                | Self::Export
                | Self::Erase
                | Self::Usage
                | Self::ListKeys
                | Self::ListTokens
                | Self::Audit
        )
    }
}

/// Serves one request.
///
/// # Errors
/// Only where the runtime itself refuses to make a response.
pub(crate) async fn serve(request: Request, env: &Env) -> worker::Result<Response> {
    worker_entry::start_logging(env);
    let request_id = worker_entry::assign_request_id(&request);
    let span = tracing::info_span!("request", request_id = request_id.as_str());
    async {
        let head = RequestHead::of(&request);
        let outcome = answer(request, &head, env, &request_id).await;
        let answer = outcome.unwrap_or_else(worker_entry::refuse);
        let (path, status) = (shown(&head.path), answer.status);
        tracing::info!(method = head.method, path, status, "answered");
        let response = worker_entry::finish(Ok(answer), &request_id)?;
        if head.method == "HEAD" {
            worker_entry::without_body(&response)
        } else {
            Ok(response)
        }
    }
    .instrument(span)
    .await
}

/// The answer to a request. Whoever asks without a token is not told which routes there are.
async fn answer(
    mut request: Request,
    head: &RequestHead,
    env: &Env,
    request_id: &RequestId,
) -> Result<HttpResponse, ApiError> {
    if head.path == "/health" {
        return Ok(HttpResponse::json(r#"{"status":"ok"}"#.to_owned()));
    }
    let (sql, now) = (D1::new(env.d1(DB).ok()), EdgeTime.now());
    let context = AdminContext {
        operator: authenticate(env, &sql, head, now).await?,
        sql,
        ledger: RemoteLedger::new(env),
        entropy: EdgeEntropy,
        request_id: request_id.clone(),
        now,
    };
    let found = ROUTES.find(&head.method, &head.path)?;
    let query = request.url().map_err(ApiError::internal)?;
    let query = Query(query.query_pairs().into_owned().collect());
    let body = read_body(&mut request, BODY_LIMIT).await?;
    if !body.is_empty() {
        head.require_json()?;
    }
    dispatch(&context, &found, head, &query, &body).await
}

async fn dispatch(
    context: &AdminContext,
    found: &Found<'_, Route>,
    head: &RequestHead,
    query: &Query,
    body: &[u8],
) -> Result<HttpResponse, ApiError> {
    let (first, second) = (found.param(0), found.param(1));
    let if_match = head.header("if-match");
    if !found.route.takes_a_query() {
        query.only(&[])?;
    }
    match found.route {
        Route::ListTenants => tenants::list(context, query).await,
        Route::CreateTenant => tenants::create(context, body).await,
        Route::ShowTenant => tenants::show(context, first).await,
        Route::PutTenant => tenants::put(context, first, if_match, body).await,
        Route::PatchTenant => tenants::patch(context, first, if_match, body).await,
        Route::DeleteTenant => tenants::delete(context, first, if_match, body).await,
        Route::TenantUsage => tenants::of_one(context, first, query).await,
        Route::ListSessions => tenants::sessions(context, first, query).await,
        Route::ShowSession => tenants::session(context, first, second).await,
        Route::ListMessages => tenants::messages(context, first, second, query).await,
        Route::Export => tenants::export(context, first, query).await,
        Route::Erase => tenants::erase(context, first, query, body).await,
        Route::Usage => tenants::of_all(context, query).await,
        Route::ListKeys => keys::list(context, first, query).await,
        Route::MintKey => keys::mint(context, first, body).await,
        Route::ShowKey => keys::show(context, first, second).await,
        Route::RotateKey => keys::rotate(context, first, second, body).await,
        Route::RevokeKey => keys::revoke(context, first, second, body).await,
        Route::ListTokens => tokens::list(context, query).await,
        Route::MintToken => tokens::mint(context, body).await,
        Route::RevokeToken => tokens::revoke(context, first, body).await,
        Route::Audit => audit::list(context, query).await,
    }
}
