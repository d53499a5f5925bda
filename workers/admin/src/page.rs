//! Pages of lists. A cursor is the id of the last item: operators may see every item, so there is
//! nothing to sign.

use std::str::FromStr;

use clawless_core::ApiError;
use clawless_edge::http::page::{self, PageRequest, PlainCursors};
use clawless_edge::http::{HttpResponse, Query};
use serde::Serialize;

/// The page that a request names, of items with ids of this type.
pub(crate) struct Page<Id> {
    request: PageRequest,
    /// The last item of the page before.
    pub(crate) after: Option<Id>,
}

impl<Id: FromStr> Page<Id> {
    /// Takes `limit` and `cursor` out of a query.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub(crate) fn take(query: &mut Query<'_>) -> Result<Self, ApiError> {
        let request = PageRequest::take(query)?;
        let after = request.start(&PlainCursors, |id| id.parse().ok())?;
        Ok(Self { request, after })
    }

    /// The largest number of items on the page.
    pub(crate) const fn limit(&self) -> u32 {
        self.request.limit
    }

    /// The number of items to read: one more than the page shows, to find out whether there are more.
    pub(crate) const fn read_limit(&self) -> u32 {
        self.request.read_limit()
    }

    /// The page, of up to [`Self::read_limit`] items.
    ///
    /// # Errors
    /// An internal error if an item cannot be written as JSON.
    pub(crate) fn respond<T: Serialize>(
        &self,
        items: Vec<T>,
        id: impl Fn(&T) -> &str,
    ) -> Result<HttpResponse, ApiError> {
        let position = |item: &T| id(item).to_owned();
        self.request
            .respond(&PlainCursors, items, position, |item| item)
    }
}

/// Takes `cursor` out of a query whose pages have no limit.
///
/// # Errors
/// 400 for a text that is not a cursor.
pub(crate) fn take_cursor<Id: FromStr>(query: &mut Query<'_>) -> Result<Option<Id>, ApiError> {
    let cursor = query.take("cursor")?;
    page::start(cursor.as_deref(), &PlainCursors, |id| id.parse().ok())
}

/// A page whose next one starts after `next`.
///
/// # Errors
/// An internal error if an item cannot be written as JSON.
pub(crate) fn respond<T: Serialize>(
    items: Vec<T>,
    next: Option<String>,
) -> Result<HttpResponse, ApiError> {
    page::respond(&PlainCursors, items, next)
}
