//! Signed thoughts on their way back: only to the model that signed them.

use clawless_core::json::Json;

use crate::members::Members;

/// The member that names the signer. The provider never sees it.
const SIGNER: &str = "signed_by";

/// The thoughts that go back to a model: those that it signed itself, and those of which nobody
/// says who did. `None` where they are no array of objects.
pub(super) fn by(model: &str, thoughts: &Json) -> Option<Vec<Json>> {
    let thoughts: Vec<Members> = thoughts.read().ok()?;
    let mut kept = Vec::with_capacity(thoughts.len());
    for mut thought in thoughts {
        let signer = thought.0.iter().find(|(name, _)| name == SIGNER);
        let signer: Option<String> = signer.and_then(|(_, value)| value.read().ok());
        if signer.is_none_or(|signer| signer == model) {
            thought.0.retain(|(name, _)| name != SIGNER);
            kept.push(Json::of(&thought).ok()?);
        }
    }
    Some(kept)
}
