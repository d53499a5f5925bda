//! Roles of admin tokens, and the access rules of the admin API's routes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::TenantId;

/// The name of a role, from the fewest rights to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "AdminRole")
)]
#[serde(rename_all = "snake_case")]
pub enum RoleName {
    /// Manages one tenant.
    TenantAdmin,
    /// Reads settings, keys, usage and the audit log of all tenants, but no conversations.
    Viewer,
    /// Manages all tenants, their keys and their data.
    Operator,
    /// Manages everything, including admin tokens.
    Owner,
}

impl RoleName {
    /// All roles, in their order.
    pub const ALL: [Self; 4] = [Self::TenantAdmin, Self::Viewer, Self::Operator, Self::Owner];

    /// The role's name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenantAdmin => "tenant_admin",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Owner => "owner",
        }
    }
}

/// The role of an admin token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum AdminRole {
    /// [`RoleName::TenantAdmin`] of this tenant.
    TenantAdmin(TenantId),
    /// [`RoleName::Viewer`].
    Viewer,
    /// [`RoleName::Operator`].
    Operator,
    /// [`RoleName::Owner`].
    Owner,
}

/// A role and a tenant do not belong together, or a text is not a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRole {
    /// A tenant admin without a tenant.
    #[error("the role tenant_admin needs a tenant")]
    TenantMissing,
    /// A tenant with another role.
    #[error("only the role tenant_admin has a tenant")]
    TenantNotAllowed,
    /// No role has this name.
    #[error("unknown role")]
    Unknown,
}

impl AdminRole {
    /// The role of this name, bound to `tenant`.
    ///
    /// # Errors
    /// [`InvalidRole`] if the role needs a tenant and there is none, or the reverse.
    pub fn new(name: RoleName, tenant: Option<TenantId>) -> Result<Self, InvalidRole> {
        match (name, tenant) {
            (RoleName::TenantAdmin, Some(tenant)) => Ok(Self::TenantAdmin(tenant)),
            (RoleName::TenantAdmin, None) => Err(InvalidRole::TenantMissing),
            (_, Some(_)) => Err(InvalidRole::TenantNotAllowed),
            (RoleName::Viewer, None) => Ok(Self::Viewer),
            (RoleName::Operator, None) => Ok(Self::Operator),
            (RoleName::Owner, None) => Ok(Self::Owner),
        }
    }

    /// The role's name.
    pub const fn name(&self) -> RoleName {
        match self {
            Self::TenantAdmin(_) => RoleName::TenantAdmin,
            Self::Viewer => RoleName::Viewer,
            Self::Operator => RoleName::Operator,
            Self::Owner => RoleName::Owner,
        }
    }

    /// The only tenant that the role can access, if it is bound to one.
    pub const fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::TenantAdmin(tenant) => Some(tenant),
            Self::Viewer | Self::Operator | Self::Owner => None,
        }
    }
}

/// The stored form: `owner`, or `tenant_admin:ten_…`.
impl fmt::Display for AdminRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().as_str())?;
        match self.tenant() {
            Some(tenant) => write!(f, ":{tenant}"),
            None => Ok(()),
        }
    }
}

impl FromStr for AdminRole {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let (name, tenant) = match text.split_once(':') {
            Some((name, tenant)) => (
                name,
                Some(tenant.parse().map_err(|_| InvalidRole::Unknown)?),
            ),
            None => (text, None),
        };
        let name = RoleName::ALL.into_iter().find(|it| it.as_str() == name);
        Self::new(name.ok_or(InvalidRole::Unknown)?, tenant)
    }
}

impl TryFrom<String> for AdminRole {
    type Error = InvalidRole;

    fn try_from(text: String) -> Result<Self, InvalidRole> {
        text.parse()
    }
}

/// The access rule of a route of the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminAccess {
    /// Every admin token.
    AnyRole,
    /// At least this role. Roles that are bound to a tenant are refused.
    Global(RoleName),
    /// At least this role, or the admin of the tenant that the request names.
    Tenant(RoleName),
}

/// Why a role may not use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessDenial {
    /// The role has too few rights.
    Role,
    /// The role is bound to another tenant, whose existence it must not learn.
    OtherTenant,
}

