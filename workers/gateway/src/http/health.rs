//! `GET /health`: which parts work, and for operators what each part lacks.

use std::collections::BTreeMap;

use clawless_core::admin_token::AdminToken;
use clawless_core::keys::KeyText;
use clawless_core::llm::ProviderKind;
use clawless_core::{ApiError, Clock, KeyKind};
use clawless_edge::ai::AI;
use clawless_edge::build_stamp::Build;
use clawless_edge::health::{Part, Problem, Problems};
use clawless_edge::http::forwarded::REQUEST_ID_HEADER;
use clawless_edge::http::request::Authorization;
use clawless_edge::http::{Call, HttpResponse};
use clawless_edge::ledger::LEDGER;
use clawless_edge::queue::SENDS;
use clawless_edge::time::EdgeTime;
use clawless_llm::make_client;
use clawless_store::admin_tokens;
use futures_util::future::{join, join5};
use serde::{Deserialize, Serialize};
use worker::{Method, Request, RequestInit};

use crate::platform::binding_names::{
    ADMIN, CACHE, DB, KEY_GUESSES, VISITOR_MESSAGES, VISITOR_REQUESTS, WIDGET, WIDGET_SESSIONS,
};
use crate::platform::bindings::Bindings;
use crate::platform::health::Health;
use crate::platform::{Platform, RateLimit};

/// The name of this Worker in reports.
const GATEWAY: &str = "gateway";

/// Which parts work.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HealthReport {
    /// `down` if chats cannot be served, `degraded` if another part is missing.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["ok", "degraded", "down"])))]
    status: &'static str,
    /// Each part: `ok` or `unavailable`.
    dependencies: BTreeMap<Part, &'static str>,
    /// The deployed build. Only for operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    build: Option<Build>,
    /// What is missing, by name. Only for operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<Problem>>,
}

/// Checks every part at once, unless the isolate did so within the last seconds. 200 while chats can
/// be served: `ok`, or `degraded` if a part is missing; 503 `down` if chats cannot be served. A request
/// with an operator's token also gets the build and the problems by name.
///
/// # Errors
/// An internal error if the report cannot be written.
pub async fn show(call: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    let bindings = &*call.platform;
    let memory = bindings.memory();
    let health = if let Some(known) = memory.health(EdgeTime.now()) {
        known
    } else {
        let found = check(bindings).await;
        for Problem {
            part, name, reason, ..
        } in memory.cache_health(found.clone(), EdgeTime.now())
        {
            tracing::error!(?part, name, reason, "health check found a problem");
        }
        found
    };
    let serves = health.serves(!bindings.config().models.is_empty());
    let problems = match problems_of_admin(call).await {
        Some(of_admin) => Some([health.problems.clone(), of_admin].concat()),
        None => None,
    };
    let is_complete = problems.as_ref().unwrap_or(&health.problems).is_empty();
    let status = match (serves, is_complete) {
        (false, _) => "down",
        (true, false) => "degraded",
        (true, true) => "ok",
    };
    let word = |part| {
        if health.works(part) {
            "ok"
        } else {
            "unavailable"
        }
    };
    let response = HttpResponse::of(&HealthReport {
        status,
        dependencies: Part::ALL.map(|part| (part, word(part))).into(),
        build: problems.as_ref().map(|_| Build::of(bindings.env())),
        problems,
    })?;
    Ok(response.with_status(if serves { 200 } else { 503 }))
}

async fn check(bindings: &Bindings) -> Health {
    let (answers, missing) = join(
        join5(
            bindings.database_answers(),
            bindings.ledger_answers(),
            bindings.cache_answers(),
            bindings.service_answers(ADMIN),
            bindings.service_answers(WIDGET),
        ),
        bindings.missing_migrations(),
    )
    .await;
    let (database, ledger, cache, admin, widget) = answers;
    let env = bindings.env();
    let mut problems = Problems::of(GATEWAY);
    for (part, binding, responds) in [
        (Part::Database, DB, database),
        (Part::Ledger, LEDGER, ledger),
        (Part::Cache, CACHE, cache),
        (Part::Admin, ADMIN, admin),
        (Part::Widget, WIDGET, widget),
        (Part::Queue, SENDS, true),
        (Part::RateLimits, KEY_GUESSES, true),
        (Part::RateLimits, WIDGET_SESSIONS, true),
        (Part::RateLimits, VISITOR_MESSAGES, true),
        (Part::RateLimits, VISITOR_REQUESTS, true),
    ] {
        problems.require_response(env, part, binding, responds);
    }
    for name in missing.unwrap_or_default() {
        problems.add(Part::Migrations, name, "the migration is not applied");
    }
    check_configuration(bindings, &mut problems);
    Health {
        problems: problems.into_vec(),
    }
}

