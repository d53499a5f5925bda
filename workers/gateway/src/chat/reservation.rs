//! Changes of a reservation at the ledger: extension, repricing and release.

use clawless_core::ledger::{Extend, Input, LedgerAnswer, Price, SessionState};
use clawless_core::llm::LlmEvent;
use clawless_core::{ApiError, RequestId, Storage, TenantId, Tokens, Usage};
use clawless_edge::ledger::Ledger;
use clawless_llm::tokens;

use super::model::output_growth::OutputGrowth;
use super::model::pending_turn::Admission;
use super::model::turn::Turn;
use super::output_limit::{OutputLimit, held_bytes};
use crate::access::refusal;
use crate::platform::Platform;

/// The copies of an answer that a turn holds: what is accumulated, and what is stored or rendered of it.
const ANSWER_COPIES: usize = 2;

/// Extends a reservation by the session's history, once its length is known, and by the session if the
/// turn creates it: `created` is what it begins with.
///
/// # Errors
/// 429 if the quotas do not cover them, 503 if the ledger does not answer.
pub async fn extend<P: Platform>(
    platform: &P,
    admission: &mut Admission,
    session: SessionState,
    created: Option<Storage>,
) -> Result<(), ApiError> {
    let extension = Extend {
        tokens_in: admission.tokens_in.plus(session.token_total),
        session: Some(session),
        creates_session: created.is_some(),
        copied: created.unwrap_or_default(),
        ..unchanged(admission)
    };
    send_extension(platform, admission, extension).await?;
    admission.grant.session = Some(session);
    Ok(())
}

/// Extends a reservation to this much input.
///
/// # Errors
/// 429 if the quota does not cover it, 503 if the ledger does not answer.
pub async fn extend_input<P: Platform>(
    platform: &P,
    admission: &mut Admission,
    tokens_in: Tokens,
) -> Result<(), ApiError> {
    let extension = Extend {
        tokens_in,
        ..unchanged(admission)
    };
    send_extension(platform, admission, extension).await
}

/// Extends a reservation to more expensive models, if the session requires them.
///
/// # Errors
/// 429 if the quota does not cover them, 503 if the ledger does not answer.
pub async fn reprice<P: Platform>(
    platform: &P,
    admission: &mut Admission,
    price: Price,
) -> Result<(), ApiError> {
    let extension = Extend {
        price: Some(price),
        ..unchanged(admission)
    };
    send_extension(platform, admission, extension).await
}

/// Extends a reservation by one more round of a turn that has used this much. `false` if the quota
/// does not cover it.
///
/// # Errors
/// 503 if the ledger does not answer.
pub async fn extend_for_round<P: Platform>(
    platform: &P,
    turn: &mut Turn,
    used: &Usage,
) -> Result<bool, ApiError> {
    let used_out = Tokens::new(used.completion_tokens);
    let extension = Extend {
        request_id: turn.identity.request_id.clone(),
        ticket: turn.reservation.ticket,
        tokens_in: tokens::of_request(&turn.llm).plus(Tokens::new(used.prompt_tokens)),
        max_tokens_out: Some(turn.reservation.max_tokens_out.plus(used_out)),
        price: None,
        session: None,
        creates_session: false,
        copied: Storage::ZERO,
    };
    let output = platform
        .ledger()
        .call(&turn.identity.tenant, Input::Extend(extension))
        .await?;
    let LedgerAnswer::Extended { max_tokens_out, .. } = output.answer else {
        return Ok(false);
    };
    let rest = max_tokens_out.minus(used_out);
    let reservation = &mut turn.reservation;
    let most = rest.min(reservation.max_tokens_out);
    if most < reservation.max_tokens_out {
        // The quota covers no more.
        reservation.growth = OutputGrowth::Fixed;
    }
    reservation.max_tokens_out = most;
    reservation.used_out = used_out;
    if reservation.growth == OutputGrowth::Fixed {
        turn.llm.options.limit_output(most);
    }
    Ok(most > Tokens::ZERO)
}

/// Holds events of an answer to its limit: extends the reservation of a growing answer, and cuts the
/// events where the limit or the quota ends. Whether they were cut. Counts what the turn holds of them.
pub async fn enforce<P: Platform>(
    platform: &P,
    turn: &Turn,
    limit: &mut OutputLimit,
    events: &mut Vec<LlmEvent>,
) -> bool {
    if let Some(wanted) = limit.must_grow(events) {
        let reserved = extend_output(platform, turn, wanted).await;
        limit.grow(wanted, reserved);
    }
    let is_cut = limit.cut(events);
    turn.permit.add(held_bytes(events) * ANSWER_COPIES);
    is_cut
}

/// Extends the reservation of a running answer. Returns the output that is reserved for it, which is
/// less than `wanted` if the quota ends there or the ledger does not answer.
async fn extend_output<P: Platform>(platform: &P, turn: &Turn, wanted: Tokens) -> Tokens {
    let earlier = turn.reservation.used_out;
    let extension = Extend {
        request_id: turn.identity.request_id.clone(),
        ticket: turn.reservation.ticket,
        tokens_in: tokens::of_request(&turn.llm),
        max_tokens_out: Some(wanted.plus(earlier)),
        price: None,
        session: None,
        creates_session: false,
        copied: Storage::ZERO,
    };
    let input = Input::Extend(extension);
    let answer = platform.ledger().call(&turn.identity.tenant, input).await;
    match answer.map(|output| output.answer) {
        Ok(LedgerAnswer::Extended { max_tokens_out, .. }) => max_tokens_out.minus(earlier),
        Ok(_) => Tokens::ZERO,
        Err(error) => {
            tracing::warn!(%error, "extend reservation failed");
            Tokens::ZERO
        }
    }
}

/// An extension that changes nothing.
fn unchanged(admission: &Admission) -> Extend {
    Extend {
        request_id: admission.grant.request_id.clone(),
        ticket: admission.grant.ticket,
        tokens_in: admission.tokens_in,
        max_tokens_out: None,
        price: None,
        session: None,
        creates_session: false,
        copied: Storage::ZERO,
    }
}

async fn send_extension<P: Platform>(
    platform: &P,
    admission: &mut Admission,
    extension: Extend,
) -> Result<(), ApiError> {
    let tenant = &admission.caller.tenant().id;
    let input = Input::Extend(extension);
    let output = platform.ledger().call(tenant, input).await?;
    match output.answer {
        LedgerAnswer::Extended { max_tokens_out, .. } => {
            if max_tokens_out < admission.grant.max_tokens_out {
                admission.grant.affordable_out = Some(max_tokens_out);
            }
            admission.grant.max_tokens_out = max_tokens_out;
            Ok(())
        }
        answer => Err(refusal(answer, &output.headers)),
    }
}

/// Releases a reservation: the call failed before the provider produced anything, or the ledger's
/// answer to the admission was lost. If this fails too, the ledger's sweep does it.
pub async fn release<P: Platform>(platform: &P, tenant: &TenantId, request_id: &RequestId) {
    let input = Input::Release {
        request_id: request_id.clone(),
    };
    if let Err(error) = platform.ledger().call(tenant, input).await {
        tracing::warn!(%error, "release reservation failed");
    }
}
