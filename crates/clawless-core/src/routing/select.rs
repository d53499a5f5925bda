//! Selects the model of a request and its fallback chain.

use super::query_class::QueryClass;
use crate::model::{AUTO, Model, ModelRole};
use crate::money::Tokens;
use crate::tier::Tier;

/// Most models that one request is tried on.
const MAX_CHAIN: usize = 3;

/// Upper bound of the factor by which a token estimate is too high, in any language.
pub const MAX_OVERESTIMATE: u64 = 2;

/// Capabilities that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// The request offers tools.
    pub tools: bool,
    /// The request contains images.
    pub vision: bool,
    /// The request requires output by a JSON schema.
    pub json_schema: bool,
    /// Input tokens plus the reserved output.
    pub context: Tokens,
}

/// A tenant's permissions and preferences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy<'a> {
    /// Its tier.
    pub tier: Tier,
    /// Allowed models; all if absent.
    pub allowed: Option<&'a [String]>,
    /// The session's model or alias for `auto`.
    pub session: Option<&'a str>,
    /// The tenant's model or alias for `auto`, if the session has none. Without both, the router
    /// decides.
    pub default: Option<&'a str>,
    /// Fallback models or roles for the request's class, in order.
    pub fallback: &'a [String],
}

/// Why the first model of a chain was selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The request names the model.
    Named,
    /// The request names the model's role.
    Alias(ModelRole),
    /// The session's default.
    Session,
    /// The tenant's default.
    Tenant,
    /// The model has the role for the request's class.
    Class(QueryClass),
    /// No model has the role for the class; this one has the needed capabilities.
    Able(QueryClass),
}

impl Reason {
    /// The reason as one word, for logs and the `x-clawless-route` header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Alias(ModelRole::Fast) => "alias:fast",
            Self::Alias(ModelRole::Smart) => "alias:smart",
            Self::Alias(ModelRole::Code) => "alias:code",
            Self::Alias(ModelRole::Vision) => "alias:vision",
            Self::Session => "session",
            Self::Tenant => "tenant",
            Self::Class(QueryClass::Simple) => "class:simple",
            Self::Class(QueryClass::Complex) => "class:complex",
            Self::Class(QueryClass::Code) => "class:code",
            Self::Class(QueryClass::Vision) => "class:vision",
            Self::Able(_) => "able",
        }
    }
}

/// The models to try, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection<'a> {
    /// At least one model, without duplicates.
    pub chain: Vec<&'a Model>,
    /// Why the first model was selected.
    pub reason: Reason,
}

/// No model can answer the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unroutable {
    /// The model does not exist or is not allowed; the error does not distinguish the two.
    NotFound,
    /// The named model lacks a capability; holds the request parameter that needs it.
    Lacks(&'static str),
    /// The request exceeds every context window.
    TooLong,
    /// The request is for `auto`, and the default of its session or tenant ([`Reason::Session`],
    /// [`Reason::Tenant`]) is not on offer.
    DefaultNotFound(Reason),
}

/// Selects the models for a request that names `wanted`. Deterministic for every input.
///
/// A model name selects that model or fails. If several providers serve the name, they form a chain
/// in the operator's order. An alias and `auto` select among the models with the needed
/// capabilities: models with the role first, the cheapest first unless the tier is enterprise, else
/// in the operator's order. A default without the needed capabilities is skipped; one that does not
/// exist or is not allowed is an error, because any other model would be a silent replacement. The
/// tenant's fallbacks follow the first model and, unless a model was named, others of the same role.
pub fn select_model<'a>(
    models: &'a [Model],
    wanted: &str,
    class: QueryClass,
    needs: Needs,
    policy: Policy<'_>,
) -> Result<Selection<'a>, Unroutable> {
    let is_allowed = |model: &&Model| {
        policy
            .allowed
            .is_none_or(|allowed| allowed.contains(&model.id))
    };
    let allowed: Vec<&Model> = models.iter().filter(is_allowed).collect();
    let candidates = Candidates {
        models: allowed,
        needs,
        tier: policy.tier,
    };
    let (mut chain, reason) = if wanted == AUTO {
        candidates.automatic(class, policy)?
    } else {
        candidates.named(wanted)?
    };
    if chain.is_empty() {
        return Err(closest_failure(&candidates.models, needs));
    }
    // Providers of the first model come first, then the tenant's fallbacks, then the rest of the role.
    let first = chain.first().map(|it| it.id.as_str());
    let same = chain.iter().take_while(|it| Some(it.id.as_str()) == first);
    let same = same.count();
    let fallback = policy.fallback.iter();
    let fallback: Vec<&Model> = fallback.flat_map(|name| candidates.capable(name)).collect();
    chain.splice(same..same, fallback);
    let mut seen: Vec<(&str, &str)> = Vec::new();
    chain.retain(|model| {
        let name = (model.provider.as_str(), model.id.as_str());
        let is_new = !seen.contains(&name);
        seen.push(name);
        is_new
    });
    chain.truncate(MAX_CHAIN);
    Ok(Selection { chain, reason })
}

