//! Whether a tenant's settings name models that the deployment offers.

use clawless_core::model::AUTO;
use clawless_core::tenant::Tenant;
use clawless_core::{ApiError, ErrorCode};

/// The names that requests for models may have: `auto`, models, and aliases with a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedModels(Vec<String>);

impl OfferedModels {
    /// The names that the gateway offers.
    pub const fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    /// Checks the default model and the fallbacks of a changed tenant. A setting that was stored before is
    /// not checked: a model that is no longer offered must not prevent other changes.
    ///
    /// # Errors
    /// 400 that names the setting and the model.
    pub fn check(&self, before: Option<&Tenant>, after: &Tenant) -> Result<(), ApiError> {
        let known = before.map(settings).unwrap_or_default();
        for (setting, name) in settings(after) {
            // `auto` is a default, but no model to fall back to.
            let is_model = name != AUTO || setting == "default_model";
            let is_offered = is_model && self.0.iter().any(|offered| offered == name);
            if !is_offered && !known.contains(&(setting, name)) {
                let message = format!(
                    "`{setting}` names `{name}`, which no provider offers. Use one of the names that \
                     `GET /v1/models` lists, or add the model to PROVIDERS first."
                );
                let error = ApiError::new(ErrorCode::InvalidValue, message);
                return Err(error.param(setting));
            }
        }
        Ok(())
    }
}

/// The settings that name models which must answer.
fn settings(tenant: &Tenant) -> Vec<(&'static str, &str)> {
    let settings = &tenant.settings;
    let default = settings.default_model.iter();
    let default = default.map(|name| ("default_model", name.as_str()));
    let lists = settings.fallback.lists().into_iter();
    let fallback =
        lists.flat_map(|(setting, names)| names.iter().map(move |name| (setting, name.as_str())));
    default.chain(fallback).collect()
}

#[cfg(test)]
mod tests {
    use clawless_core::Timestamp;
    use clawless_core::tenant::{TenantStatus, Tier};
    use serde_json::{Value, json};

    use super::*;

    fn tenant(settings: Value) -> Tenant {
        Tenant {
            id: "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id"),
            name: "a".to_owned(),
            tier: Tier::default(),
            status: TenantStatus::default(),
            settings: serde_json::from_value(settings).expect("settings"),
            version: 1,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        }
    }

    #[test]
    fn a_default_or_fallback_that_is_not_offered_is_named_unless_it_was_stored_before() {
        let offered = ["auto", "fast", "a", "b"].map(str::to_owned);
        let offered = OfferedModels::new(offered.into());
        let check = |before: Option<&Tenant>, settings| {
            let checked = offered.check(before, &tenant(settings));
            checked.map_err(|error| error.param.unwrap_or_default())
        };
        for valid in [
            json!({}),
            json!({"default_model": "auto"}),
            json!({"default_model": "fast", "fallback": ["a", "fast"]}),
            json!({"fallback": {"code": ["b"]}, "allowed_models": ["gone"]}),
        ] {
            assert_eq!(check(None, valid), Ok(()));
        }
        for (settings, param) in [
            (json!({"default_model": "gone"}), "default_model"),
            (json!({"default_model": "smart"}), "default_model"),
            (json!({"default_model": "A"}), "default_model"),
            (json!({"fallback": ["a", "gone"]}), "fallback"),
            (json!({"fallback": {"code": ["gone"]}}), "fallback.code"),
            (json!({"fallback": ["auto"]}), "fallback"),
            (
                json!({"fallback": {"simple": ["vision"]}}),
                "fallback.simple",
            ),
        ] {
            assert_eq!(check(None, settings.clone()), Err(param.to_owned()));
            let before = tenant(settings.clone());
            assert_eq!(check(Some(&before), settings), Ok(()), "unchanged");
            let other = tenant(json!({"default_model": "other", "fallback": ["other"]}));
            assert!(check(Some(&other), json!({"default_model": "gone"})).is_err());
        }
    }
}
