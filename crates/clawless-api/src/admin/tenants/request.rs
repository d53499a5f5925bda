//! Parsing and validation of a tenant's settings.

use clawless_core::chat::ReasoningEffort;
use clawless_core::limits::{LimitOverrides, QuotaOverrides, StorageOverrides};
use clawless_core::model::{AUTO, ModelRole};
use clawless_core::routing::Fallback;
use clawless_core::tenant::{ClassifierSettings, TenantSettings, TenantStatus, Tier};
use clawless_core::time_zone::TimeZone;
use clawless_core::{ApiError, Tenant, tool};
use serde::Deserialize;
use serde_json::Value;

use super::response::TenantSettingsObject;
use crate::admin::fields::check_name;
use crate::admin::merge_patch;
use crate::body;
use crate::fields::{check_template, invalid};

/// The maximum length of a system prompt, in bytes.
const MAX_PROMPT_BYTES: usize = 64 * 1024;
/// The maximum number of models or tools in a list.
const MAX_NAMES: usize = 100;
/// The maximum length of a name in a list, in bytes.
const MAX_NAME_BYTES: usize = 256;
/// The longest retention: a hundred years.
const MAX_RETENTION_DAYS: u32 = 36_500;

/// The body of a request that creates or replaces a tenant: all settings. Absent ones get their
/// defaults.
#[derive(Debug, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "TenantSettings")
)]
#[serde(deny_unknown_fields)]
pub struct TenantBody {
    /// A name for people.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 200)))]
    name: String,
    /// The tier, which sets the default limits and quotas.
    #[serde(default)]
    tier: Tier,
    /// Whether requests are served.
    #[serde(default)]
    status: OperatorStatus,
    /// Rate limits that differ from the tier.
    #[serde(default)]
    limits: LimitOverrides,
    /// Monthly quotas that differ from the tier.
    #[serde(default)]
    quotas: QuotaOverrides,
    /// Limits of stored content that differ from the tier.
    #[serde(default)]
    storage: StorageOverrides,
    /// The model or alias for `auto`; the router decides if it is absent.
    #[serde(default)]
    default_model: Option<String>,
    /// The reasoning effort for requests and sessions without one.
    #[serde(default)]
    thinking: Option<ReasoningEffort>,
    /// The models that the tenant may use; all if absent.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_NAMES)))]
    allowed_models: Option<Vec<String>>,
    /// The system prompt before every conversation.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_PROMPT_BYTES)))]
    system_prompt: Option<String>,
    /// The time zone of dates in system prompts; UTC if absent.
    #[serde(default)]
    time_zone: Option<TimeZone>,
    /// The enabled server tools.
    #[serde(default)]
    tools: Vec<String>,
    /// The fallback models: one list, or one per request class.
    #[serde(default)]
    fallback: Fallback,
    /// How the request classifier decides.
    #[serde(default)]
    classifier: ClassifierSettings,
    /// Whether `session_id` in the body of a request names no session.
    #[serde(default)]
    ignore_body_session_id: bool,
    /// The age in days at which messages and unused sessions are deleted; unlimited if absent.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_RETENTION_DAYS)))]
    retention_days: Option<u32>,
}

/// The statuses that an operator can set; only a deletion sets `deleting`.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "TenantStatusSetting")
)]
#[serde(rename_all = "snake_case")]
enum OperatorStatus {
    #[default]
    Active,
    Suspended,
}

