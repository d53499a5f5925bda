//! The routes table of a Worker: one line per route, and the search for the route of a request.
//!
//! Paths are compared as the runtime delivers them: an alias by `//`, case or escapes is another path,
//! which has no route. Only the parameters of a path are decoded. A parameter of several segments never
//! matches a rest that a URL parser would fold into another path.

use std::fmt;

use clawless_core::{ApiError, ErrorCode};
use futures_util::future::LocalBoxFuture;
use percent_encoding::percent_decode_str;

use super::call::{Call, Params};
use super::contract::Contract;
use super::request::redacted;
use super::response::HttpResponse;
use super::service::Service;

/// The method of a route that takes every method.
pub const ANY: &str = "ANY";

/// What a handler returns. Each handler is boxed: in one piece they would be one function, half of
/// all code, which the runtime would compile before the first response.
pub type ResponseFuture<'a> = LocalBoxFuture<'a, Result<HttpResponse, ApiError>>;

/// A handler, and who may call it.
pub enum Endpoint<S: Service> {
    /// Everyone may call it.
    Public(for<'a> fn(&'a Call<S::Platform, ()>) -> ResponseFuture<'a>),
    /// It authenticates for itself and checks the access rule. After that it calls
    /// [`Call::check_query`].
    Authenticating(
        S::Access,
        for<'a> fn(&'a Call<S::Platform, ()>) -> ResponseFuture<'a>,
    ),
    /// Another Worker authenticates the caller and checks the query.
    Forwarded(for<'a> fn(&'a Call<S::Platform, ()>) -> ResponseFuture<'a>),
    /// It needs a caller that satisfies the access rule.
    Restricted(
        S::Access,
        for<'a> fn(&'a Call<S::Platform, S::Caller>) -> ResponseFuture<'a>,
    ),
}

/// A line of the table.
pub struct Route<S: Service> {
    /// The method. `GET` includes HEAD.
    pub method: &'static str,
    /// The path. `{id}` is one segment and `{id…}` at the end is the whole rest; neither may be empty.
    /// `{…}` at the end is any rest, even an empty one, and no parameter.
    pub pattern: &'static str,
    /// The parameters that the query may have, each once. `name[]` matches `name[key]` with any key.
    pub query: &'static [&'static str],
    /// The handler.
    pub endpoint: Endpoint<S>,
    /// The types of the request and the responses.
    pub contract: Contract,
}

/// All routes of a Worker. The first pattern that matches a path counts.
pub struct Routes<S: Service> {
    /// The lines.
    pub lines: &'static [Route<S>],
    /// The access rule for requests that match no line. Without one, everyone learns which routes
    /// exist.
    pub unmatched: Option<S::Access>,
}

/// Declares a routes table: method, path, access rule, parameters of the query if there are any, handler
/// with the type of its request, its responses, and the errors that the access rule does not imply.
///
/// ```text
/// routes! {
///     POST "/v1/chat/completions" Authenticating(Turn(Chat)) => completions::create(ChatRequest)
///          -> 200 ChatCompletionResponse | 200 Events<ChatChunk>,
///     GET  "/v1/sessions/{id}"    Key(SessionsRead, Read)    => sessions::show() -> 200 SessionObject<'_> | ResourceNotFound,
///     ANY  "/admin/{…}"           Forwarded                  => forward::admin,
/// }
/// ```
#[macro_export]
macro_rules! routes {
    ($(
        $(#[$attribute:meta])*
        $method:ident $pattern:literal $rule:ident $(($($argument:expr),*))?
            $([$($parameter:literal),*])?
            => $($handler:ident)::+ $((
                $($request:ty)?) -> $($status:literal $body:ty)|+ $(| $error:ident)*
            )?
    ),* $(,)?) => {
        &[$(
            $(#[$attribute])*
            $crate::http::Route {
                method: stringify!($method),
                pattern: $pattern,
                query: &[$($($parameter),*)?],
                endpoint: $crate::endpoint!($rule $(($($argument),*))? => $($handler)::+),
                contract: $crate::contract!(
                    $(($($request)?) $($status $body,)+ => $($error)*)?
                ),
            },
        )*]
    };
}

/// The handler of one line of [`routes!`].
#[doc(hidden)]
#[macro_export]
macro_rules! endpoint {
    (Public => $handler:expr) => {
        $crate::http::Endpoint::Public(|call| ::std::boxed::Box::pin($handler(call)))
    };
    (Authenticating($access:expr) => $handler:expr) => {
        $crate::http::Endpoint::Authenticating($access, |call| {
            ::std::boxed::Box::pin($handler(call))
        })
    };
    (Forwarded => $handler:expr) => {
        $crate::http::Endpoint::Forwarded(|call| ::std::boxed::Box::pin($handler(call)))
    };
    ($access:expr => $handler:expr) => {
        $crate::http::Endpoint::Restricted($access, |call| ::std::boxed::Box::pin($handler(call)))
    };
}

/// A route that was found, and the parameters of the path.
pub struct Match<S: Service> {
    /// The route.
    pub route: &'static Route<S>,
    /// The parameters.
    pub params: Params,
}

impl<S: Service> Route<S> {
    /// The access rule; none for a route that is public, authenticates for itself or is forwarded.
    pub const fn access(&self) -> Option<S::Access> {
        match self.endpoint {
            Endpoint::Public(_) | Endpoint::Authenticating(..) | Endpoint::Forwarded(_) => None,
            Endpoint::Restricted(access, _) => Some(access),
        }
    }
}

impl<S: Service> fmt::Debug for Route<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = self.access();
        write!(f, "{} {} {access:?}", self.method, self.pattern)
    }
}

