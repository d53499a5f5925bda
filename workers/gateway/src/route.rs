//! Stage 3: which models may answer. Pure; the rules are [`select_model`]'s.

use std::rc::Rc;

use clawless_core::chat::{CompletionRequest, Content, Part, ReasoningEffort};
use clawless_core::json::Json;
use clawless_core::ledger::Price;
use clawless_core::llm::LlmProvider;
use clawless_core::model::{AUTO, Model, ModelRole};
use clawless_core::routing::{
    Needs, Policy, QueryClass, Reason, Selection, Unroutable, classify, select_model,
};
use clawless_core::session::Session;
use clawless_core::tenant::Tenant;
use clawless_core::{ApiError, ErrorCode, Message, Tokens};
use clawless_llm::tokens;

use crate::config::Config;

/// A model and the provider that serves it.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The provider.
    pub provider: Rc<LlmProvider>,
    /// The model, with the effort at which it thinks here unless the request says another.
    pub model: Model,
}

/// The models that may answer a request, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    first: Link,
    fallback: Vec<Link>,
    /// Why these, for the log and the `x-clawless-route` header.
    pub reason: Reason,
}

impl Route {
    /// The model that is asked first.
    pub const fn primary(&self) -> &Link {
        &self.first
    }

    /// Every model of the chain, in order.
    pub fn chain(&self) -> impl Iterator<Item = &Link> {
        std::iter::once(&self.first).chain(&self.fallback)
    }

    /// Leaves out the fallbacks that cannot take what they would be shown.
    pub fn keep(&mut self, can_take: impl Fn(&Link) -> bool) {
        self.fallback.retain(can_take);
    }

    /// The dearest prices of the chain, by which a reservation is made.
    pub fn dearest(&self) -> Price {
        let prices = self.chain().filter_map(|link| link.model.price.as_ref());
        let dearest = prices.map(|price| Price {
            input: price.input.max(price.cache_write.unwrap_or(price.input)),
            output: price.output,
        });
        dearest.fold(Price::default(), Price::dearer)
    }
}

/// What a request is, as far as routing and reserving need it: found out once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestFeatures {
    /// What it asks for.
    pub class: QueryClass,
    /// Its messages, tools and formats, estimated.
    pub size: Tokens,
    /// Whether it shows an image.
    has_images: bool,
}

impl RequestFeatures {
    /// Of this request.
    pub fn of(request: &CompletionRequest) -> Self {
        Self {
            class: classify(&request.messages),
            size: tokens::of_messages(&request.messages, &request.options),
            has_images: request.messages.iter().any(shows_an_image),
        }
    }
}

/// What the conversation brings beside the request: what the session prefers, and what stands in
/// its history. A request is routed before its session is read, and once more where that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionContext<'a> {
    /// The session's model or alias, for requests that leave the choice to us.
    pub model: Option<&'a str>,
    /// How much models think in this session, for requests that do not say.
    pub thinking: Option<ReasoningEffort>,
    /// Whether an image stands in the history.
    pub has_images: bool,
}

impl<'a> SessionContext<'a> {
    /// Of a session with this history.
    pub fn of(session: &'a Session, history: &[Message]) -> Self {
        Self {
            model: session.model.as_deref(),
            thinking: session.thinking_level,
            has_images: history.iter().any(shows_an_image),
        }
    }
}

/// Chooses the models for a request.
///
/// # Errors
/// In `OpenAI`'s words: 404 where there is no such model or the tenant may not use it, 400 where
/// the model lacks what a parameter asks for, or where the messages do not fit its window.
pub fn route(
    config: &Config,
    tenant: &Tenant,
    request: &CompletionRequest,
    features: RequestFeatures,
    session_context: SessionContext<'_>,
) -> Result<Route, ApiError> {
    let wanted = request.model.as_str();
    let settings = &tenant.settings;
    let class = features.class;
    let policy = Policy {
        tier: tenant.tier,
        allowed: settings.allowed_models.as_deref(),
        session: session_context.model,
        default: settings.default_model.as_deref(),
        fallback: settings.fallback.of(class),
    };
    let needs = needs(request, features, session_context);
    let selected = select_model(&config.models, wanted, class, needs, policy);
    let Selection { chain, reason } =
        selected.map_err(|why| refusal(why, config, request, needs))?;
    let thinking = session_context.thinking.or(settings.thinking);
    let mut links = chain.into_iter().filter_map(|model| {
        let mut model = model.clone();
        model.effort = thinking.or(model.effort);
        let provider = config.provider(&model.provider)?.clone();
        Some(Link { provider, model })
    });
    let first = links.next().ok_or_else(|| not_found(wanted))?;
    let fallback = links.collect();
    Ok(Route {
        first,
        fallback,
        reason,
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
        tools: options
            .tools
            .as_ref()
            .is_some_and(|tools| !tools.is_empty())
            || options.functions.is_some(),
        vision: session_context.has_images || features.has_images,
        json_schema: options.response_format.as_ref().is_some_and(is_schema),
        context: features.size.plus(Tokens::new(answer.into())),
    }
}

fn shows_an_image(message: &Message) -> bool {
    // Most messages are texts: whoever shows an image says so.
    if !message.raw().as_str().contains("image_url") {
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

/// The aliases that lead a tenant to a model.
pub fn aliases<'a>(
    config: &'a Config,
    tenant: &'a Tenant,
) -> impl Iterator<Item = &'static str> + 'a {
    ModelRole::ALL.into_iter().filter_map(|role| {
        let mut models = config.models.iter();
        let leads = models.any(|it| it.roles.contains(&role) && may_use(tenant, &it.id));
        leads.then(|| role.alias())
    })
}

/// The answer for a model that is not there, or not for this tenant; it does not tell which.
pub fn not_found(model: &str) -> ApiError {
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
) -> ApiError {
    let wanted = &request.model;
    let named = config.models.iter().find(|model| model.id == *wanted);
    match why {
        Unroutable::NotFound => not_found(wanted),
        Unroutable::Lacks(param) => {
            let what = match param {
                "tools" => "tools",
                "response_format" => "a `response_format` of type `json_schema`",
                _ => "images",
            };
            let message = match named {
                Some(_) => format!("The model `{wanted}` does not take {what}."),
                None => format!("No model that `{wanted}` may choose from takes {what}."),
            };
            // The older name of what was asked for.
            let is_older = param == "tools" && request.options.functions.is_some();
            let param = if is_older { "functions" } else { param };
            ApiError::new(ErrorCode::UnsupportedParameter, message).param(param)
        }
        Unroutable::TooLong => {
            let limit = named.and_then(Model::known_context);
            let limit = limit.or_else(|| config.models.iter().map(|it| it.context).max());
            too_long(limit.unwrap_or_default(), needs.context)
        }
    }
}

/// The answer for messages that need about so many tokens, of a window that has fewer.
pub fn too_long(window: Tokens, needed: Tokens) -> ApiError {
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
