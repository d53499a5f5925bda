//! Counting the tokens of requests that are not sent.

use clawless_core::chat::{ChatOptions, CompletionRequest};
use clawless_core::time::Clock;
use clawless_core::{ApiError, Message, Role, Tokens};
use clawless_edge::http::Call;
use clawless_llm::tokens;
use clawless_llm::vocabulary::Vocabulary;

use crate::caller::Caller;
use crate::chat::prompts::PromptContext;
use crate::chat::route::route;
use crate::platform::Platform;
use crate::tools::Toolbox;

/// Estimates the input tokens of a request for the model that would answer it: its messages, tools and
/// parameters, with the tenant's system prompt and server tools.
///
/// # Errors
/// 404 for an unknown model, 400 if it does not support the request.
pub(super) fn count_input<P: Platform>(
    call: &Call<P, Caller>,
    mut request: CompletionRequest,
) -> Result<Tokens, ApiError> {
    let tenant = call.caller.tenant();
    let config = call.platform.config();
    config.model_aliases.apply(&mut request.model);
    let (_, route) = route(config, tenant, &request)?;
    let vocabulary = Vocabulary::of(&route.primary().provider);
    let prompts = PromptContext {
        tenant,
        session: None,
        options: &request.options,
        now: call.platform.time().now(),
    };
    let prompt = prompts.of_tenant()?;
    let prompt = prompt.map(|text| Message::text(Role::System, &text));
    let prompt = prompt.transpose().map_err(ApiError::internal)?;
    let prompt = tokens::of_messages(prompt.as_slice(), &ChatOptions::default());
    let tools = Toolbox::for_caller(&call.caller).tokens();
    Ok(vocabulary
        .of_messages(&request.messages)
        .plus(tokens::of_messages(&[], &request.options))
        .plus(prompt)
        .plus(tools))
}
