//! Lists, page by page: which page a request names, and its response.

use clawless_api::list::ListPage;
use clawless_core::cursor::{self, CursorScope, InvalidCursor};
use clawless_core::signing::SigningKey;
use clawless_core::{ApiError, Timestamp};
use serde::Serialize;
use serde_json::value::to_raw_value;

use super::query::{Query, invalid};
use super::response::HttpResponse;

/// The default number of items on a page.
const DEFAULT_LIMIT: u32 = 20;
/// The largest number of items on a page.
const MAX_LIMIT: u32 = 100;

/// The most bytes of items on a page: 1 MiB.
const MAX_PAGE_BYTES: usize = 1 << 20;

/// The form of a list's cursors. A cursor names the position of the last item of a page.
pub trait Cursors {
    /// The cursor for a position.
    fn encode(&self, position: String) -> String;

    /// The position that a cursor names.
    ///
    /// # Errors
    /// A text that is not a cursor of this list.
    fn decode(&self, cursor: &str) -> Result<String, InvalidCursor>;
}

/// Cursors that clients cannot make or change: signed for one list of one tenant under one filter.
#[derive(Debug)]
pub struct SignedCursors<'a> {
    /// The key that signs.
    pub key: &'a SigningKey,
    /// The list that the cursors are valid for.
    pub scope: CursorScope<'a>,
    /// The present time.
    pub now: Timestamp,
}

impl Cursors for SignedCursors<'_> {
    fn encode(&self, position: String) -> String {
        cursor::seal(self.key, self.scope, &position, self.now)
    }

    fn decode(&self, cursor: &str) -> Result<String, InvalidCursor> {
        cursor::open(self.key, self.scope, cursor, self.now)
    }
}

/// Cursors that are the position itself, for callers who may see every item.
#[derive(Debug, Clone, Copy)]
pub struct PlainCursors;

impl Cursors for PlainCursors {
    fn encode(&self, position: String) -> String {
        position
    }

    fn decode(&self, cursor: &str) -> Result<String, InvalidCursor> {
        Ok(cursor.to_owned())
    }
}

/// The page that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// The largest number of items on it.
    pub limit: u32,
    cursor: Option<String>,
}

impl PageRequest {
    /// Takes `limit` and `cursor` out of a query.
    ///
    /// # Errors
    /// 400 for a limit that is not a number from 1 to 100.
    pub fn take(query: &mut Query<'_>) -> Result<Self, ApiError> {
        let expected = format!("a whole number from 1 to {MAX_LIMIT}");
        let limit = query.parse("limit", &expected)?.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            let message = format!("Invalid `limit`: expected {expected}.");
            return Err(invalid("limit", message));
        }
        let cursor = query.take("cursor")?;
        Ok(Self { limit, cursor })
    }

    /// The position after which the page starts; none for the first page.
    ///
    /// # Errors
    /// 400 for a text that is not a cursor of this list.
    pub fn start<T>(
        &self,
        cursors: &impl Cursors,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        start(self.cursor.as_deref(), cursors, parse)
    }

    /// The number of items to read: one more than the page shows tells whether there are more.
    pub const fn read_limit(&self) -> u32 {
        self.limit.saturating_add(1)
    }

    /// The page, of items of which up to [`Self::read_limit`] were read. It ends at
    /// [`MAX_PAGE_BYTES`], but has at least one item.
    ///
    /// # Errors
    /// An internal error if an item cannot be written as JSON.
    pub fn respond<T, V: Serialize>(
        &self,
        cursors: &impl Cursors,
        items: Vec<T>,
        position: impl Fn(&T) -> String,
        view: impl Fn(T) -> V,
    ) -> Result<HttpResponse, ApiError> {
        let (found, mut bytes) = (items.len(), 0);
        let (mut shown, mut last) = (Vec::new(), None);
        for item in items.into_iter().take(self.limit as usize) {
            let place = position(&item);
            let text = to_raw_value(&view(item)).map_err(ApiError::internal)?;
            bytes += text.get().len();
            if bytes > MAX_PAGE_BYTES && last.is_some() {
                break;
            }
            shown.push(text);
            last = Some(place);
        }
        let has_more = shown.len() < found;
        respond(cursors, shown, last.filter(|_| has_more))
    }
}

