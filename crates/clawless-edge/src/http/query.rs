//! The parameters of a query string.

use std::borrow::Cow;
use std::str::FromStr;

pub use clawless_api::fields::invalid;
use clawless_core::{ApiError, ErrorCode};

use super::request::{RequestHead, redacted};

/// The parameters of a request's query. The routes table declares them; unknown and repeated ones are
/// rejected by [`Query::only`] before the handler takes those that it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// The query of a request, decoded.
    pub fn new(head: &'a RequestHead) -> Self {
        Self(head.query().collect())
    }

    /// Refuses parameters that the route does not have, and repeated ones. `name[]` in `known`
    /// matches `name[key]` with any key.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        let names = || self.0.iter().map(|(name, _)| name.as_ref());
        if let Some(name) = names().find(|name| !known.iter().any(|known| is_named(known, name))) {
            let name = redacted(name);
            let message = format!("`{name}` is not a parameter of this route.");
            return Err(ApiError::new(ErrorCode::UnknownParameter, message).param(name));
        }
        let repeated = names().enumerate();
        let mut repeated = repeated.filter(|(at, name)| names().take(*at).any(|it| it == *name));
        match repeated.next() {
            Some((_, name)) => {
                let name = redacted(name);
                Err(invalid(name, format!("`{name}` is repeated.")))
            }
            None => Ok(()),
        }
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
        let taken = self
            .0
            .extract_if(.., |(param, _)| key_of(name, param).is_some());
        taken
            .filter_map(|(param, value)| {
                Some((key_of(name, &param)?.to_owned(), value.into_owned()))
            })
            .collect()
    }
}

/// Whether a parameter is the declared one.
fn is_named(declared: &str, param: &str) -> bool {
    match declared.strip_suffix("[]") {
        Some(name) => key_of(name, param).is_some(),
        None => declared == param,
    }
}

/// The key of a parameter of the form `name[key]`.
fn key_of<'a>(name: &str, param: &'a str) -> Option<&'a str> {
    param
        .strip_prefix(name)?
        .strip_prefix('[')?
        .strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(query: &str) -> RequestHead {
        RequestHead::new("GET", &format!("/v1/sessions?{query}"), [])
    }

    #[test]
    fn parameters_are_taken_by_name() {
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
        let head = self::head("a=1&a=1");
        assert_eq!(
            Query::new(&head).take("a").expect_err("twice").status(),
            400
        );
    }

    #[test]
    fn only_declared_parameters_pass_each_once() {
        let check = |query: &str, declared: &[&str]| {
            let head = head(query);
            let checked = Query::new(&head).only(declared);
            checked.map_err(|error| (error.code, error.param.unwrap_or_default()))
        };
        let declared = ["a", "b", "label[]"];
        for query in ["", "a=1&b=2", "label[x]=1&label%5By%5D=1&a="] {
            assert_eq!(check(query, &declared), Ok(()), "{query}");
        }
        for (query, param) in [
            ("a=1&c=2", "c"),
            ("A=1", "A"),
            ("=1", ""),
            ("label=1", "label"),
            ("label[x=1", "label[x"),
            ("labels[x]=1", "labels[x]"),
            ("c=1&c=1", "c"),
        ] {
            let expected = (ErrorCode::UnknownParameter, param.to_owned());
            assert_eq!(check(query, &declared), Err(expected), "{query}");
        }
        for (query, param) in [
            ("a=1&b=1&a=1", "a"),
            ("a=1&%61=2", "a"),
            ("label[x]=1&label[x]=2", "label[x]"),
        ] {
            let expected = (ErrorCode::InvalidValue, param.to_owned());
            assert_eq!(check(query, &declared), Err(expected), "{query}");
        }
        assert!(check("a=1", &[]).is_err());
    }

    #[test]
    fn attack_7_a_key_as_the_name_of_a_parameter_is_not_repeated() {
        let head = head("cl_sk_secret=1");
        let error = Query::new(&head).only(&[]).expect_err("unknown");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        let head = self::head("label[cl_sk_secret]=1&label[cl_sk_secret]=2");
        let error = Query::new(&head).only(&["label[]"]).expect_err("repeated");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}
