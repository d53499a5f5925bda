//! What a handler gets: one request, authenticated as its route requires.

use std::rc::Rc;

use clawless_core::{ApiError, RequestId};

use super::body::RequestBody;
use super::load::{Permit, Reader};
use super::query::Query;
use super::request::RequestHead;

/// One request. `P` is the platform of the Worker: its ports and configuration. `C` is the caller: a
/// proof of authentication, or `()` on a public route.
#[derive(Debug)]
pub struct Call<P, C> {
    /// Ports and configuration.
    pub platform: Rc<P>,
    /// The authenticated caller.
    pub caller: C,
    /// Method, path and headers.
    pub head: Rc<RequestHead>,
    /// The parameters in the path.
    pub params: Params,
    /// The parameters that the query may have, as the routes table declares them.
    pub query: &'static [&'static str],
    /// The body, which is not read yet.
    pub body: RequestBody,
    /// The id of the request.
    pub request_id: RequestId,
    /// Who reads, on a route that reads.
    pub reader: Option<Reader>,
    /// Counts what a read holds in memory. A route that waits takes one of its own before it reads
    /// ([`super::load::Load::read_for`]).
    pub permit: Rc<Permit>,
}

impl<P, C> Call<P, C> {
    /// A parameter of the path, by its name in the pattern; empty if the pattern has none of this
    /// name.
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name)
    }

    /// The query of the request.
    pub fn query(&self) -> Query<'_> {
        Query::new(&self.head)
    }

    /// Refuses parameters of the query that the route does not have, and repeated ones. Done before
    /// every handler, except for those that authenticate for themselves. A route of static files declares
    /// `*`: pages and content management systems add parameters of their own to URLs.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub fn check_query(&self) -> Result<(), ApiError> {
        match self.query {
            ["*"] => Ok(()),
            known => self.query().only(known),
        }
    }
}

/// The parameters of a path, decoded. Bytes that are not UTF-8 become U+FFFD, which no id contains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(&'static str, String)>);

impl Params {
    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// A parameter's value; empty if there is none of this name.
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(other, _)| *other == name);
        found.map_or("", |(_, value)| value)
    }
}