impl TenantBody {
    /// Parses the body of a request. Values are checked by [`Self::apply_to`].
    ///
    /// # Errors
    /// 400 that names the invalid parameter.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        body::read_settings(body)
    }

    /// Applies the settings to a record.
    ///
    /// # Errors
    /// 400 that names the invalid parameter.
    pub fn apply_to(self, record: Tenant) -> Result<Tenant, ApiError> {
        let (default, models) = (
            self.default_model.as_slice(),
            self.allowed_models.as_deref(),
        );
        check_names("default_model", default)?;
        check_names("allowed_models", models.unwrap_or_default())?;
        check_names("tools", &self.tools)?;
        tool::check_server_tools(&self.tools).map_err(|why| invalid("tools", why))?;
        // A record that was stored before must not prevent other changes, such as a suspension.
        let stored = &record.settings;
        let is_changed = self.default_model != stored.default_model
            || self.allowed_models != stored.allowed_models;
        if is_changed && self.default_model.as_deref() != Some(AUTO) {
            check_allowed("default_model", default, models)?;
        }
        for (param, list) in self.fallback.lists() {
            check_names(param, list)?;
            check_allowed(param, list, self.allowed_models.as_deref())?;
        }
        let prompt = self.system_prompt.as_deref().unwrap_or_default();
        if prompt.len() > MAX_PROMPT_BYTES || prompt.contains('\0') {
            return Err(invalid(
                "system_prompt",
                format!("`system_prompt` has at most {MAX_PROMPT_BYTES} bytes and no NUL."),
            ));
        }
        if self.system_prompt != stored.system_prompt {
            check_template(prompt)?;
        }
        check_classifier(&self.classifier)?;
        let days = self.retention_days.unwrap_or(1);
        if !(1..=MAX_RETENTION_DAYS).contains(&days) {
            return Err(invalid(
                "retention_days",
                format!("`retention_days` is from 1 to {MAX_RETENTION_DAYS}, or null."),
            ));
        }
        Ok(Tenant {
            name: check_name(self.name)?,
            tier: self.tier,
            status: match self.status {
                OperatorStatus::Active => TenantStatus::Active,
                OperatorStatus::Suspended => TenantStatus::Suspended,
            },
            settings: TenantSettings {
                default_model: self.default_model,
                thinking: self.thinking,
                allowed_models: self.allowed_models,
                system_prompt: self.system_prompt,
                time_zone: self.time_zone,
                tools: self.tools,
                fallback: self.fallback,
                classifier: self.classifier,
                ignore_body_session_id: self.ignore_body_session_id,
                retention_days: self.retention_days,
                limits: self.limits,
                quotas: self.quotas,
                storage: self.storage,
            },
            ..record
        })
    }
}

/// A default or fallback model that the tenant may not use would never be called. An alias selects
/// among the allowed models.
fn check_allowed(
    param: &str,
    names: &[String],
    allowed: Option<&[String]>,
) -> Result<(), ApiError> {
    let is_allowed = |name: &&String| {
        ModelRole::from_alias(name).is_some() || allowed.is_none_or(|all| all.contains(name))
    };
    match names.iter().find(|name| !is_allowed(name)) {
        None => Ok(()),
        Some(name) => Err(invalid(
            param,
            format!("`{param}` names `{name}`, which is not in `allowed_models`."),
        )),
    }
}

fn check_classifier(settings: &ClassifierSettings) -> Result<(), ApiError> {
    let threshold = settings.simple_threshold.unwrap_or_default();
    if (0.0..=1.0).contains(&threshold) {
        return Ok(());
    }
    Err(invalid(
        "classifier.simple_threshold",
        "`classifier.simple_threshold` is a probability from 0 to 1, or null.",
    ))
}

