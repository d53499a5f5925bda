//! The parameters of a query string.

use std::borrow::Cow;
use std::str::FromStr;

pub use clawless_api::fields::invalid;
use clawless_core::{ApiError, ErrorCode};

use super::request::RequestHead;

/// The parameters of a request's query. A handler takes the ones that it knows and then calls
/// [`Query::end`], or names them first with [`Query::only`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// The query of a request, decoded.
    pub fn new(head: &'a RequestHead) -> Self {
        Self(head.query().collect())
    }

    /// Refuses parameters that the route does not have, and repeated ones.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        for (at, (name, _)) in self.0.iter().enumerate() {
            let is_repeated = self.0.iter().skip(at + 1).any(|(other, _)| other == name);
            if is_repeated || !known.contains(&name.as_ref()) {
                let message = format!("`{name}` is not a parameter of this route, or is repeated.");
                return Err(unknown(name, message));
            }
        }
        Ok(())
    }

    /// Takes a parameter out.
    ///
    /// # Errors
    /// 400 for a repeated one.
    pub fn take(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let mut found = self.0.extract_if(.., |(other, _)| other == name);
        let value = found.next().map(|(_, value)| value.into_owned());
        if found.next().is_some() {
            return Err(invalid(name, format!("`{name}` is repeated.")));
        }
        Ok(value)
    }

    /// Takes a parameter out and parses it.
    ///
    /// # Errors
    /// 400 for a repeated one, and for a value that is not what `expected` says.
    pub fn parse<T: FromStr>(&mut self, name: &str, expected: &str) -> Result<Option<T>, ApiError> {
        let text = self.take(name)?;
        let parsed = text.map(|text| text.parse()).transpose();
        parsed.map_err(|_| invalid(name, format!("Invalid `{name}`: expected {expected}.")))
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

    /// Refuses the parameters that were not taken.
    ///
    /// # Errors
    /// 400 that names the first of them.
    pub fn end(self) -> Result<(), ApiError> {
        let Some((name, _)) = self.0.first() else {
            return Ok(());
        };
        let message = format!("`{name}` is not a parameter of this route.");
        Err(unknown(name, message))
    }
}

fn unknown(param: &str, message: String) -> ApiError {
    ApiError::new(ErrorCode::UnknownParameter, message).param(param)
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
        let mut query = Query::new(&head);
        assert_eq!(query.parse("a", "a number"), Ok(Some(1)));
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
            let mut query = Query::new(&head);
            query.take_map("metadata");
            assert_eq!(query.end().expect_err(text).param.as_deref(), Some(param));
        }
        let head = self::head("a=1&a=1");
        assert_eq!(
            Query::new(&head).take("a").expect_err("twice").status(),
            400
        );
    }

    #[test]
    fn only_named_parameters_pass_each_once() {
        assert_eq!(Query::new(&head("a=1&b=2")).only(&["b", "a"]), Ok(()));
        for (text, param) in [("a=1&c=2", "c"), ("a=1&a=1", "a"), ("A=1", "A")] {
            let error = Query::new(&head(text)).only(&["a", "b"]).expect_err(text);
            assert_eq!(
                (error.code, error.param.as_deref()),
                (ErrorCode::UnknownParameter, Some(param))
            );
        }
    }
}