impl<S: Service> Routes<S> {
    /// Finds the route of a request.
    ///
    /// # Errors
    /// 404 for an unknown path, 405 with `allow` for a method that the path does not take.
    pub fn find(&self, method: &str, path: &str) -> Result<Match<S>, ApiError> {
        let Some((pattern, params)) = self.matching(path) else {
            return Err(ApiError::new(
                ErrorCode::RouteNotFound,
                format!("Unknown route: {method} {}.", redacted(path)),
            ));
        };
        let wanted = if method == "HEAD" { "GET" } else { method };
        let mut lines = self.of(pattern);
        if let Some(route) = lines.find(|route| route.method == ANY || route.method == wanted) {
            return Ok(Match { route, params });
        }
        let (path, allow) = (redacted(path), self.allow(pattern));
        Err(ApiError::new(
            ErrorCode::MethodNotAllowed,
            format!("{path} does not take {method}. Use one of: {allow}."),
        )
        .header("allow", allow))
    }

    /// The `allow` header of a path; none for an unknown path.
    pub fn allowed(&self, path: &str) -> Option<String> {
        self.matching(path).map(|(pattern, _)| self.allow(pattern))
    }

    fn matching(&self, path: &str) -> Option<(&'static str, Params)> {
        let mut lines = self.lines.iter();
        lines.find_map(|route| Some((route.pattern, matches(route.pattern, path)?)))
    }

    fn of(&self, pattern: &str) -> impl Iterator<Item = &'static Route<S>> {
        let lines = self.lines.iter();
        lines.filter(move |route| route.pattern == pattern)
    }

    fn allow(&self, pattern: &str) -> String {
        let mut names = Vec::new();
        for route in self.of(pattern) {
            match route.method {
                ANY => names.extend(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
                "GET" => names.extend(["GET", "HEAD"]),
                other => names.push(other),
            }
        }
        names.push("OPTIONS");
        names.join(", ")
    }
}

/// Whether a URL parser turns a path into another one: it removes segments `.` and `..`, escaped or
/// not, and takes `\` for `/`.
fn is_folded(path: &str) -> bool {
    let is_dots = |segment: &str| {
        let decoded = percent_decode_str(segment).collect::<Vec<_>>();
        decoded == b"." || decoded == b".."
    };
    path.contains('\\') || path.split('/').any(is_dots)
}

