//! Keyset paging by id: a page starts after or before an id, or at the end of the list.

use crate::ports::Value;

/// Sorts before every id and every session name.
const FIRST: &str = "";

/// Sorts after every id and every session name: they are ASCII without `~`.
pub(crate) const LAST: &str = "~";

/// The start of a page of a list in ascending order.
pub(crate) fn after(id: Option<impl Into<Value>>) -> Value {
    id.map_or_else(|| FIRST.into(), Into::into)
}

/// The start of a page of a list in descending order.
pub(crate) fn before(id: Option<impl Into<Value>>) -> Value {
    id.map_or_else(|| LAST.into(), Into::into)
}
