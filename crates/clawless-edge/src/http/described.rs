//! A routes table as plain values, for the program that describes the API.

use clawless_core::ErrorCode;
use clawless_core::admin_role::{AdminAccess, RoleName};

use super::contract::Declared;
use super::routes::{Endpoint, Route, Routes};
use super::service::Service;

/// A line of a table that has a description of its own.
#[derive(Debug, Clone)]
pub struct DescribedRoute {
    /// The method.
    pub method: &'static str,
    /// The path, with parameters as in the table.
    pub pattern: &'static str,
    /// The parameters of the query.
    pub query: &'static [&'static str],
    /// What a caller needs; none for a public route.
    pub requirement: Option<Requirement>,
    /// The types; none if the line does not declare them.
    pub declared: Option<Declared>,
}

/// What a caller needs, and what an access rule implies for the responses.
#[derive(Debug, Clone)]
pub struct Requirement {
    /// The security scheme.
    pub scheme: &'static str,
    /// The scopes or roles.
    pub permissions: Vec<&'static str>,
    /// The errors that the rule implies.
    pub errors: Vec<ErrorCode>,
    /// The headers that the rule adds to every response.
    pub headers: &'static [&'static str],
}

/// An access rule that can be described.
pub trait DescribedAccess {
    /// What a caller needs.
    fn requirement(self) -> Requirement;
}

/// The errors that every route of the admin API can have. Each checks the body, even one that has none.
const OF_ADMIN: [ErrorCode; 8] = [
    ErrorCode::MissingApiKey,
    ErrorCode::InvalidApiKey,
    ErrorCode::PermissionDenied,
    ErrorCode::RateLimitExceeded,
    ErrorCode::Overloaded,
    ErrorCode::RequestTimeout,
    ErrorCode::RequestTooLarge,
    ErrorCode::UnsupportedMediaType,
];

impl DescribedAccess for AdminAccess {
    fn requirement(self) -> Requirement {
        let admits = |role: &RoleName| match self {
            Self::AnyRole => false,
            Self::Global(least) => *role >= least,
            Self::Tenant(least) => *role >= least || *role == RoleName::TenantAdmin,
        };
        let roles = RoleName::ALL.into_iter().filter(admits);
        Requirement {
            scheme: "AdminToken",
            permissions: roles.map(RoleName::as_str).collect(),
            errors: OF_ADMIN.to_vec(),
            headers: &[],
        }
    }
}

impl<S: Service> Routes<S>
where
    S::Access: DescribedAccess,
{
    /// The lines, except those of other Workers.
    pub fn described(&self) -> Vec<DescribedRoute> {
        let lines = self.lines.iter();
        let own = lines.filter(|route| !matches!(route.endpoint, Endpoint::Forwarded(_)));
        own.map(Route::described).collect()
    }
}

impl<S: Service> Route<S>
where
    S::Access: DescribedAccess,
{
    fn described(&self) -> DescribedRoute {
        DescribedRoute {
            method: self.method,
            pattern: self.pattern,
            query: self.query,
            requirement: match self.endpoint {
                Endpoint::Public(_) | Endpoint::Forwarded(_) => None,
                Endpoint::Authenticating(access, _) | Endpoint::Restricted(access, _) => {
                    Some(access.requirement())
                }
            },
            declared: self.contract.0,
        }
    }
}