/// The position that a cursor names; none without a cursor.
///
/// # Errors
/// 400 for a text that is not a cursor of this list.
pub fn start<T>(
    cursor: Option<&str>,
    cursors: &impl Cursors,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, ApiError> {
    let Some(cursor) = cursor else {
        return Ok(None);
    };
    let position = cursors.decode(cursor)?;
    Ok(Some(parse(&position).ok_or(InvalidCursor)?))
}

/// A page of these items. `next` is the position after which the next page starts, if there is
/// one.
///
/// # Errors
/// An internal error if an item cannot be written as JSON.
pub fn respond<V: Serialize>(
    cursors: &impl Cursors,
    data: Vec<V>,
    next: Option<String>,
) -> Result<HttpResponse, ApiError> {
    let next_cursor = next.map(|position| cursors.encode(position));
    HttpResponse::of(&ListPage::new(data, next_cursor))
}

#[cfg(test)]
mod tests {
    use super::super::request::RequestHead;
    use super::super::response::Body;
    use super::*;

    fn page(query: &str) -> Result<PageRequest, ApiError> {
        let head = RequestHead::new("GET", &format!("/v1/sessions?{query}"), []);
        PageRequest::take(&mut Query::new(&head))
    }

    #[test]
    fn attack_32_a_limit_is_a_small_count() {
        for bad in [
            "0",
            "101",
            "-1",
            "1.5",
            "",
            "x",
            "2147483648",
            "9007199254740993",
            "1e1",
        ] {
            let error = page(&format!("limit={bad}")).expect_err(bad);
            assert_eq!(error.param.as_deref(), Some("limit"), "{bad}");
        }
        let limit = |query| page(query).map(|page| page.limit);
        assert_eq!(limit("limit=100"), Ok(100));
        assert_eq!(limit(""), Ok(20));
    }

    #[test]
    fn a_page_names_the_next_one_only_where_there_is_one() {
        let request = page("limit=2").expect("a page");
        let body = |items: Vec<u32>| {
            let page = request.respond(&PlainCursors, items, u32::to_string, |item| item);
            match page.expect("a response").body {
                Body::Json(text) => text,
                _ => String::new(),
            }
        };
        assert_eq!(
            body(vec![1, 2, 3]),
            r#"{"object":"list","data":[1,2],"has_more":true,"next_cursor":"2"}"#
        );
        assert_eq!(
            body(vec![1, 2]),
            r#"{"object":"list","data":[1,2],"has_more":false,"next_cursor":null}"#
        );
    }

    #[test]
    fn attack_63_a_page_of_long_items_ends_at_its_limit_of_bytes() {
        let request = page("limit=100").expect("a page");
        let shown = |length: usize| {
            let items = vec!["x".repeat(length); 50];
            let page = request.respond(&PlainCursors, items, String::clone, |item| item);
            let Body::Json(text) = page.expect("a response").body else {
                return (0, false);
            };
            let page: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let count = page["data"].as_array().map_or(0, Vec::len);
            (
                count,
                page["has_more"] == true && page["next_cursor"].is_string(),
            )
        };
        assert_eq!(shown(100_000), (10, true));
        assert_eq!(shown(2_000_000), (1, true));
        assert_eq!(shown(100), (50, false));
    }

    #[test]
    fn a_text_that_names_no_position_is_refused() {
        let request = page("cursor=x").expect("a page");
        let start = request.start(&PlainCursors, |text| text.parse::<u32>().ok());
        assert_eq!(
            start.expect_err("no position").param.as_deref(),
            Some("cursor")
        );
    }
}
