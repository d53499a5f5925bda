//! Lists in responses.

use serde::Serialize;

/// One page of a list.
#[derive(Debug, Serialize)]
pub struct ListPage<T> {
    object: &'static str,
    data: Vec<T>,
    has_more: bool,
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
