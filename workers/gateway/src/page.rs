//! Lists: which page a request wants, and how a page is answered.

use std::borrow::Cow;

use clawless_core::cursor::{self, CursorScope};
use clawless_core::signing::SigningKey;
use clawless_core::{ApiError, ErrorCode, Timestamp};
use clawless_edge::request::RequestHead;
use clawless_edge::response::HttpResponse;
use serde::Serialize;

/// How many things are on a page where the request does not say.
const DEFAULT_LIMIT: u32 = 20;
/// The most things on a page.
const MAX_LIMIT: u32 = 100;

/// The parameters of a request's query, taken one after another.
pub struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// The query of a request.
    pub fn of(head: &'a RequestHead) -> Self {
        Self(head.query().collect())
    }

    /// Takes a parameter out.
    ///
    /// # Errors
    /// 400 where it stands twice.
    pub fn take(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let mut found = self.0.extract_if(.., |(other, _)| other == name);
        let value = found.next().map(|(_, value)| value.into_owned());
        if found.next().is_some() {
            return Err(invalid(name, format!("`{name}` stands twice.")));
        }
        Ok(value)
    }

    /// Takes a parameter out and reads it.
    ///
    /// # Errors
    /// 400 where it stands twice, or is not what `expected` says.
    pub fn read<T: std::str::FromStr>(
        &mut self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, ApiError> {
        let text = self.take(name)?;
        let read = text.map(|text| text.parse()).transpose();
        read.map_err(|_| invalid(name, format!("Invalid `{name}`: expected {expected}.")))
    }

    /// Takes out all parameters of the form `name[key]`.
    pub fn take_map(&mut self, name: &str) -> Vec<(String, String)> {
        let key_of = |param: &str| {
            let key = param
                .strip_prefix(name)?
                .strip_prefix('[')?
                .strip_suffix(']')?;
            Some(key.to_owned())
        };
        let taken = self.0.extract_if(.., |(param, _)| key_of(param).is_some());
        taken
            .filter_map(|(param, value)| Some((key_of(&param)?, value.into_owned())))
            .collect()
    }

    /// How many things are wanted.
    ///
    /// # Errors
    /// 400 where that is no number from 1 to 100.
    pub fn limit(&mut self) -> Result<u32, ApiError> {
        let expected = format!("a whole number from 1 to {MAX_LIMIT}");
        let limit = self.read("limit", &expected)?.unwrap_or(DEFAULT_LIMIT);
        if (1..=MAX_LIMIT).contains(&limit) {
            return Ok(limit);
        }
        Err(invalid(
            "limit",
            format!("Invalid `limit`: expected {expected}."),
        ))
    }

    /// Refuses whatever was not taken.
    ///
    /// # Errors
    /// 400 that names it.
    pub fn end(self) -> Result<(), ApiError> {
        let Some((name, _)) = self.0.first() else {
            return Ok(());
        };
        let message = format!("`{name}` is not a parameter of this route.");
        Err(ApiError::new(ErrorCode::UnknownParameter, message).param(name.as_ref()))
    }
}

/// A value that a parameter cannot have.
pub fn invalid(param: &str, message: String) -> ApiError {
    ApiError::new(ErrorCode::InvalidValue, message).param(param)
}

/// One list of one tenant under one filter, as its cursors are signed for.
pub struct Listing<'a> {
    /// What cursors are signed with.
    pub key: &'a SigningKey,
    /// What they are good for.
    pub scope: CursorScope<'a>,
    /// The present moment.
    pub now: Timestamp,
}

impl Listing<'_> {
    /// The place that a cursor names.
    ///
    /// # Errors
    /// 400 where it is not a cursor of this list.
    pub fn open<T>(
        &self,
        cursor: Option<&str>,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(cursor) = cursor else {
            return Ok(None);
        };
        let place = cursor::open(self.key, self.scope, cursor, self.now)?;
        let place = read(&place).ok_or(cursor::InvalidCursor)?;
        Ok(Some(place))
    }

    /// A page of at most `limit` things, of which one more was read if there are more.
    ///
    /// # Errors
    /// An internal error where the page cannot be written.
    pub fn answer<T, W: Serialize>(
        &self,
        mut found: Vec<T>,
        limit: u32,
        place: impl FnOnce(&T) -> String,
        write: impl Fn(T) -> W,
    ) -> Result<HttpResponse, ApiError> {
        let has_more = found.len() > limit as usize;
        found.truncate(limit as usize);
        self.page(found, has_more, place, write)
    }

    /// A page of these things.
    ///
    /// # Errors
    /// An internal error where the page cannot be written.
    pub fn page<T, W: Serialize>(
        &self,
        found: Vec<T>,
        has_more: bool,
        place: impl FnOnce(&T) -> String,
        write: impl Fn(T) -> W,
    ) -> Result<HttpResponse, ApiError> {
        #[derive(Serialize)]
        struct Page<W> {
            object: &'static str,
            data: Vec<W>,
            has_more: bool,
            next_cursor: Option<String>,
        }
        let last = found.last().filter(|_| has_more).map(place);
        HttpResponse::of(&Page {
            object: "list",
            next_cursor: last.map(|place| cursor::seal(self.key, self.scope, &place, self.now)),
            data: found.into_iter().map(write).collect(),
            has_more,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(query: &str) -> RequestHead {
        RequestHead::new("GET", &format!("/v1/sessions?{query}"), [])
    }

    #[test]
    fn parameters_are_taken_by_name_and_the_rest_is_refused() {
        let head = head("a=1&metadata%5Bx%5D=%C3%A9&metadata[y]=2&b=c%20d");
        let mut query = Query::of(&head);
        assert_eq!(query.read("a", "a number"), Ok(Some(1)));
        assert_eq!(query.take("b"), Ok(Some("c d".to_owned())));
        let labels = query.take_map("metadata");
        assert_eq!(
            labels,
            [
                ("x".to_owned(), "é".to_owned()),
                ("y".to_owned(), "2".to_owned())
            ]
        );
        assert_eq!(query.end(), Ok(()));
        for (text, param) in [
            ("tenant_id=x", "tenant_id"),
            ("metadata=x", "metadata"),
            ("metadata[x=1", "metadata[x"),
        ] {
            let head = self::head(text);
            let mut query = Query::of(&head);
            query.take_map("metadata");
            assert_eq!(query.end().expect_err(text).param.as_deref(), Some(param));
        }
        let head = self::head("a=1&a=1");
        assert_eq!(Query::of(&head).take("a").expect_err("twice").status(), 400);
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
            let head = head(&format!("limit={bad}"));
            let error = Query::of(&head).limit().expect_err(bad);
            assert_eq!(error.param.as_deref(), Some("limit"), "{bad}");
        }
        assert_eq!(Query::of(&head("limit=100")).limit(), Ok(100));
        assert_eq!(Query::of(&head("")).limit(), Ok(20));
    }
}
