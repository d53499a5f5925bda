//! Which models may answer a request. Pure; [`select_model`] has the rules.

use std::rc::Rc;

use clawless_core::chat::{ChatOptions, CompletionRequest, Content, Part, ReasoningEffort};
use clawless_core::json::Json;
use clawless_core::ledger::Price;
use clawless_core::llm::LlmProvider;
use clawless_core::model::{AUTO, Model, ModelRole};
use clawless_core::routing::{
    Classification, Fallback, Needs, Policy, QueryClass, Reason, Selection, Unroutable, classify,
    select_model,
};
use clawless_core::session::Session;
use clawless_core::tenant::{Tenant, TenantSettings};
use clawless_core::{ApiError, ErrorCode, Message, Tokens};
use clawless_llm::tokens;

use crate::platform::config::Config;

/// A model and the provider that serves it.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The provider.
    pub provider: Rc<LlmProvider>,
    /// The model, with its reasoning effort for requests that do not set one.
    pub model: Model,
}

/// The models that may answer a request, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    first: Link,
    fallback: Vec<Link>,
    /// The reason for the choice, for the log and the `x-clawless-route` header.
    pub reason: Reason,
    /// Whether the tenant's default was left out because it is not on offer: the session, which is not
    /// read yet, may have a model of its own.
    pub is_provisional: bool,
    /// The class of the request.
    classification: Classification,
}

impl Route {
    /// The model that is called first.
    pub const fn primary(&self) -> &Link {
        &self.first
    }

    /// Every model of the chain, in order.
    pub fn chain(&self) -> impl Iterator<Item = &Link> {
        std::iter::once(&self.first).chain(&self.fallback)
    }

    /// Drops the fallbacks that cannot process the conversation.
    pub fn retain_fallbacks(&mut self, can_process: impl Fn(&Link) -> bool) {
        self.fallback.retain(can_process);
    }

    /// The value of the `x-clawless-route` header: the reason, with the probability of the class if
    /// the class decided.
    pub fn header(&self) -> String {
        let reason = self.reason.as_str();
        let Classification { class, probability } = self.classification;
        match self.reason {
            Reason::Class(_) => format!("{reason}; p={probability:.2}"),
            Reason::Able(_) => format!("{reason}; class={}; p={probability:.2}", class.as_str()),
            _ => reason.to_owned(),
        }
    }

    /// The highest prices of the chain, which a reservation uses.
    pub fn max_price(&self) -> Price {
        let prices = self.chain().filter_map(|link| link.model.price.as_ref());
        let prices = prices.map(|price| Price {
            input: price.input.max(price.cache_write.unwrap_or(price.input)),
            output: price.output,
        });
        prices.fold(Price::default(), Price::max)
    }
}

/// The features of a request that routing and reservations use, computed once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RequestFeatures {
    /// The kind of query. Complex, with probability 0, if the class does not matter.
    pub classification: Classification,
    /// The estimated tokens of its messages, tools and response format.
    pub size: Tokens,
    /// Whether it has an image.
    has_images: bool,
}

impl RequestFeatures {
    /// Computes the features of a request. It is classified, by the tenant's rules, only if its class
    /// matters: for `auto`, and for fallbacks by class.
    pub fn new(request: &CompletionRequest, settings: &TenantSettings) -> Self {
        let has_class = request.model == AUTO || matches!(settings.fallback, Fallback::ByClass(_));
        let classification = if has_class {
            let has_tools = has_tools(&request.options);
            classify(&request.messages, has_tools, settings.classifier.rules())
        } else {
            Classification {
                class: QueryClass::Complex,
                probability: 0.0,
            }
        };
        Self {
            classification,
            size: tokens::of_messages(&request.messages, &request.options),
            has_images: request.messages.iter().any(has_image),
        }
    }
}

/// The part of a session that affects routing: its preferences and its history. A request is
/// routed before its session is read, and again if the session matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionContext<'a> {
    /// The session's model or alias, for requests for `auto`.
    pub model: Option<&'a str>,
    /// The session's reasoning effort, for requests that do not set one.
    pub thinking: Option<ReasoningEffort>,
    /// Whether the history has an image.
    pub has_images: bool,
    /// Whether there is a session that is not read yet.
    pub is_unread: bool,
}

