//! Which model answers a request, and which ones stand in for it.

use super::classify::QueryClass;
use crate::model::{AUTO, Model, ModelRole};
use crate::money::Tokens;
use crate::tenant::Tier;

/// The most models that one request is tried on.
const MAX_CHAIN: usize = 3;

/// An estimate of tokens is at most so many times too high, whatever the language.
pub const ESTIMATE_WITHIN: u64 = 2;

/// What a request asks of its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// It offers tools.
    pub tools: bool,
    /// It shows images.
    pub vision: bool,
    /// It wants an answer by a JSON schema.
    pub json_schema: bool,
    /// Its size, with the answer that it leaves room for.
    pub context: Tokens,
}

/// What a tenant may have and wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy<'a> {
    /// What it pays for.
    pub tier: Tier,
    /// The models that it may use; all where absent.
    pub allowed: Option<&'a [String]>,
    /// The session's model or alias for `auto`.
    pub session: Option<&'a str>,
    /// The tenant's model or alias for `auto`, where the session has none; the router decides
    /// where both are absent.
    pub default: Option<&'a str>,
    /// The models or roles to fall back to for a request of its class, in order.
    pub fallback: &'a [String],
}

/// Why the first model of a chain stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The request names it.
    Named,
    /// The request names its role.
    Alias(ModelRole),
    /// It is the session's own.
    Session,
    /// It is the tenant's default.
    Tenant,
    /// The request is of this class, and the model has the role for it.
    Class(QueryClass),
    /// No model has the role for this class; this one can do what is needed.
    Able(QueryClass),
}

impl Reason {
    /// The reason in a word, for the log and the `x-clawless-route` header.
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
    /// At least one, each of them once.
    pub chain: Vec<&'a Model>,
    /// Why the first.
    pub reason: Reason,
}

/// No model can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unroutable {
    /// There is no such model, or the tenant may not use it: the answer does not tell which.
    NotFound,
    /// The model that was named lacks something; the request's parameter that asks for it.
    Lacks(&'static str),
    /// The request fits no model's window.
    TooLong,
}

/// Selects the models for a request that names `wanted`. Pure and total: the same question has
/// the same answer, whatever it is.
///
/// A name is taken at its word: it is that model or an error. Where several providers serve it
/// under that name, they stand in for each other, in the operator's order. An alias and `auto`
/// choose among the models that can do what is needed: those with the role first, the cheapest of
/// them for a tenant that pays little, else in the operator's order. A default that cannot do what
/// is needed is passed over. Behind the first stand the tenant's own fallbacks and, unless a model
/// was named, others of the same role.
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
    let offer = Offer {
        models: allowed,
        needs,
        tier: policy.tier,
    };
    let (mut chain, reason) = if wanted == AUTO {
        offer.unnamed(class, policy)
    } else {
        offer.named(wanted)?
    };
    if chain.is_empty() {
        return Err(none_is_able(&offer.models, needs));
    }
    // Those of one name stand together; of a role the tenant's own fallbacks come before the rest.
    let first = chain.first().map(|it| it.id.as_str());
    let same = chain.iter().take_while(|it| Some(it.id.as_str()) == first);
    let same = same.count();
    let fallback = policy.fallback.iter();
    let fallback: Vec<&Model> = fallback.flat_map(|name| offer.able(name)).collect();
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

/// What a tenant may choose from, and what for.
struct Offer<'a> {
    models: Vec<&'a Model>,
    needs: Needs,
    tier: Tier,
}

impl<'a> Offer<'a> {
    /// The models of a name: one for each provider that serves it.
    fn by_name(&self, name: &str) -> impl Iterator<Item = &'a Model> {
        let models = self.models.iter().copied();
        models.filter(move |model| model.id == name)
    }

    /// The models of a name, or of the role that it is an alias of, that can do what is needed.
    fn able(&self, name: &str) -> Vec<&'a Model> {
        let named = self.by_name(name);
        let able: Vec<&Model> = named
            .filter(|model| lacks(model, self.needs).is_none())
            .collect();
        match (able.is_empty(), ModelRole::by_alias(name)) {
            (true, Some(role)) => self.role(role),
            _ => able,
        }
    }

    fn role(&self, role: ModelRole) -> Vec<&'a Model> {
        by_role(&self.models, role, self.needs, self.tier)
    }

    /// The models that a request names, or names by their role.
    fn named(&self, wanted: &str) -> Result<(Vec<&'a Model>, Reason), Unroutable> {
        let mut lack = None;
        let mut able = Vec::new();
        for model in self.by_name(wanted) {
            match lacks_surely(model, self.needs) {
                None => able.push(model),
                Some(it) => lack = lack.or(Some(it)),
            }
        }
        // An operator's model may have an alias for its name; it then is what is meant.
        match (able.is_empty(), lack, ModelRole::by_alias(wanted)) {
            (false, _, _) => Ok((able, Reason::Named)),
            (true, Some(lack), _) => Err(lack),
            (true, None, Some(role)) => Ok((self.role(role), Reason::Alias(role))),
            (true, None, None) => Err(Unroutable::NotFound),
        }
    }

    /// The models for a request that leaves the choice to us.
    fn unnamed(&self, class: QueryClass, policy: Policy<'_>) -> (Vec<&'a Model>, Reason) {
        let defaults = [
            (policy.session, Reason::Session),
            (policy.default, Reason::Tenant),
        ];
        for (name, reason) in defaults {
            let Some(name) = name.filter(|name| *name != AUTO) else {
                continue;
            };
            let found = self.able(name);
            if !found.is_empty() {
                return (found, reason);
            }
        }
        let ranked = self.role(class.role());
        if !ranked.is_empty() {
            return (ranked, Reason::Class(class));
        }
        let able = self.models.iter().copied();
        let able = able.filter(|model| lacks(model, self.needs).is_none());
        (able.collect(), Reason::Able(class))
    }
}

