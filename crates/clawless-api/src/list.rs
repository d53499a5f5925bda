//! Lists in responses.

use serde::Serialize;

/// One page of a list.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "{T}List")
)]
pub struct ListPage<T> {
    /// Always `list`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "list")))]
    object: &'static str,
    /// The items of this page.
    data: Vec<T>,
    /// Whether there is another page.
    has_more: bool,
    /// The `cursor` of the next page.
    next_cursor: Option<String>,
}

impl<T> ListPage<T> {
    /// A page of these items; `next_cursor` is the cursor of the next page, if there is one.
    pub const fn new(data: Vec<T>, next_cursor: Option<String>) -> Self {
        Self {
            object: "list",
            data,
            has_more: next_cursor.is_some(),
            next_cursor,
        }
    }
}