impl<'a> SessionContext<'a> {
    /// The context of a session with this history.
    pub fn new(session: &'a Session, history: &[Message]) -> Self {
        Self {
            model: session.model.as_deref(),
            thinking: session.thinking_level,
            has_images: history.iter().any(has_image),
            is_unread: false,
        }
    }
}

/// Chooses the models for a request.
///
/// # Errors
/// 503 if no model is configured. With `OpenAI`'s messages: 404 if the model does not exist or the tenant may not use it, 400 if
/// the model does not support a parameter, or the messages do not fit its window.
pub fn select_route(
    config: &Config,
    tenant: &Tenant,
    request: &CompletionRequest,
    features: RequestFeatures,
    session_context: SessionContext<'_>,
) -> Result<Route, ApiError> {
    if config.models.is_empty() {
        return Err(config.no_models());
    }
    let requested = request.model.as_str();
    let settings = &tenant.settings;
    let class = features.classification.class;
    let mut policy = Policy {
        tier: tenant.tier,
        allowed: settings.allowed_models.as_deref(),
        session: session_context.model,
        default: settings.default_model.as_deref(),
        fallback: settings.fallback.of(class),
    };
    let needs = needs(request, features, session_context);
    let mut selected = select_model(&config.models, requested, class, needs, policy);
    let is_provisional = session_context.is_unread
        && matches!(selected, Err(Unroutable::DefaultNotFound(Reason::Tenant)));
    if is_provisional {
        policy.default = None;
        selected = select_model(&config.models, requested, class, needs, policy);
    }
    let Selection { chain, reason } =
        selected.map_err(|why| refusal(why, config, request, needs, policy))?;
    let thinking = session_context.thinking.or(settings.thinking);
    let mut links = chain.into_iter().filter_map(|model| {
        let mut model = model.clone();
        model.effort = thinking.or(model.effort);
        let provider = config.provider(&model.provider)?.clone();
        Some(Link { provider, model })
    });
    let first = links.next().ok_or_else(|| model_not_found(requested))?;
    let fallback = links.collect();
    Ok(Route {
        first,
        fallback,
        reason,
        is_provisional,
        classification: features.classification,
    })
}

fn needs(
    request: &CompletionRequest,
    features: RequestFeatures,
    session_context: SessionContext<'_>,
) -> Needs {
    let options = &request.options;
    let answer = match request.model.as_str() {
        AUTO => options.max_output().unwrap_or(0),
        _ => 0,
    };
    Needs {
        tools: has_tools(options),
        vision: session_context.has_images || features.has_images,
        json_schema: options.response_format.as_ref().is_some_and(is_schema),
        context: features.size.plus(Tokens::new(answer.into())),
    }
}

fn has_tools(options: &ChatOptions) -> bool {
    let tools = options.tools.as_ref();
    tools.is_some_and(|tools| !tools.is_empty()) || options.functions.is_some()
}

fn has_image(message: &Message) -> bool {
    // A cheap check first: most messages are text.
    let text = message.raw().as_str();
    if !text.contains("image_url") && !text.contains("\"image\"") {
        return false;
    }
    let content = message.view().ok().and_then(|view| view.content);
    matches!(content, Some(Content::Parts(parts)) if parts.iter().any(|it| matches!(it, Part::Image(_))))
}

