//! The health of this Worker: for the gateway's own report, and for operators what it lacks.

use clawless_core::ApiError;
use clawless_edge::build_stamp::Build;
use clawless_edge::health::{Part, Problem, Problems};
use clawless_edge::http::{Call, HttpResponse};
use clawless_edge::ledger::LEDGER;
use clawless_store::health;
use serde::Serialize;

use crate::authenticate::MIN_SECRET_BYTES;
use crate::bindings::{BY_ADDRESS, BY_TOKEN, CACHE, DB, FIRST_TOKEN, first_token};
use crate::context::{AdminCall, AdminContext};

/// The name of this Worker in reports.
const ADMIN: &str = "admin";

/// What the Worker lacks.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "AdminHealth")
)]
pub(crate) struct HealthReport {
    /// Always `health`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "health")))]
    object: &'static str,
    /// Whether anything is missing.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["ok", "degraded"])))]
    status: &'static str,
    /// The deployed build.
    build: Build,
    /// What is missing, by name.
    problems: Vec<Problem>,
}

/// Whether the Worker can serve operators.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Liveness {
    /// `ok` or `down`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["ok", "down"])))]
    status: &'static str,
}

/// `GET /health`: whether the Worker can serve operators. It names nothing.
///
/// # Errors
/// An internal error if the report cannot be written.
pub(crate) async fn show(call: &Call<AdminContext, ()>) -> Result<HttpResponse, ApiError> {
    let found = problems(&call.platform).await;
    let serves = found.iter().all(|it| !is_essential(it.part));
    let (code, status) = if serves { (200, "ok") } else { (503, "down") };
    Ok(HttpResponse::of(&Liveness { status })?.with_status(code))
}

/// `GET /admin/health`: what the Worker lacks, by name. The gateway adds it to its own report.
///
/// # Errors
/// An internal error if the report cannot be written.
pub(crate) async fn report(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let problems = problems(&call.platform).await;
    let status = if problems.is_empty() {
        "ok"
    } else {
        "degraded"
    };
    HttpResponse::of(&HealthReport {
        object: "health",
        status,
        build: Build::of(&call.platform.env),
        problems,
    })
}

const fn is_essential(part: Part) -> bool {
    matches!(part, Part::Database | Part::Migrations | Part::Ledger)
}

async fn problems(context: &AdminContext) -> Vec<Problem> {
    let env = &context.env;
    let mut problems = Problems::of(ADMIN);
    let missing = health::missing_migrations_across_tenants(&context.sql).await;
    problems.require_response(env, Part::Database, DB, missing.is_ok());
    for name in missing.unwrap_or_default() {
        problems.add(Part::Migrations, name, "the migration is not applied");
    }
    problems.require(env, Part::Ledger, LEDGER);
    problems.require(env, Part::Cache, CACHE);
    for limiter in [BY_ADDRESS, BY_TOKEN] {
        problems.require(env, Part::RateLimits, limiter);
    }
    // Without the secret, other tokens open the API.
    if first_token(env).is_some_and(|secret| secret.len() < MIN_SECRET_BYTES) {
        let reason = format!("it has fewer than {MIN_SECRET_BYTES} bytes, so it opens nothing");
        problems.add(Part::Configuration, FIRST_TOKEN, reason);
    }
    problems.into_vec()
}