fn check_names(param: &str, names: &[String]) -> Result<(), ApiError> {
    let is_name = |name: &String| {
        (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.contains(char::is_control)
    };
    if names.len() <= MAX_NAMES && names.iter().all(is_name) {
        return Ok(());
    }
    Err(invalid(
        param,
        format!(
            "`{param}` has at most {MAX_NAMES} names of 1 to {MAX_NAME_BYTES} bytes without control characters."
        ),
    ))
}

/// The body of a request that changes some settings: a JSON merge patch (RFC 7396). `null` resets a
/// setting to its default.
#[derive(Debug)]
pub struct TenantPatch(Value);

impl TenantPatch {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// 400 if it is not an object.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        merge_patch::parse(body).map(Self)
    }

    /// The tenant's settings with this patch applied.
    ///
    /// # Errors
    /// 400 that names the invalid parameter.
    pub fn merge_into(self, tenant: &Tenant) -> Result<TenantBody, ApiError> {
        let present = serde_json::to_value(TenantSettingsObject::from(tenant));
        let merged = merge_patch::merge(present.map_err(ApiError::internal)?, self.0);
        TenantBody::parse(merged.to_string().as_bytes())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for TenantPatch {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TenantPatch".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        crate::schema::merge_patch::<TenantBody>(generator)
    }
}

#[cfg(test)]
mod tests {
    use clawless_core::{ErrorCode, Timestamp};

    use super::*;

    fn tenant(body: &str) -> Result<Tenant, ApiError> {
        let now = Timestamp::from_millis(1_767_225_600_500);
        TenantBody::parse(body.as_bytes())?.apply_to(Tenant {
            id: "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id"),
            name: String::new(),
            tier: Tier::default(),
            status: TenantStatus::default(),
            settings: TenantSettings::default(),
            version: 1,
            created_at: now,
            updated_at: now,
        })
    }

    fn patch(tenant: &Tenant, body: &str) -> Result<Tenant, ApiError> {
        let body = TenantPatch::parse(body.as_bytes())?.merge_into(tenant)?;
        body.apply_to(tenant.clone())
    }

    #[test]
    fn invalid_setting_is_named() {
        for (body, param) in [
            ("{}", "name"),
            (r#"{"name":"a","status":"deleting"}"#, "status"),
            (r#"{"name":"a","tools":["no_such_tool"]}"#, "tools"),
            (
                r#"{"name":"a","default_model":"a","allowed_models":["b"]}"#,
                "default_model",
            ),
            (
                r#"{"name":"a","limits":{"shares":{"read":0}}}"#,
                "limits.shares.read",
            ),
            (r#"{"name":"a","allowed_models":[""]}"#, "allowed_models"),
            (r#"{"name":"a","system_prompt":"\u0000"}"#, "system_prompt"),
            (r#"{"name":"a","system_prompt":"{{foo}}"}"#, "system_prompt"),
            (r#"{"name":"a","time_zone":"Europe/Berlin"}"#, "time_zone"),
            (r#"{"name":"a","retention_days":0}"#, "retention_days"),
            (r#"{"name":"a","limits":{"burst":-1}}"#, "limits.burst"),
            (
                r#"{"name":"a","limits":{"concurrent":"none"}}"#,
                "limits.concurrent",
            ),
            (
                r#"{"name":"a","classifier":{"simple_threshold":1.5}}"#,
                "classifier.simple_threshold",
            ),
            (
                r#"{"name":"a","classifier":{"off":["hard"]}}"#,
                "classifier.off[0]",
            ),
            (
                r#"{"name":"a","classifier":{"threshold":1}}"#,
                "classifier.threshold",
            ),
            (r#"{"name":"a","version":2}"#, "version"),
        ] {
            let error = tenant(body).expect_err(body);
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn patch_changes_some_settings_and_null_resets_one() {
        let before = tenant(
            r#"{"name":"a","tier":"pro","retention_days":30,"limits":{"burst":5,"concurrent":2}}"#,
        );
        let before = before.expect("valid");
        let body = r#"{"retention_days":null,"limits":{"burst":null,"concurrent":3}}"#;
        let after = patch(&before, body).expect("valid");
        assert_eq!((after.name.as_str(), after.tier), ("a", Tier::Pro));
        assert_eq!(after.settings.retention_days, None);
        assert_eq!(after.limits().concurrent, Some(3));
        assert_eq!(after.limits().burst, Tier::Pro.plan().limits.burst);
        assert_eq!(patch(&after, "{}").expect("valid"), after);
        let body = r#"{"limits":{"burst":"unlimited"},"quotas":{"tokens_per_month":"unlimited"}}"#;
        let unlimited = patch(&after, body).expect("valid");
        assert_eq!(unlimited.limits().burst, None);
        assert_eq!(unlimited.quotas().tokens_per_month, None);
        assert_eq!(unlimited.limits().concurrent, Some(3));
        assert_eq!(patch(&unlimited, "{}").expect("valid"), unlimited);
        let body = r#"{"limits":{"burst":null},"quotas":{"tokens_per_month":null}}"#;
        assert_eq!(patch(&unlimited, body).expect("valid"), after);
        let stored = Tenant {
            settings: TenantSettings {
                system_prompt: Some("Use {{braces}}.".to_owned()),
                ..before.settings.clone()
            },
            ..before.clone()
        };
        let after = patch(&stored, r#"{"retention_days":5}"#).expect("an older prompt is kept");
        assert_eq!(after.settings.system_prompt, stored.settings.system_prompt);
        for body in ["[]", "1", "null"] {
            let error = patch(&before, body).expect_err(body);
            assert_eq!(error.code, ErrorCode::InvalidType);
        }
    }
}