fn is_schema(format: &Json) -> bool {
    #[derive(serde::Deserialize)]
    struct Format {
        r#type: String,
    }
    format
        .read()
        .is_ok_and(|format: Format| format.r#type == "json_schema")
}

/// Whether a tenant may use a model.
pub fn may_use(tenant: &Tenant, model: &str) -> bool {
    let allowed = tenant.settings.allowed_models.as_deref();
    allowed.is_none_or(|allowed| allowed.iter().any(|name| name == model))
}

/// Every name that a request for a model may have: the models, and the aliases that have one.
pub fn offered_names(config: &Config) -> Vec<&str> {
    let roles = ModelRole::ALL.into_iter().filter(|role| {
        let mut models = config.models.iter();
        models.any(|model| model.roles.contains(role))
    });
    let mut names: Vec<&str> = Vec::with_capacity(config.models.len() + 5);
    names.push(AUTO);
    for role in roles {
        names.push(role.alias());
    }
    for model in &config.models {
        names.push(&model.id);
    }
    names
}

/// The tenant's fallback models that are not on offer, each with its setting. Routing skips them.
pub fn unknown_fallbacks<'a>(config: &Config, tenant: &'a Tenant) -> Vec<(&'static str, &'a str)> {
    let offered = offered_names(config);
    let lists = tenant.settings.fallback.lists().into_iter();
    lists
        .flat_map(|(setting, names)| names.iter().map(move |name| (setting, name.as_str())))
        .filter(|(_, name)| *name == AUTO || !offered.contains(name))
        .collect()
}

/// The aliases that have a model for the tenant.
pub fn aliases<'a>(
    config: &'a Config,
    tenant: &'a Tenant,
) -> impl Iterator<Item = &'static str> + 'a {
    ModelRole::ALL.into_iter().filter_map(|role| {
        let mut models = config.models.iter();
        let has_model = models.any(|it| it.roles.contains(&role) && may_use(tenant, &it.id));
        has_model.then(|| role.alias())
    })
}

/// The error for a model that does not exist or that the tenant may not use; it does not tell which.
pub fn model_not_found(model: &str) -> ApiError {
    ApiError::new(
        ErrorCode::ModelNotFound,
        format!("The model `{model}` does not exist or you do not have access to it."),
    )
    .param("model")
}

fn refusal(
    why: Unroutable,
    config: &Config,
    request: &CompletionRequest,
    needs: Needs,
    policy: Policy<'_>,
) -> ApiError {
    let requested = &request.model;
    let named = config.models.iter().find(|model| model.id == *requested);
    match why {
        Unroutable::NotFound => model_not_found(requested),
        Unroutable::DefaultNotFound(Reason::Session) => {
            let name = policy.session.unwrap_or_default();
            default_not_found(format!(
                "The model `{name}` of this session is not offered. Change the session's `model`, or \
                 name one of the models that `GET /v1/models` lists."
            ))
        }
        Unroutable::DefaultNotFound(_) => {
            let name = policy.default.unwrap_or_default();
            default_not_found(format!(
                "The default model `{name}` of this account is not offered. Name one of the models \
                 that `GET /v1/models` lists, or ask the operator to change `default_model`."
            ))
        }
        Unroutable::Lacks(param) => {
            let what = match param {
                "tools" => "tools",
                "response_format" => "a `response_format` of type `json_schema`",
                _ => "images",
            };
            let message = match named {
                Some(_) => format!("The model `{requested}` does not take {what}."),
                None => format!("No model that `{requested}` may choose from takes {what}."),
            };
            // The legacy name of the parameter.
            let is_legacy = param == "tools" && request.options.functions.is_some();
            let param = if is_legacy { "functions" } else { param };
            ApiError::new(ErrorCode::UnsupportedParameter, message).param(param)
        }
        Unroutable::TooLong => {
            let limit = named.and_then(|model| model.context);
            let limit = limit.or_else(|| config.models.iter().filter_map(|it| it.context).max());
            context_length_exceeded(limit.unwrap_or_default(), needs.context)
        }
    }
}

fn default_not_found(message: String) -> ApiError {
    ApiError::new(ErrorCode::ModelNotFound, message).param("model")
}

/// The error for messages that need more tokens than the window has.
pub fn context_length_exceeded(window: Tokens, needed: Tokens) -> ApiError {
    ApiError::new(
        ErrorCode::ContextLengthExceeded,
        format!(
            "This model's maximum context length is {} tokens. However, your messages \
             resulted in about {} tokens. Please reduce the length of the messages.",
            window.get(),
            needed.get()
        ),
    )
    .param("messages")
}
