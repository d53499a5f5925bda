//! The parameters of lists of items: `after`, `limit`, `order`.

use clawless_api::responses::ListedItem;
use clawless_core::ApiError;
use clawless_edge::http::query::{Query, invalid};

/// `OpenAI`'s default for `limit`, and its maximum.
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// `desc`, the default.
    NewestFirst,
    /// `asc`.
    OldestFirst,
}

/// A page of a list of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ItemPage {
    /// The order.
    pub(super) order: Order,
    /// The id of the item after which the page begins.
    pub(super) after: Option<String>,
    /// The most items of the page.
    pub(super) limit: usize,
}

impl ItemPage {
    /// Takes the parameters out of a query.
    ///
    /// # Errors
    /// 400 that names the invalid parameter.
    pub(super) fn take(query: &mut Query<'_>) -> Result<Self, ApiError> {
        let order = match query.take("order")?.as_deref() {
            None | Some("desc") => Order::NewestFirst,
            Some("asc") => Order::OldestFirst,
            Some(_) => {
                return Err(invalid(
                    "order",
                    "Invalid `order`: expected `asc` or `desc`.",
                ));
            }
        };
        let expected = "a number from 1 to 100";
        let limit = query.parse("limit", expected)?.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(invalid(
                "limit",
                format!("Invalid `limit`: expected {expected}."),
            ));
        }
        let after = query.take("after")?;
        Ok(Self {
            order,
            after,
            limit,
        })
    }

    /// The page of these items, which are in its order, and whether more follow.
    ///
    /// # Errors
    /// 400 if `after` names none of them.
    pub(super) fn cut(
        &self,
        mut items: Vec<ListedItem>,
    ) -> Result<(Vec<ListedItem>, bool), ApiError> {
        if let Some(after) = &self.after {
            let Some(position) = items.iter().position(|item| item.id == *after) else {
                return Err(invalid("after", "`after` is not an item of this list."));
            };
            items.drain(..=position);
        }
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        Ok((items, has_more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(after: Option<&str>) -> ItemPage {
        ItemPage {
            order: Order::OldestFirst,
            after: after.map(str::to_owned),
            limit: 2,
        }
    }

    fn ids(items: &[&str]) -> Vec<ListedItem> {
        let item = |id: &&str| ListedItem {
            id: (*id).to_owned(),
            text: String::new(),
        };
        items.iter().map(item).collect()
    }

    #[test]
    fn a_page_begins_after_its_item_and_has_a_limit() {
        let all = ids(&["a", "b", "c"]);
        assert_eq!(page(None).cut(all.clone()), Ok((ids(&["a", "b"]), true)));
        assert_eq!(page(Some("b")).cut(all.clone()), Ok((ids(&["c"]), false)));
        let error = page(Some("x")).cut(all).expect_err("no item");
        assert_eq!(
            (error.status(), error.param.as_deref()),
            (400, Some("after"))
        );
    }
}
