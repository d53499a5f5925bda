//! The objects of `GET /v1/models` and `GET /v1/models/{id}`.

use serde::Serialize;

/// The list of models.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModelList<'a> {
    /// Always `list`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "list")))]
    object: &'static str,
    /// The models.
    data: Vec<ModelObject<'a>>,
}

impl<'a> FromIterator<ModelObject<'a>> for ModelList<'a> {
    fn from_iter<T: IntoIterator<Item = ModelObject<'a>>>(models: T) -> Self {
        Self {
            object: "list",
            data: models.into_iter().collect(),
        }
    }
}

/// A model or an alias.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Model")
)]
pub struct ModelObject<'a> {
    /// The name for the parameter `model`.
    id: &'a str,
    /// Always `model`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "model")))]
    object: &'static str,
    /// Always 0: providers do not publish when a model was created.
    created: u64,
    /// The provider; `clawless` for an alias.
    owned_by: &'a str,
}

impl<'a> ModelObject<'a> {
    /// The model `id`, served by `owned_by`.
    pub const fn new(id: &'a str, owned_by: &'a str) -> Self {
        Self {
            id,
            object: "model",
            created: 0,
            owned_by,
        }
    }

    /// The model's id.
    pub const fn id(&self) -> &'a str {
        self.id
    }
}