impl AdminAccess {
    /// Checks a request of a token with this role; `tenant` is the tenant that the request names.
    ///
    /// # Errors
    /// The reason to refuse it.
    pub fn check(self, role: &AdminRole, tenant: Option<&str>) -> Result<(), AccessDenial> {
        match (self, role.tenant()) {
            (Self::AnyRole, _) => Ok(()),
            (Self::Global(least) | Self::Tenant(least), None) if role.name() >= least => Ok(()),
            (Self::Tenant(_), Some(own)) => match tenant {
                Some(tenant) if tenant == own.as_str() => Ok(()),
                Some(_) => Err(AccessDenial::OtherTenant),
                None => Err(AccessDenial::Role),
            },
            (Self::Global(_) | Self::Tenant(_), _) => Err(AccessDenial::Role),
        }
    }

    /// The roles that the rule admits, for an error message: ``the role `operator` or `owner` ``.
    pub fn describe(self) -> String {
        let least = match self {
            Self::AnyRole => return "any role".to_owned(),
            Self::Global(least) | Self::Tenant(least) => least,
        };
        let names = RoleName::ALL.into_iter();
        let names = names.filter(|it| *it >= least && *it != RoleName::TenantAdmin);
        let names: Vec<String> = names.map(|it| format!("`{}`", it.as_str())).collect();
        let names = match names.split_last() {
            Some((highest, [])) => highest.clone(),
            Some((highest, others)) => format!("{} or {highest}", others.join(", ")),
            None => return "any role".to_owned(),
        };
        let roles = format!("the role {names}");
        match self {
            Self::Tenant(_) => format!("{roles}, or `tenant_admin` of the tenant that it names"),
            Self::AnyRole | Self::Global(_) => roles,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    const OTHER: &str = "ten_01ARZ3NDEKTSV4RRFFQ69G5FAW";

    fn role(text: &str) -> AdminRole {
        text.parse().expect(text)
    }

    #[test]
    fn role_and_its_stored_form_are_equivalent() {
        for text in [
            "owner",
            "operator",
            "viewer",
            &format!("tenant_admin:{OWN}"),
        ] {
            assert_eq!(role(text).to_string(), text);
            let stored: AdminRole = serde_json::from_str(&format!("{text:?}")).expect(text);
            assert_eq!(stored, role(text));
        }
        for text in [
            "",
            "Owner",
            "admin",
            "tenant_admin",
            "tenant_admin:",
            "tenant_admin:x",
            "owner:",
            &format!("owner:{OWN}"),
        ] {
            assert!(text.parse::<AdminRole>().is_err(), "{text}");
        }
    }

    #[test]
    fn rights_of_a_role_include_those_of_every_role_below_it() {
        let names = [RoleName::Viewer, RoleName::Operator, RoleName::Owner];
        for (rank, name) in names.into_iter().enumerate() {
            let role = AdminRole::new(name, None).expect("a role");
            for (needed, least) in names.into_iter().enumerate() {
                for rule in [AdminAccess::Global(least), AdminAccess::Tenant(least)] {
                    for tenant in [None, Some(OWN), Some("unknown")] {
                        let allowed = rule.check(&role, tenant).is_ok();
                        assert_eq!(allowed, rank >= needed, "{role} {rule:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn tenant_admin_reaches_its_own_tenant_only() {
        let own = role(&format!("tenant_admin:{OWN}"));
        for least in [RoleName::Viewer, RoleName::Operator, RoleName::Owner] {
            let tenant = AdminAccess::Tenant(least);
            assert_eq!(tenant.check(&own, Some(OWN)), Ok(()));
            for other in [OTHER, "", "unknown", &OWN.to_lowercase()] {
                let denial = Err(AccessDenial::OtherTenant);
                assert_eq!(tenant.check(&own, Some(other)), denial, "{other}");
            }
            assert_eq!(tenant.check(&own, None), Err(AccessDenial::Role));
            for named in [None, Some(OWN), Some(OTHER)] {
                let global = AdminAccess::Global(least);
                assert_eq!(global.check(&own, named), Err(AccessDenial::Role));
            }
        }
        assert_eq!(AdminAccess::AnyRole.check(&own, None), Ok(()));
    }

    #[test]
    fn description_names_the_roles_that_are_admitted() {
        let cases = [
            (AdminAccess::Global(RoleName::Owner), "the role `owner`"),
            (
                AdminAccess::Global(RoleName::Viewer),
                "the role `viewer`, `operator` or `owner`",
            ),
            (
                AdminAccess::Tenant(RoleName::Operator),
                "the role `operator` or `owner`, or `tenant_admin` of the tenant that it names",
            ),
        ];
        for (rule, text) in cases {
            assert_eq!(rule.describe(), text);
        }
    }
}