/// The models that a tenant may use, and the needs of the request.
struct Candidates<'a> {
    models: Vec<&'a Model>,
    needs: Needs,
    tier: Tier,
}

impl<'a> Candidates<'a> {
    /// The models with a name, one per provider.
    fn by_name(&self, name: &str) -> impl Iterator<Item = &'a Model> {
        let models = self.models.iter().copied();
        models.filter(move |model| model.id == name)
    }

    /// The capable models with a name, or with the role that the name is an alias of.
    fn capable(&self, name: &str) -> Vec<&'a Model> {
        let named = self.by_name(name);
        let able: Vec<&Model> = named
            .filter(|model| lacks(model, self.needs).is_none())
            .collect();
        match (able.is_empty(), ModelRole::from_alias(name)) {
            (true, Some(role)) => self.role(role),
            _ => able,
        }
    }

    fn role(&self, role: ModelRole) -> Vec<&'a Model> {
        by_role(&self.models, role, self.needs, self.tier)
    }

    /// The models that a request names directly or by role.
    fn named(&self, wanted: &str) -> Result<(Vec<&'a Model>, Reason), Unroutable> {
        let mut lack = None;
        let mut able = Vec::new();
        for model in self.by_name(wanted) {
            match lacks_certainly(model, self.needs) {
                None => able.push(model),
                Some(it) => lack = lack.or(Some(it)),
            }
        }
        // A model that is named like an alias takes precedence over the alias.
        match (able.is_empty(), lack, ModelRole::from_alias(wanted)) {
            (false, _, _) => Ok((able, Reason::Named)),
            (true, Some(lack), _) => Err(lack),
            (true, None, Some(role)) => Ok((self.role(role), Reason::Alias(role))),
            (true, None, None) => Err(Unroutable::NotFound),
        }
    }

    /// Whether a name, or the role that it is an alias of, has a model.
    fn offers(&self, name: &str) -> bool {
        let role = ModelRole::from_alias(name);
        let mut models = self.models.iter();
        models.any(|model| model.id == name || role.is_some_and(|it| model.roles.contains(&it)))
    }

    /// The models for `auto`.
    fn automatic(
        &self,
        class: QueryClass,
        policy: Policy<'_>,
    ) -> Result<(Vec<&'a Model>, Reason), Unroutable> {
        let defaults = [
            (policy.session, Reason::Session),
            (policy.default, Reason::Tenant),
        ];
        for (name, reason) in defaults {
            let Some(name) = name.filter(|name| *name != AUTO) else {
                continue;
            };
            if !self.offers(name) {
                return Err(Unroutable::DefaultNotFound(reason));
            }
            let found = self.capable(name);
            if !found.is_empty() {
                return Ok((found, reason));
            }
        }
        // Code deserves the strong model if no model is made for it.
        let strong = (class == QueryClass::Code).then_some(ModelRole::Smart);
        for role in [Some(class.role()), strong].into_iter().flatten() {
            let ranked = self.role(role);
            if !ranked.is_empty() {
                return Ok((ranked, Reason::Class(class)));
            }
        }
        let able = self.models.iter().copied();
        let able = able.filter(|model| lacks(model, self.needs).is_none());
        Ok((able.collect(), Reason::Able(class)))
    }
}

/// The capable models of a role, best first.
fn by_role<'a>(models: &[&'a Model], role: ModelRole, needs: Needs, tier: Tier) -> Vec<&'a Model> {
    let is_suitable = |model: &&Model| model.roles.contains(&role) && lacks(model, needs).is_none();
    let mut suitable: Vec<&Model> = models.iter().copied().filter(is_suitable).collect();
    if tier != Tier::Enterprise {
        // Stable: models with equal prices keep the operator's order. A model without a price is
        // self-hosted and free.
        suitable.sort_by_key(|model| {
            let price = model.price.as_ref();
            price.map_or(0, |it| it.input.get().saturating_add(it.output.get()))
        });
    }
    suitable
}

