//! Models with known context windows, capabilities and prices.

use std::sync::LazyLock;

use serde::Deserialize;

use super::definition::{Features, InputForm, Model, ThinkingStyle};
use crate::llm::ProviderKind;

/// A model in `data/models.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KnownModel {
    /// The wire format of its provider.
    pub kind: ProviderKind,
    /// Its definition.
    #[serde(flatten)]
    pub model: Model,
}

/// The models in `data/models.json`.
pub fn known_models() -> &'static [KnownModel] {
    static KNOWN: LazyLock<Vec<KnownModel>> = LazyLock::new(|| {
        // A test checks that the file is valid.
        serde_json::from_str(include_str!("../../data/models.json")).unwrap_or_default()
    });
    &KNOWN
}

impl Model {
    /// The model with known values for everything that the configuration does not set.
    #[must_use]
    pub fn with_known_defaults(mut self, kind: ProviderKind) -> Self {
        let known = known_models()
            .iter()
            .find(|known| known.kind == kind && known.model.id == self.id);
        let Some(KnownModel { model, .. }) = known else {
            return self;
        };
        if self.thinking == ThinkingStyle::default() {
            self.thinking = model.thinking;
        }
        if self.inputs == InputForm::default() {
            self.inputs = model.inputs;
        }
        if self.features == Features::default() {
            self.features = model.features;
        }
        if self.roles.is_empty() {
            self.roles.clone_from(&model.roles);
        }
        self.context = self.context.or(model.context);
        self.max_output = self.max_output.or(model.max_output);
        self.default_output = self.default_output.or(model.default_output);
        self.effort = self.effort.or(model.effort);
        self.price = self.price.or_else(|| model.price.clone());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::definition::ModelRole;
    use crate::money::Tokens;

    #[test]
    fn data_file_is_valid_and_every_price_has_a_date_and_a_source() {
        let table: Vec<KnownModel> =
            serde_json::from_str(include_str!("../../data/models.json")).expect("readable");
        assert!(!table.is_empty());
        for KnownModel { model, .. } in &table {
            let price = model.price.as_ref().expect("a price");
            assert!(
                price.as_of.len() == 10 && !price.source.is_empty(),
                "{}",
                model.id
            );
            assert!(price.input <= price.output, "{}", model.id);
            assert!(!model.roles.is_empty(), "{}", model.id);
            assert!(model.context.is_some(), "{}", model.id);
        }
    }

    #[test]
    fn configured_values_take_precedence_over_known_values() {
        let model: Model =
            serde_json::from_str(r#"{"id":"gpt-6-luna","context":1000}"#).expect("a model");
        let model = model.with_known_defaults(ProviderKind::OpenAi);
        assert_eq!(model.context, Some(Tokens::new(1000)));
        assert_eq!(model.thinking, ThinkingStyle::Adaptive);
        assert!(model.price.is_some() && model.roles.contains(&ModelRole::Fast));
        let other = model.clone().with_known_defaults(ProviderKind::Anthropic);
        assert_eq!(other, model);
    }
}
