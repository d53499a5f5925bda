//! The objects of `GET /v1/models` and `GET /v1/models/{id}` for Anthropic's clients.

use clawless_core::Tokens;
use clawless_core::model::Model;
use serde::Serialize;

/// When a model was created: providers do not publish it for all models.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// A model or an alias.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModelInfo<'a> {
    /// Always `model`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "model")))]
    r#type: &'static str,
    /// The name for the parameter `model`.
    id: &'a str,
    /// The same.
    display_name: &'a str,
    /// Always the beginning of 1970.
    created_at: &'static str,
    /// The context window, in tokens, if it is known.
    max_input_tokens: Option<Tokens>,
    /// The maximum of `max_tokens`, if it is known.
    max_tokens: Option<Tokens>,
    /// Always `active`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "active")))]
    lifecycle: &'static str,
    /// Not known.
    capabilities: (),
    /// Not known.
    line: (),
    /// An active model has no such time.
    deprecated_at: (),
    /// The same.
    retires_at: (),
}

impl<'a> ModelInfo<'a> {
    /// The model or alias `id`; `model` is its definition, unless `id` is an alias.
    pub fn new(id: &'a str, model: Option<&Model>) -> Self {
        Self {
            r#type: "model",
            id,
            display_name: id,
            created_at: CREATED,
            max_input_tokens: model.and_then(|model| model.context),
            max_tokens: model.and_then(|model| model.max_output),
            lifecycle: "active",
            capabilities: (),
            line: (),
            deprecated_at: (),
            retires_at: (),
        }
    }
}

/// A page of the list of models.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModelPage<'a> {
    /// The models.
    data: Vec<ModelInfo<'a>>,
    /// Whether more models follow in the direction of the page.
    has_more: bool,
    /// The first model of the page.
    first_id: Option<&'a str>,
    /// The last model of the page.
    last_id: Option<&'a str>,
}

/// Which page of a list a client requests.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<'a> {
    /// The most models of a page.
    pub limit: usize,
    /// The page begins after this model.
    pub after: Option<&'a str>,
    /// The page ends before this model.
    pub before: Option<&'a str>,
}

impl<'a> ModelPage<'a> {
    /// A page of these models. An unknown `after` or `before` is ignored.
    pub fn new(models: Vec<ModelInfo<'a>>, page: PageRequest<'_>) -> Self {
        let find = |id: Option<&str>| models.iter().position(|model| Some(model.id) == id);
        let (start, end) = match (find(page.after), find(page.before)) {
            (Some(after), _) => (after + 1, models.len()),
            (None, Some(before)) => (before.saturating_sub(page.limit), before),
            (None, None) => (0, models.len()),
        };
        let count = end.saturating_sub(start);
        let models = models.into_iter().skip(start);
        let data: Vec<ModelInfo<'a>> = models.take(count.min(page.limit)).collect();
        let is_backward = page.after.is_none() && page.before.is_some();
        Self {
            has_more: if is_backward {
                start > 0
            } else {
                data.len() < count
            },
            first_id: data.first().map(|model| model.id),
            last_id: data.last().map(|model| model.id),
            data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_its_limits_and_an_alias_has_none() {
        let model = Model {
            context: Some(Tokens::new(200_000)),
            max_output: Some(Tokens::new(64_000)),
            ..serde_json::from_str(r#"{"id":"m"}"#).expect("a model")
        };
        let info = |model| serde_json::to_value(ModelInfo::new("m", model)).expect("JSON");
        let expected = |input: Option<u32>, output: Option<u32>| {
            serde_json::json!({
                "type": "model", "id": "m", "display_name": "m", "created_at": CREATED,
                "max_input_tokens": input, "max_tokens": output, "lifecycle": "active",
                "capabilities": null, "line": null, "deprecated_at": null, "retires_at": null,
            })
        };
        assert_eq!(info(Some(&model)), expected(Some(200_000), Some(64_000)));
        assert_eq!(info(None), expected(None, None));
    }

    #[test]
    fn pages_go_forward_and_backward() {
        let page = |limit, after, before| {
            let request = PageRequest {
                limit,
                after,
                before,
            };
            let models = ["a", "b", "c", "d"].map(|id| ModelInfo::new(id, None));
            let page = ModelPage::new(models.into(), request);
            let ids: Vec<&str> = page.data.iter().map(|model| model.id).collect();
            (ids.concat(), page.has_more)
        };
        for ((limit, after, before), expected) in [
            ((20, None, None), ("abcd", false)),
            ((2, None, None), ("ab", true)),
            ((2, Some("b"), None), ("cd", false)),
            ((2, Some("d"), None), ("", false)),
            ((2, None, Some("d")), ("bc", true)),
            ((2, None, Some("b")), ("a", false)),
            ((2, Some("x"), None), ("ab", true)),
        ] {
            let (ids, has_more) = page(limit, after, before);
            assert_eq!(
                (ids.as_str(), has_more),
                expected,
                "{limit} {after:?} {before:?}"
            );
        }
    }
}
