//! `POST /v1/messages` and `POST /v1/messages/count_tokens`.

use clawless_api::messages::{TokenCount, parse_count};
use clawless_core::chat::ChatOptions;
use clawless_core::{ApiError, Message, Role};
use clawless_edge::http::{Call, HttpResponse};
use clawless_llm::tokens;
use clawless_llm::vocabulary::Vocabulary;

use super::completions::answer;
use crate::caller::Caller;
use crate::chat::parse::{anthropic_headers, messages_body};
use crate::chat::route::route;
use crate::platform::Platform;
use crate::platform::bindings::Bindings;
use crate::tools::Toolbox;

/// Answers a request for a message.
///
/// # Errors
/// Those of [`crate::chat::pipeline::create`].
pub async fn create(call: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    answer(call, messages_body).await
}

/// Estimates the input tokens of a request for the model that would answer it: its messages, tools and
/// parameters, with the tenant's system prompt and server tools. No provider is called.
///
/// # Errors
/// 400 for an invalid request, 404 for an unknown model, 413 and 415 for the body.
pub async fn count_tokens<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    call.head.require_json()?;
    let (config, tenant) = (call.platform.config(), call.caller.tenant());
    let body = call.body.read(config.body_limit).await?;
    let mut request = parse_count(&anthropic_headers(&call.head), &body)?;
    config.model_aliases.apply(&mut request.model);
    let (_, route) = route(config, tenant, &request)?;
    let vocabulary = Vocabulary::of(&route.primary().provider);
    let prompt = tenant.settings.system_prompt.as_deref();
    let prompt = prompt.map(|text| Message::text(Role::System, text));
    let prompt = prompt.transpose().map_err(ApiError::internal)?;
    let prompt = tokens::of_messages(prompt.as_slice(), &ChatOptions::default());
    let tools = Toolbox::for_caller(&call.caller).tokens();
    let count = vocabulary
        .of_messages(&request.messages)
        .plus(tokens::of_messages(&[], &request.options))
        .plus(prompt)
        .plus(tools);
    HttpResponse::of(&TokenCount::new(count))
}
