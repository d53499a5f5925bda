//! The objects of `GET /v1/models` and `GET /v1/models/{id}` for Anthropic's clients.

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
}

impl<'a> ModelInfo<'a> {
    /// The model `id`.
    pub const fn new(id: &'a str) -> Self {
        Self {
            r#type: "model",
            id,
            display_name: id,
            created_at: CREATED,
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
    pub fn new(models: impl IntoIterator<Item = &'a str>, page: PageRequest<'_>) -> Self {
        let models: Vec<&str> = models.into_iter().collect();
        let find = |id: Option<&str>| models.iter().position(|model| Some(*model) == id);
        let (start, end) = match (find(page.after), find(page.before)) {
            (Some(after), _) => (after + 1, models.len()),
            (None, Some(before)) => (before.saturating_sub(page.limit), before),
            (None, None) => (0, models.len()),
        };
        let shown = models.get(start..end).unwrap_or_default();
        let data: Vec<ModelInfo<'a>> = shown
            .iter()
            .take(page.limit)
            .map(|id| ModelInfo::new(id))
            .collect();
        let is_backward = page.after.is_none() && page.before.is_some();
        Self {
            has_more: if is_backward {
                start > 0
            } else {
                data.len() < shown.len()
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
    fn pages_go_forward_and_backward() {
        let page = |limit, after, before| {
            let request = PageRequest {
                limit,
                after,
                before,
            };
            let page = ModelPage::new(["a", "b", "c", "d"], request);
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
