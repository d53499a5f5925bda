//! Step 9: the reservation becomes a receipt. One ledger call after the answer.

use clawless_core::json::Json;
use clawless_core::ledger::{Closing, Input, LedgerAnswer, Park, SessionState, Settle, Spent};
use clawless_core::{ApiError, Storage, Tokens};
use clawless_edge::ledger::Ledger;

use super::idempotency;
use super::model::call::CallFailure;
use super::model::commit_failure::{CommitFailure, ParkableTurn};
use super::model::outcome::{CommittedTurn, Outcome};
use super::model::turn::Turn;
use crate::platform::Platform;

/// Whether the ledger keeps a turn that D1 refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parking {
    /// The ledger stores the turn later and has settled it.
    Parked,
    /// The ledger did not take the turn.
    Refused,
    /// The ledger's answer was lost: it may have the turn.
    Unknown,
}

/// Settles a turn's reservation. A turn that the database rejects for now is parked in the ledger
/// together with its settlement, and stored later. Returns the turn if D1 has it.
///
/// If the call fails, the ledger's sweep finds the stored turn and settles by it.
///
/// # Errors
/// Why the turn is not stored and never will be. It is settled all the same.
pub async fn settle<P: Platform>(
    platform: &P,
    turn: &Turn,
    outcome: &Outcome,
    committed: Result<Option<CommittedTurn>, CommitFailure>,
) -> Result<Option<CommittedTurn>, ApiError> {
    let (error, parking) = match committed {
        Ok(committed) => {
            let session = committed
                .as_ref()
                .map(|committed| (committed.state, committed.stored));
            charge(platform, turn, outcome, session).await;
            return Ok(committed);
        }
        Err(CommitFailure::Permanent(error)) => (error, Parking::Refused),
        Err(CommitFailure::Retryable(new, error)) => {
            let parking = park(platform, turn, outcome, &new).await?;
            (error, parking)
        }
    };
    if parking == Parking::Parked {
        tracing::warn!(internal = error.internal, "store turn failed, turn parked");
        return Ok(None);
    }
    charge(platform, turn, outcome, None).await;
    // A turn that may be parked keeps its claim: the ledger may still store it.
    if parking == Parking::Refused {
        idempotency::release(platform, turn.claim.as_ref()).await;
    }
    Err(error)
}

/// Settles a call without an answer: what had arrived of tries that broke off, and, if its client left,
/// the input that a provider had to read. Whether the provider produced any more output is unknown.
///
/// # Errors
/// The failure; also if nothing is charged.
pub async fn settle_failure<P: Platform>(
    platform: &P,
    turn: &Turn,
    failure: CallFailure,
) -> Result<(), ApiError> {
    let (error, spent) = match failure {
        CallFailure::Failed { error, spent } => (Some(*error), spent),
        CallFailure::ClientLeft { spent } => {
            tracing::info!("client left before the answer");
            (None, spent)
        }
    };
    let Some(spent) = spent else {
        let left = || ApiError::internal("the client left between two tries");
        return Err(error.unwrap_or_else(left));
    };
    charge(platform, turn, &spent, None).await;
    error.map_or(Ok(()), Err)
}

/// Turns the reservation into a receipt. `committed` is the session's state after the turn and what the
/// turn has added to the stored content, if it is stored.
async fn charge<P: Platform>(
    platform: &P,
    turn: &Turn,
    outcome: &Outcome,
    committed: Option<(SessionState, Storage)>,
) {
    let settle = settlement(turn, outcome, committed);
    send(platform, turn, Input::Settle(Box::new(settle))).await;
}

/// Gives the ledger a turn that D1 refuses for now, and settles it.
///
/// # Errors
/// An internal error if the turn cannot be written as JSON.
async fn park<P: Platform>(
    platform: &P,
    turn: &Turn,
    outcome: &Outcome,
    new: &ParkableTurn,
) -> Result<Parking, ApiError> {
    let park = Park {
        settle: settlement(turn, outcome, Some((new.state, new.stored))),
        turn: Json::from_value(&new.turn).map_err(ApiError::internal)?,
    };
    let answer = send(platform, turn, Input::Park(Box::new(park))).await;
    Ok(match answer {
        Some(LedgerAnswer::Parked) => Parking::Parked,
        Some(_) => Parking::Refused,
        None => Parking::Unknown,
    })
}

fn settlement(
    turn: &Turn,
    outcome: &Outcome,
    committed: Option<(SessionState, Storage)>,
) -> Settle {
    let (session, stored) = committed.unzip();
    Settle {
        request_id: turn.identity.request_id.clone(),
        ticket: turn.reservation.ticket,
        spent: Spent {
            tokens_in: Tokens::new(outcome.usage.prompt_tokens),
            tokens_out: Tokens::new(outcome.usage.completion_tokens),
            cost: outcome.cost,
        },
        provenance: outcome.provenance,
        model: Some(outcome.model.id.clone()),
        stored: stored.unwrap_or_default(),
        session,
    }
}

async fn send<P: Platform>(platform: &P, turn: &Turn, input: Input) -> Option<LedgerAnswer> {
    match platform.ledger().call(&turn.identity.tenant, input).await {
        Ok(output) => {
            if output.answer == LedgerAnswer::Closed(Closing::NotOpen) {
                tracing::warn!("call already settled");
            }
            Some(output.answer)
        }
        Err(error) => {
            tracing::error!(%error, "settle call failed");
            None
        }
    }
}
