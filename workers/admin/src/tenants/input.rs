//! Validation of a tenant's settings.

use clawless_core::chat::ReasoningEffort;
use clawless_core::limits::{LimitOverrides, QuotaOverrides};
use clawless_core::model::ModelRole;
use clawless_core::routing::Fallback;
use clawless_core::tenant::{TenantSettings, TenantStatus, Tier};
use clawless_core::{ApiError, Tenant, tool};
use clawless_edge::http::query::invalid;
use serde::Deserialize;

use crate::input;

/// The longest system prompt, in bytes.
const MAX_PROMPT: usize = 64 * 1024;
/// The largest number of models or tools in a list, and the longest name, in bytes.
const MAX_NAMES: usize = 100;
const MAX_NAME: usize = 256;
/// The longest retention: a hundred years, in days.
const MAX_RETENTION: u32 = 36_500;

/// All settings. Absent ones get their defaults.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settable {
    name: String,
    #[serde(default)]
    tier: Tier,
    #[serde(default)]
    status: Status,
    #[serde(default)]
    limits: LimitOverrides,
    #[serde(default)]
    quotas: QuotaOverrides,
    #[serde(default)]
    default_model: Option<String>,
    #[serde(default)]
    thinking: Option<ReasoningEffort>,
    #[serde(default)]
    allowed_models: Option<Vec<String>>,
    #[serde(default)]
    system_prompt: Option<String>,
    #[serde(default)]
    tools: Vec<String>,
    #[serde(default)]
    fallback: Fallback,
    #[serde(default)]
    ignore_body_session_id: bool,
    #[serde(default)]
    retention_days: Option<u32>,
}

/// The statuses that an operator can set; only a deletion sets `deleting`.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    #[default]
    Active,
    Suspended,
}

impl Settable {
    /// Applies the settings to a record.
    ///
    /// # Errors
    /// 400 that names the parameter at fault.
    pub(super) fn apply_to(self, record: Tenant) -> Result<Tenant, ApiError> {
        let (default, models) = (
            self.default_model.as_slice(),
            self.allowed_models.as_deref(),
        );
        check_server_tools("default_model", default)?;
        check_server_tools("allowed_models", models.unwrap_or_default())?;
        check_server_tools("tools", &self.tools)?;
        tool::check_server_tools(&self.tools).map_err(|why| invalid("tools", why))?;
        for (param, list) in self.fallback.lists() {
            check_server_tools(param, list)?;
            check_allowed(param, list, self.allowed_models.as_deref())?;
        }
        let prompt = self.system_prompt.as_deref().unwrap_or_default();
        if prompt.len() > MAX_PROMPT || prompt.contains('\0') {
            return Err(invalid(
                "system_prompt",
                format!("`system_prompt` has at most {MAX_PROMPT} bytes and no NUL."),
            ));
        }
        let days = self.retention_days.unwrap_or(1);
        if !(1..=MAX_RETENTION).contains(&days) {
            return Err(invalid(
                "retention_days",
                format!("`retention_days` is from 1 to {MAX_RETENTION}, or null."),
            ));
        }
        Ok(Tenant {
            name: input::name(self.name)?,
            tier: self.tier,
            status: match self.status {
                Status::Active => TenantStatus::Active,
                Status::Suspended => TenantStatus::Suspended,
            },
            settings: TenantSettings {
                default_model: self.default_model,
                thinking: self.thinking,
                allowed_models: self.allowed_models,
                system_prompt: self.system_prompt,
                tools: self.tools,
                fallback: self.fallback,
                ignore_body_session_id: self.ignore_body_session_id,
                retention_days: self.retention_days,
                limits: self.limits,
                quotas: self.quotas,
            },
            ..record
        })
    }
}

/// A fallback model that the tenant may not use would never be called. An alias selects among the
/// allowed models.
fn check_allowed(
    param: &str,
    fallback: &[String],
    allowed: Option<&[String]>,
) -> Result<(), ApiError> {
    let is_allowed = |name: &&String| {
        ModelRole::from_alias(name).is_some() || allowed.is_none_or(|all| all.contains(name))
    };
    match fallback.iter().find(|name| !is_allowed(name)) {
        None => Ok(()),
        Some(name) => Err(invalid(
            param,
            format!("`{param}` names `{name}`, which is not in `allowed_models`."),
        )),
    }
}

fn check_server_tools(param: &str, names: &[String]) -> Result<(), ApiError> {
    let is_name =
        |name: &String| (1..=MAX_NAME).contains(&name.len()) && !name.contains(char::is_control);
    if names.len() <= MAX_NAMES && names.iter().all(is_name) {
        return Ok(());
    }
    Err(invalid(
        param,
        format!(
            "`{param}` has at most {MAX_NAMES} names of 1 to {MAX_NAME} bytes without control characters."
        ),
    ))
}
