//! Step 4: the ledger's admission. One ledger call before the provider is called.

use clawless_core::chat::CompletionRequest;
use clawless_core::ledger::{Admit, EndpointClass, Input, LedgerAnswer};
use clawless_core::{ApiError, Clock, Storage, Tokens};
use clawless_llm::tokens;

use super::model::output_growth::OutputGrowth;
use super::model::pending_turn::{Admission, PendingTurn};
use super::prompts::PromptContext;
use crate::access::{AccessError, refusal, send_confirmed};
use crate::platform::Platform;
use crate::tools::Toolbox;

/// Reserves tokens and the session's lane for a model call.
///
/// # Errors
/// 401 for a revoked key, 403 for a suspended tenant, 429 for rate limits and quotas, 409 for a
/// busy session, 503 if the ledger does not answer.
pub async fn admit<P: Platform>(
    platform: &P,
    pending: &PendingTurn,
) -> Result<Admission, AccessError> {
    let request = &pending.request;
    let primary = pending.route.primary();
    let tools = Toolbox::for_caller(&pending.caller);
    let prompt = tenant_prompt(platform, pending)?;
    let tokens_in = pending.features.size.plus(tools.tokens()).plus(prompt);
    let admit = Admit {
        request_id: pending.request_id.clone(),
        caller: pending.caller.for_ledger(),
        class: EndpointClass::Chat,
        session_id: request.session_id.clone(),
        model: primary.model.id.clone(),
        tokens_in,
        max_tokens_out: request
            .options
            .max_output()
            .map(|most| Tokens::new(most.into())),
        default_tokens_out: OutputGrowth::first_reservation(pending),
        answers: request.options.n.unwrap_or(1),
        price: pending.route.max_price(),
        storage: stored_input(request),
    };
    let input = |caller| {
        Input::Admit(Box::new(Admit {
            caller,
            ..admit.clone()
        }))
    };
    let (output, caller) = send_confirmed(platform, &pending.caller, input).await?;
    match output.answer {
        LedgerAnswer::Granted(grant) => Ok(Admission {
            caller,
            grant,
            rates: output.headers,
            tokens_in,
        }),
        answer => Err(refusal(answer, &output.headers).into()),
    }
}

/// The tokens of the tenant's prompt. The session is not known yet; preparation reserves what its values
/// add.
fn tenant_prompt<P: Platform>(platform: &P, pending: &PendingTurn) -> Result<Tokens, ApiError> {
    let prompts = PromptContext {
        tenant: pending.caller.tenant(),
        session: None,
        options: &pending.request.options,
        now: platform.time().now(),
    };
    let prompt = prompts.of_tenant()?;
    Ok(prompt.map_or(Tokens::ZERO, |prompt| tokens::of_text(&prompt)))
}

/// What a request adds to its session at most: its messages and the answer's, and the bytes of its
/// messages. The answer's bytes are not known yet.
fn stored_input(request: &CompletionRequest) -> Storage {
    if request.session_id.is_none() {
        return Storage::ZERO;
    }
    let lengths = request.messages.iter().map(|it| it.raw().as_str().len());
    Storage {
        sessions: 0,
        messages: request.messages.len() as u64 + 1,
        bytes: lengths.map(|length| length as u64).sum(),
    }
}