/// The parameters of a path that matches a pattern.
fn matches(pattern: &'static str, path: &str) -> Option<Params> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (mut params, mut rest) = (Params::default(), path);
    for wanted in pattern.split('/').skip(1) {
        rest = rest.strip_prefix('/')?;
        let name = wanted.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
        match name.map(|name| name.strip_suffix('…').unwrap_or(name)) {
            Some("") => return (!is_folded(rest)).then_some(params),
            Some(name) if wanted.ends_with("…}") => {
                return (!rest.is_empty() && !is_folded(rest))
                    .then(|| params.with(name, decode(rest)));
            }
            name => {
                let end = rest.find('/').unwrap_or(rest.len());
                let (segment, after) = rest.split_at(end);
                match name {
                    Some(name) if !segment.is_empty() => {
                        params = params.with(name, decode(segment));
                    }
                    None if segment == wanted => {}
                    _ => return None,
                }
                rest = after;
            }
        }
    }
    rest.is_empty().then_some(params)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use clawless_core::RequestId;
    use worker::Env;

    use super::super::request::RequestHead;
    use super::super::service::Authorized;
    use super::*;
    use crate::tasks::Tasks;

    struct TestService;

    impl Service for TestService {
        type Platform = ();
        type Caller = &'static str;
        type Access = &'static str;

        fn open(_: Env, _: Rc<Tasks>, _: &RequestId) -> Result<Rc<()>, ApiError> {
            Ok(Rc::new(()))
        }

        async fn authorize(
            (): &(),
            access: &'static str,
            _: &RequestHead,
            _: &Params,
        ) -> Result<Authorized<&'static str>, ApiError> {
            Ok(Authorized {
                caller: access,
                headers: Vec::new(),
            })
        }
    }

    #[allow(clippy::unused_async, reason = "handlers are async")]
    async fn public(_: &Call<(), ()>) -> Result<HttpResponse, ApiError> {
        Ok(HttpResponse::json("{}".to_owned()))
    }

    #[allow(clippy::unused_async, reason = "handlers are async")]
    async fn restricted(_: &Call<(), &'static str>) -> Result<HttpResponse, ApiError> {
        Ok(HttpResponse::json("{}".to_owned()))
    }

    const READ: &str = "read";
    const WRITE: &str = "write";

    static ROUTES: Routes<TestService> = Routes {
        unmatched: None,
        lines: routes! {
            GET    "/things"                    READ ["limit", "label[]"] => restricted,
            POST   "/things"                    WRITE  => restricted,
            GET    "/things/{id}"               READ   => restricted,
            DELETE "/things/{id}"               WRITE  => restricted,
            DELETE "/things/{id}/parts/{part}"  WRITE  => restricted,
            GET    "/files/{name…}"             READ   => restricted,
            ANY    "/admin/{…}"                 Forwarded => public,
        },
    };

    fn find(method: &str, path: &str) -> (String, Params) {
        let found = ROUTES
            .find(method, path)
            .map(|found| (format!("{:?}", found.route), found.params));
        found.expect(path)
    }

    #[test]
    fn a_path_gives_its_route_and_its_parameters() {
        let none = Params::default;
        assert_eq!(
            find("POST", "/things"),
            (r#"POST /things Some("write")"#.into(), none())
        );
        assert_eq!(
            find("HEAD", "/things/a"),
            (
                r#"GET /things/{id} Some("read")"#.into(),
                none().with("id", "a")
            )
        );
        assert_eq!(
            find("DELETE", "/things/a%3Ab/parts/%2F"),
            (
                r#"DELETE /things/{id}/parts/{part} Some("write")"#.into(),
                none().with("id", "a:b").with("part", "/")
            )
        );
        assert_eq!(
            find("GET", "/files/a/b%2Fc"),
            (
                r#"GET /files/{name…} Some("read")"#.into(),
                none().with("name", "a/b/c")
            )
        );
        for path in ["/admin/", "/admin/x", "/admin/x/y"] {
            assert_eq!(
                find("FOO", path),
                ("ANY /admin/{…} None".to_owned(), none())
            );
        }
    }

    #[test]
    fn a_line_declares_the_parameters_of_the_query() {
        let declared: Vec<_> = ROUTES.lines.iter().map(|route| route.query).collect();
        let (first, others) = declared.split_first().expect("lines");
        assert_eq!(*first, ["limit", "label[]"]);
        assert!(others.iter().all(|query| query.is_empty()));
    }

    #[test]
    fn a_path_has_no_aliases() {
        for alias in [
            "",
            "/",
            "things",
            "//things",
            "/Things",
            "/things/",
            "/things//parts/a",
            "/thing%73",
            "/things/a/parts",
            "/things/a/parts/b/",
            "/files/",
            "/files",
            "/admin",
            "/things/../admin/x",
            "/things/%2e%2E/admin/x",
            "/./things",
            "/\\things",
            "/files/../things",
            "/files/a/%2E",
            "/files/a\\b",
            "/admin/../things",
            "/admin/.%2e/things",
            "/admin/x/..",
            "/admin/.",
            "/admin\\x",
            "/admin/x\\..\\things",
        ] {
            let error = ROUTES.find("GET", alias).err().expect(alias);
            assert_eq!(error.status(), 404, "{alias}");
        }
    }

    #[test]
    fn a_wrong_method_gets_the_right_ones() {
        for (path, allow) in [
            ("/things", "GET, HEAD, POST, OPTIONS"),
            ("/things/a", "GET, HEAD, DELETE, OPTIONS"),
            ("/things/a/parts/b", "DELETE, OPTIONS"),
        ] {
            for method in ["TRACE", "PUT", "FOO", "OPTIONS", ANY] {
                let error = ROUTES.find(method, path).err().expect(method);
                let expected = vec![("allow", allow.to_owned())];
                assert_eq!((error.status(), error.headers), (405, expected));
            }
            assert_eq!(ROUTES.allowed(path).as_deref(), Some(allow));
        }
        assert_eq!(ROUTES.allowed("/nothing"), None);
    }

    #[test]
    fn a_key_in_a_path_is_not_repeated() {
        let error = ROUTES.find("GET", "/cl_sk_secret").err().expect("no route");
        assert!(!error.message.contains("secret"));
    }
}