/// The able models of a role, best first.
fn by_role<'a>(models: &[&'a Model], role: ModelRole, needs: Needs, tier: Tier) -> Vec<&'a Model> {
    let suits = |model: &&Model| model.roles.contains(&role) && lacks(model, needs).is_none();
    let mut suiting: Vec<&Model> = models.iter().copied().filter(suits).collect();
    if tier != Tier::Enterprise {
        // Stable: models of one price stay in the operator's order. A model without a price is
        // the operator's own and costs nothing.
        suiting.sort_by_key(|model| {
            let price = model.price.as_ref();
            price.map_or(0, |it| it.input.get().saturating_add(it.output.get()))
        });
    }
    suiting
}

/// What a model lacks for a request, as far as that is beyond doubt. A request's size is only
/// estimated, and of some models nobody told the window: there its provider knows best.
fn lacks_surely(model: &Model, needs: Needs) -> Option<Unroutable> {
    let certain = Needs {
        context: match model.known_context() {
            Some(_) => Tokens::new(needs.context.get() / ESTIMATE_WITHIN),
            None => Tokens::ZERO,
        },
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
    } else if needs.context > model.context {
        Some(Unroutable::TooLong)
    } else {
        None
    }
}

/// Why none of these models can answer: what the last one of them lacks that lacks least.
fn none_is_able(models: &[&Model], needs: Needs) -> Unroutable {
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

    fn ask(wanted: &str, class: QueryClass, needs: Needs, policy: Policy<'_>) -> String {
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
    fn every_rule_has_its_case() {
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
        let endless = Needs {
            context: Tokens::new(9000),
            ..none
        };
        let enterprise = Policy {
            tier: Tier::Enterprise,
            ..FREE
        };
        let only = ["small".to_owned()];
        let narrow = Policy {
            allowed: Some(&only),
            ..FREE
        };
        let default = Policy {
            default: Some("large"),
            ..FREE
        };
        let behind = ["large".to_owned(), "eyes".to_owned(), "gone".to_owned()];
        let role = ["smart".to_owned()];
        let by_role = Policy {
            fallback: &role,
            ..FREE
        };
        let fallback = Policy {
            fallback: &behind,
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
            ("auto", Simple, endless, FREE, "TooLong"),
            ("auto", Code, none, narrow, "able: small"),
            ("auto", Code, vision, narrow, "Lacks(\"messages\")"),
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
            ("large", Complex, none, narrow, "NotFound"),
            ("gone", Complex, none, FREE, "NotFound"),
            ("", Complex, none, FREE, "NotFound"),
            (
                "smart",
                Simple,
                none,
                FREE,
                "alias:smart: large-cheap large",
            ),
            ("vision", Simple, none, narrow, "NotFound"),
            ("AUTO", Simple, none, FREE, "NotFound"),
        ];
        for (wanted, class, needs, policy, expected) in cases {
            assert_eq!(
                ask(wanted, class, needs, policy),
                expected,
                "{wanted} {class:?} {needs:?}"
            );
        }
    }

    #[test]
    fn a_default_is_the_sessions_before_the_tenants_and_gives_way_to_needs() {
        let session = Policy {
            session: Some("eyes"),
            default: Some("large"),
            ..FREE
        };
        let role = Policy {
            session: Some("gone"),
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
            assert_eq!(ask(wanted, QueryClass::Simple, needs, policy), expected);
        }
    }

    #[test]
    fn providers_of_one_model_stand_in_for_each_other() {
        let models: Vec<Model> = serde_json::from_value(serde_json::json!([
            {"id": "m", "provider": "a"}, {"id": "m", "provider": "b", "features": {"tools": false}},
            {"id": "other", "provider": "a"},
        ]))
        .expect("models");
        let behind = ["other".to_owned()];
        let policy = Policy {
            fallback: &behind,
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
    fn a_model_of_unknown_window_is_asked_and_not_guessed_about() {
        let models: Vec<Model> =
            serde_json::from_value(serde_json::json!([{"id": "m"}])).expect("models");
        let needs = Needs {
            context: Tokens::new(1_000_000),
            ..Needs::default()
        };
        let ask = |wanted| select_model(&models, wanted, QueryClass::Simple, needs, FREE);
        assert!(ask("m").is_ok());
        assert_eq!(ask("auto"), Err(Unroutable::TooLong));
    }

    #[test]
    fn nothing_is_selected_from_nothing() {
        let selected = select_model(&[], "auto", QueryClass::Simple, Needs::default(), FREE);
        assert_eq!(selected, Err(Unroutable::NotFound));
    }
}
