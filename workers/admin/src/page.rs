//! Lists, page by page. A cursor is the id of the last thing on the page before: operators may see
//! everything, so there is nothing to sign.

use std::str::FromStr;

use clawless_core::{ApiError, ErrorCode};
use clawless_edge::response::HttpResponse;
use serde::Serialize;

/// Things on a page where the request does not say.
const DEFAULT_LIMIT: u32 = 20;
/// The most things on a page.
const MAX_LIMIT: u32 = 100;

/// The parameters of a request's query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(pub(crate) Vec<(String, String)>);

impl Query {
    /// A parameter's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        pairs
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// Refuses what a route does not take, by name, and what is said twice.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        for (at, (name, _)) in self.0.iter().enumerate() {
            let is_repeated = self.0.iter().skip(at + 1).any(|(other, _)| other == name);
            if !known.contains(&name.as_str()) || is_repeated {
                let message =
                    format!("`{name}` is not a parameter of this route, or stands twice.");
                return Err(ApiError::new(ErrorCode::UnknownParameter, message).param(name));
            }
        }
        Ok(())
    }
}

/// Which page is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page<Id> {
    /// The last thing on the page before.
    pub(crate) cursor: Option<Id>,
    /// How many things it has at most.
    pub(crate) limit: u32,
}

impl<Id: FromStr> Page<Id> {
    /// Reads `cursor` and `limit`; `others` are parameters that the route takes besides.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub(crate) fn of(query: &Query, others: &[&str]) -> Result<Self, ApiError> {
        query.only(&[&["cursor", "limit"], others].concat())?;
        let limit = query.get("limit").map(str::parse).transpose();
        let limit = limit.ok().map(|limit| limit.unwrap_or(DEFAULT_LIMIT));
        let limit = limit.filter(|limit| (1..=MAX_LIMIT).contains(limit));
        let limit = limit.ok_or_else(|| {
            invalid(
                "limit",
                format!("`limit` is a whole number from 1 to {MAX_LIMIT}."),
            )
        })?;
        let cursor = cursor(query)?;
        Ok(Self { cursor, limit })
    }

    /// How many things to read: one more than is shown tells whether there are more.
    pub(crate) fn to_read(&self) -> u32 {
        self.limit.saturating_add(1)
    }

    /// The page as an answer.
    ///
    /// # Errors
    /// An internal error where it cannot be written.
    pub(crate) fn answer<T: Serialize>(
        &self,
        mut data: Vec<T>,
        id: impl Fn(&T) -> &str,
    ) -> Result<HttpResponse, ApiError> {
        let has_more = data.len() > self.limit as usize;
        data.truncate(self.limit as usize);
        let last = data.last().map(|last| id(last).to_owned());
        list(data, last.filter(|_| has_more))
    }
}

/// Where the page before ended, if the request says.
///
/// # Errors
/// 400 for what is no such place.
pub(crate) fn cursor<Id: FromStr>(query: &Query) -> Result<Option<Id>, ApiError> {
    let cursor = query.get("cursor").map(str::parse).transpose();
    cursor.map_err(|_| {
        invalid(
            "cursor",
            "`cursor` is the `next_cursor` of the page before.".to_owned(),
        )
    })
}

/// A page as an answer, and where the next one begins, if there is one.
///
/// # Errors
/// An internal error where it cannot be written.
pub(crate) fn list<T: Serialize>(
    data: Vec<T>,
    next_cursor: Option<String>,
) -> Result<HttpResponse, ApiError> {
    HttpResponse::of(&List {
        object: "list",
        data,
        has_more: next_cursor.is_some(),
        next_cursor,
    })
}

fn invalid(param: &str, message: String) -> ApiError {
    ApiError::new(ErrorCode::InvalidValue, message).param(param)
}

#[derive(Serialize)]
struct List<T> {
    object: &'static str,
    data: Vec<T>,
    has_more: bool,
    next_cursor: Option<String>,
}
