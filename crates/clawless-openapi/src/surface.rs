//! The described parts of the product: a routes table with its texts.

use anyhow::Result;
use clawless_edge::http::described::DescribedRoute;

use crate::parameters;
use crate::texts::Texts;

/// A routes table with its texts.
#[derive(Debug)]
pub(crate) struct Surface {
    /// The name of the generated document.
    pub(crate) file: &'static str,
    /// The name of the generated page.
    pub(crate) page: &'static str,
    /// Where the gateway serves the document.
    pub(crate) source: &'static str,
    /// The routes.
    pub(crate) routes: Vec<DescribedRoute>,
    /// The texts.
    pub(crate) texts: Texts,
    /// The security scheme.
    pub(crate) scheme: Scheme,
}

/// How callers authenticate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scheme {
    /// Its name.
    pub(crate) name: &'static str,
    /// The form of a token.
    pub(crate) format: &'static str,
    /// Its description.
    pub(crate) description: &'static str,
}

impl Surface {
    /// The position of a route in its table.
    pub(crate) fn position(&self, method: &str, path: &str) -> Option<usize> {
        let mut routes = self.routes.iter();
        routes.position(|route| route.method == method && parameters::path(route.pattern) == path)
    }

    /// The gateway's own routes.
    pub(crate) fn gateway() -> Result<Self> {
        Ok(Self {
            file: "openapi",
            page: "reference",
            source: "/openapi.json",
            routes: clawless_gateway::routes::ROUTES.described(),
            texts: Texts::parse(include_str!("../operations/gateway.toml"))?,
            scheme: Scheme {
                name: "ApiKey",
                format: "cl_sk_…",
                description: "A secret API key of the tenant; for a session of the widget a public one. Each operation names the scope that it needs.",
            },
        })
    }

    /// The routes of the admin Worker.
    pub(crate) fn admin() -> Result<Self> {
        Ok(Self {
            file: "admin-openapi",
            page: "admin-reference",
            source: "/admin/openapi.json",
            routes: clawless_admin::description::routes(),
            texts: Texts::parse(include_str!("../operations/admin.toml"))?,
            scheme: Scheme {
                name: "AdminToken",
                format: "cl_at_…",
                description: "An operator's token, or the secret `ADMIN_TOKEN` of the deployment.",
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn check(surface: &Surface) {
        let mut ids = BTreeSet::new();
        let mut named: BTreeSet<&str> = surface
            .texts
            .operations
            .keys()
            .map(String::as_str)
            .collect();
        for route in &surface.routes {
            let name = format!("{} {}", route.method, route.pattern);
            let text = surface.texts.operations.get(&name);
            let text =
                text.unwrap_or_else(|| panic!("{name} has no entry in the operations' texts"));
            assert!(
                route.declared.is_some(),
                "{name} declares no types in the routes table"
            );
            assert!(
                ids.insert(&text.id),
                "{name}: the id {} is used twice",
                text.id
            );
            assert!(
                surface.texts.tags.iter().any(|tag| tag.name == text.tag),
                "{name}: there is no tag {}",
                text.tag
            );
            named.remove(name.as_str());
        }
        assert!(named.is_empty(), "texts without a route: {named:?}");
    }

    #[test]
    fn every_route_of_the_gateway_declares_its_types_and_has_a_text() {
        check(&Surface::gateway().expect("valid texts"));
    }

    #[test]
    fn every_route_of_the_admin_api_declares_its_types_and_has_a_text() {
        check(&Surface::admin().expect("valid texts"));
    }
}
