//! Selects the signed reasoning to replay to a model: only its own.

use clawless_core::json::Json;
use clawless_core::members::Members;

/// The member that names the signer. It is not sent to the provider.
pub(crate) const SIGNER: &str = "signed_by";

/// The reasoning to replay to a model, named as `provider/model`: its own, and reasoning without a
/// signer. `None` if the value is not an array of objects.
pub(super) fn select(model: &str, thoughts: &Json) -> Option<Vec<Json>> {
    let thoughts: Vec<Members> = thoughts.read().ok()?;
    let mut selected = Vec::with_capacity(thoughts.len());
    for mut thought in thoughts {
        let signer = thought.0.iter().find(|(name, _)| name == SIGNER);
        let signer: Option<String> = signer.and_then(|(_, value)| value.read().ok());
        if signer.is_none_or(|signer| signer == model) {
            // A model that does not sign gets its reasoning as it sent it.
            let is_empty = |value: &Json| value.as_str() == "\"\"";
            thought.0.retain(|(name, value)| {
                name != SIGNER && (name != "signature" || !is_empty(value))
            });
            selected.push(Json::from_value(&thought).ok()?);
        }
    }
    Some(selected)
}