/// The capability that a model certainly lacks. The request size is an estimate.
fn lacks_certainly(model: &Model, needs: Needs) -> Option<Unroutable> {
    let certain = Needs {
        context: Tokens::new(needs.context.get() / MAX_OVERESTIMATE),
        ..needs
    };
    lacks(model, certain)
}

/// What a model lacks for a request.
fn lacks(model: &Model, needs: Needs) -> Option<Unroutable> {
    let has = model.features;
    if needs.vision && !has.vision {
        Some(Unroutable::Lacks("messages"))
    } else if needs.tools && !has.tools {
        Some(Unroutable::Lacks("tools"))
    } else if needs.json_schema && !has.json_schema {
        Some(Unroutable::Lacks("response_format"))
    } else if model.context.is_some_and(|window| needs.context > window) {
        Some(Unroutable::TooLong)
    } else {
        None
    }
}

/// The failure of the model that comes closest to the needs.
fn closest_failure(models: &[&Model], needs: Needs) -> Unroutable {
    let lacking = models.iter().filter_map(|model| lacks(model, needs));
    lacking
        .max_by_key(|lack| matches!(lack, Unroutable::TooLong))
        .unwrap_or(Unroutable::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models() -> Vec<Model> {
        let models = serde_json::json!([
            {"id": "small", "roles": ["fast"], "context": 1000, "features": {"tools": false, "vision": false},
             "price": {"input": 10, "output": 20}},
            {"id": "large", "roles": ["smart", "code"], "context": 5000, "features": {"vision": false},
             "price": {"input": 500, "output": 900}},
            {"id": "large-cheap", "roles": ["smart"], "context": 3000, "features": {"vision": false},
             "price": {"input": 50, "output": 90}},
            {"id": "eyes", "roles": ["vision"], "context": 3000, "price": {"input": 70, "output": 90}},
        ]);
        serde_json::from_value(models).expect("models")
    }

    const FREE: Policy<'static> = Policy {
        tier: Tier::Free,
        allowed: None,
        session: None,
        default: None,
        fallback: &[],
    };

    fn select(wanted: &str, class: QueryClass, needs: Needs, policy: Policy<'_>) -> String {
        let models = models();
        match select_model(&models, wanted, class, needs, policy) {
            Ok(selection) => {
                let chain: Vec<&str> = selection.chain.iter().map(|it| it.id.as_str()).collect();
                format!("{}: {}", selection.reason.as_str(), chain.join(" "))
            }
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "one table")]
    fn every_selection_rule() {
        use QueryClass::{Code, Complex, Simple, Vision};
        let none = Needs::default();
        let tools = Needs {
            tools: true,
            ..none
        };
        let vision = Needs {
            vision: true,
            ..none
        };
        let long = Needs {
            context: Tokens::new(4000),
            ..none
        };
        let huge = Needs {
            context: Tokens::new(9000),
            ..none
        };
        let enterprise = Policy {
            tier: Tier::Enterprise,
            ..FREE
        };
        let allowed = ["small".to_owned()];
        let restricted = Policy {
            allowed: Some(&allowed),
            ..FREE
        };
        let default = Policy {
            default: Some("large"),
            ..FREE
        };
        let fallback_names = ["large".to_owned(), "eyes".to_owned(), "gone".to_owned()];
        let role = ["smart".to_owned()];
        let by_role = Policy {
            fallback: &role,
            ..FREE
        };
        let fallback = Policy {
            fallback: &fallback_names,
            ..FREE
        };
        let cases = [
            ("auto", Simple, none, FREE, "class:simple: small"),
            (
                "auto",
                Complex,
                none,
                FREE,
                "class:complex: large-cheap large",
            ),
            (
                "auto",
                Complex,
                none,
                enterprise,
                "class:complex: large large-cheap",
            ),
            ("auto", Code, none, FREE, "class:code: large"),
            ("auto", Vision, vision, FREE, "class:vision: eyes"),
            ("auto", Simple, tools, FREE, "able: large large-cheap eyes"),
            ("auto", Simple, long, FREE, "able: large"),
            ("auto", Simple, huge, FREE, "TooLong"),
            ("auto", Code, none, restricted, "able: small"),
            ("auto", Code, vision, restricted, "Lacks(\"messages\")"),
            ("auto", Simple, none, default, "tenant: large"),
            ("auto", Vision, vision, default, "class:vision: eyes"),
            (
                "auto",
                Simple,
                none,
                fallback,
                "class:simple: small large eyes",
            ),
            ("small", Complex, none, FREE, "named: small"),
            ("small", Complex, none, fallback, "named: small large eyes"),
            (
                "small",
                Complex,
                none,
                by_role,
                "named: small large-cheap large",
            ),
            ("large", Complex, none, fallback, "named: large eyes"),
            ("small", Complex, tools, FREE, "Lacks(\"tools\")"),
            ("small", Complex, long, FREE, "TooLong"),
            ("large", Complex, none, restricted, "NotFound"),
            ("gone", Complex, none, FREE, "NotFound"),
            ("", Complex, none, FREE, "NotFound"),
            (
                "smart",
                Simple,
                none,
                FREE,
                "alias:smart: large-cheap large",
            ),
            ("vision", Simple, none, restricted, "NotFound"),
            ("AUTO", Simple, none, FREE, "NotFound"),
        ];
        for (wanted, class, needs, policy, expected) in cases {
            assert_eq!(
                select(wanted, class, needs, policy),
                expected,
                "{wanted} {class:?} {needs:?}"
            );
        }
    }

    #[test]
    fn session_default_precedes_tenant_default_and_both_yield_to_needs() {
        let session = Policy {
            session: Some("eyes"),
            default: Some("large"),
            ..FREE
        };
        let role = Policy {
            session: Some("auto"),
            default: Some("smart"),
            ..FREE
        };
        let needs = |tools, context| Needs {
            tools,
            context: Tokens::new(context),
            ..Needs::default()
        };
        let cases = [
            ("auto", needs(false, 0), session, "session: eyes"),
            ("auto", needs(false, 4000), session, "tenant: large"),
            ("auto", needs(false, 9000), session, "TooLong"),
            ("auto", needs(true, 0), role, "tenant: large-cheap large"),
            ("small", needs(false, 0), session, "named: small"),
        ];
        for (wanted, needs, policy, expected) in cases {
            assert_eq!(select(wanted, QueryClass::Simple, needs, policy), expected);
        }
    }

    #[test]
    fn a_default_that_is_not_on_offer_is_reported_and_not_replaced() {
        let allowed = ["small".to_owned()];
        let of = |session, default, allowed| Policy {
            allowed,
            session,
            default,
            ..FREE
        };
        let small = Some(&allowed[..]);
        let cases = [
            (of(None, Some("gone"), None), "DefaultNotFound(Tenant)"),
            (of(None, Some("eyes"), small), "DefaultNotFound(Tenant)"),
            (of(None, Some("vision"), small), "DefaultNotFound(Tenant)"),
            (
                of(Some("gone"), Some("large"), None),
                "DefaultNotFound(Session)",
            ),
            (of(Some("large"), Some("gone"), None), "session: large"),
            (of(None, Some("vision"), None), "tenant: eyes"),
            (of(None, Some("auto"), None), "class:simple: small"),
        ];
        for (policy, expected) in cases {
            let found = select("auto", QueryClass::Simple, Needs::default(), policy);
            assert_eq!(found, expected, "{policy:?}");
            let named = select("small", QueryClass::Simple, Needs::default(), policy);
            assert_eq!(named, "named: small", "{policy:?}");
        }
    }

    #[test]
    fn providers_of_one_model_form_a_chain() {
        let models: Vec<Model> = serde_json::from_value(serde_json::json!([
            {"id": "m", "provider": "a"}, {"id": "m", "provider": "b", "features": {"tools": false}},
            {"id": "other", "provider": "a"},
        ]))
        .expect("models");
        let fallback_names = ["other".to_owned()];
        let policy = Policy {
            fallback: &fallback_names,
            ..FREE
        };
        let chain = |needs| {
            let selected = select_model(&models, "m", QueryClass::Simple, needs, policy);
            let chain = selected.expect("a chain").chain;
            let names = chain.iter().map(|it| format!("{}/{}", it.provider, it.id));
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(chain(Needs::default()), "a/m b/m a/other");
        let tools = Needs {
            tools: true,
            ..Needs::default()
        };
        assert_eq!(chain(tools), "a/m a/other");
    }

    #[test]
    fn a_model_with_unknown_window_is_used_for_any_size() {
        let models: Vec<Model> =
            serde_json::from_value(serde_json::json!([{"id": "m"}])).expect("models");
        let needs = Needs {
            context: Tokens::new(1_000_000),
            ..Needs::default()
        };
        let select = |wanted| select_model(&models, wanted, QueryClass::Simple, needs, FREE);
        assert!(select("m").is_ok() && select("auto").is_ok());
    }

    #[test]
    fn an_empty_model_list_selects_nothing() {
        let selected = select_model(&[], "auto", QueryClass::Simple, Needs::default(), FREE);
        assert_eq!(selected, Err(Unroutable::NotFound));
    }
}
