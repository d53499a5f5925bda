//! `POST /v1/responses/input_tokens`.

use std::rc::Rc;

use clawless_api::responses::{input_token_count, parse_count, references};
use clawless_core::chat::ChatOptions;
use clawless_core::session::SessionHead;
use clawless_core::{ApiError, Clock, Message, Role, SessionId, Tenant, Tokens};
use clawless_edge::http::{Call, HttpResponse};
use clawless_llm::tokens;
use clawless_store::{sessions, turns};

use crate::caller::Caller;
use crate::chat::model::continuation::Continuation;
use crate::chat::prompts::PromptContext;
use crate::chat::{continuation, items};
use crate::http::count::count_input;
use crate::platform::Platform;

/// Estimates the input tokens of a request for the model that would answer it, with the history that it
/// continues. No provider is called.
///
/// # Errors
/// 400 for an invalid request; 404 for an unknown model, response, conversation or item; 413 and 415 for
/// the body.
pub async fn count<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    call.head.require_json()?;
    let platform = &*call.platform;
    let tenant = &call.caller.tenant().id;
    let body = call.body.read(platform.config().body_limit).await?;
    let permit = Rc::new(call.body.take_permit());
    let known = items::find(platform, tenant, references(&body), &permit).await?;
    let mut request = parse_count(&body, &known)?;
    let continued = continuation::resolve(platform, tenant, &call.request_id, &mut request).await?;
    let history = match continued {
        Continuation::Copy { source, head } => {
            let tenant = call.caller.tenant();
            history(platform, tenant, &request.options, &source, head).await?
        }
        // A request that stores nothing has no session of its own.
        Continuation::OwnHistory | Continuation::After(_) => Tokens::new(0),
    };
    let tokens = count_input(call, request)?.plus(history);
    Ok(HttpResponse::json(input_token_count(tokens.get())))
}

/// The tokens of a session's history up to a turn, and of its system prompt.
async fn history<P: Platform>(
    platform: &P,
    tenant: &Tenant,
    options: &ChatOptions,
    session: &SessionId,
    head: SessionHead,
) -> Result<Tokens, ApiError> {
    let now = platform.time().now();
    let found = sessions::find(platform.sql(), &tenant.id, session, now).await?;
    let prompts = PromptContext {
        tenant,
        session: found.as_ref(),
        options,
        now,
    };
    let prompt = prompts.of_session()?;
    let prompt = prompt.map(|text| Message::text(Role::System, &text));
    let prompt = prompt.transpose().map_err(ApiError::internal)?;
    let prompt = tokens::of_messages(prompt.as_slice(), &ChatOptions::default());
    let stored = turns::tokens_until(platform.sql(), &tenant.id, session, head).await?;
    Ok(stored.plus(prompt))
}
