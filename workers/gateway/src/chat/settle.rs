//! Step 9: the reservation becomes a receipt. One ledger call after the answer.

use clawless_core::json::Json;
use clawless_core::ledger::{Closing, Input, LedgerAnswer, Park, SessionState, Settle, Spent};
use clawless_core::{ApiError, Storage, Tokens};
use clawless_edge::ledger::Ledger;

use super::model::commit_failure::ParkableTurn;
use super::model::outcome::Outcome;
use super::model::turn::Turn;
use crate::platform::Platform;

/// Whether the ledger keeps a turn that D1 refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parking {
    /// The ledger stores the turn later and has settled it.
    Parked,
    /// The ledger did not take the turn.
    Refused,
    /// The ledger's answer was lost: it may have the turn.
    Unknown,
}

/// Settles a turn's reservation. `committed` is the session's state after the turn and what the turn
/// has added to the stored content, if it is stored.
/// If the call fails, the ledger's sweep finds the stored turn and settles by it.
pub async fn settle<P: Platform>(
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
pub async fn park<P: Platform>(
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