/// Checks the variables and secrets, and whether each provider can be called.
fn check_configuration(bindings: &Bindings, problems: &mut Problems) {
    let config = bindings.config();
    for invalid in &config.invalid {
        let part = if invalid.is_about_providers {
            Part::Providers
        } else {
            Part::Configuration
        };
        problems.add(part, &*invalid.name, &*invalid.reason);
    }
    for provider in &config.providers {
        if let Err(error) = make_client(provider, config.key_of(provider), config.egress()) {
            problems.add(Part::Providers, &*provider.name, error.to_string());
        }
    }
    let mut providers = config.providers.iter();
    if providers.any(|provider| provider.kind == ProviderKind::WorkersAi) {
        problems.require(bindings.env(), Part::Providers, AI);
    }
}

/// The problems of the admin Worker, if the request has an operator's token. That Worker checks the
/// token. If it does not respond, the gateway looks the token up itself.
async fn problems_of_admin(call: &Call<Bindings, ()>) -> Option<Vec<Problem>> {
    let Authorization::Bearer(token) = call.head.authorization() else {
        return None;
    };
    match fetch_admin_report(call).await {
        Some((200, problems)) => Some(problems),
        Some((401 | 403 | 429, _)) => None,
        _ => is_operator(call, token).await.then(Vec::new),
    }
}

#[derive(Deserialize)]
struct AdminReport {
    problems: Vec<Problem>,
}

/// The status of the admin Worker's own report, and its problems.
async fn fetch_admin_report(call: &Call<Bindings, ()>) -> Option<(u16, Vec<Problem>)> {
    let service = call.platform.env().service(ADMIN).ok()?;
    let mut init = RequestInit::new();
    init.with_method(Method::Get);
    // The host is never resolved: a binding has one target.
    let mut request = Request::new_with_init("http://internal/admin/health", &init).ok()?;
    let headers = request.headers_mut().ok()?;
    headers
        .set(REQUEST_ID_HEADER, call.request_id.as_str())
        .ok()?;
    for name in ["authorization", "cf-connecting-ip"] {
        if let Some(value) = call.head.header(name) {
            headers.set(name, value).ok()?;
        }
    }
    let mut response = service.fetch_request(request).await.ok()?;
    let status = response.status_code();
    let report = response.json::<AdminReport>().await;
    Some((status, report.map_or_else(|_| Vec::new(), |it| it.problems)))
}

/// Whether a token is one of the admin API that is not bound to a tenant. Wrong tokens of an address are limited like wrong API keys.
async fn is_operator(call: &Call<Bindings, ()>, token: &str) -> bool {
    let (platform, now) = (&*call.platform, EdgeTime.now());
    let address = &*call.head.address();
    let token = KeyText::parse(token).ok();
    let Some(token) = token.filter(|token| token.kind() == KeyKind::Admin) else {
        return false;
    };
    if platform.memory().blocked_for(address, now).is_some() {
        return false;
    }
    let found = admin_tokens::find_by_digest_across_tenants(platform.sql(), token.digest()).await;
    let may_read = |token: &AdminToken| token.is_usable(now) && token.role.tenant().is_none();
    match found {
        // Only unknown tokens count as guesses.
        Ok(Some(token)) => return may_read(&token),
        Err(_) => return false,
        Ok(None) => {}
    }
    if !platform.is_within(RateLimit::KeyGuesses, address).await {
        platform.memory().block(address, now);
    }
    false
}
