//! Stages 8 and 9: the turn is stored and its reservation becomes a receipt. ONE message to the
//! ledger after the answer.

use clawless_core::json::Json;
use clawless_core::ledger::{Closing, Input, LedgerAnswer, Park, SessionState, Settle, Spent};
use clawless_core::{ApiError, Tokens};

use crate::commit::{Stored, Unstored, commit, state_after};
use crate::idempotency::IdempotencyClaim;
use crate::ledger::Ledger;
use crate::platform::Platform;
use crate::turn::{Outcome, Turn};

/// Stores a turn and settles its reservation. A turn that the database refuses for now is kept by
/// the ledger, which stores it as soon as it can; the client need not know. Gives the turn, if D1 has it.
///
/// # Errors
/// Why the turn is not stored and will not be. It is settled all the same.
pub async fn commit_and_settle<P: Platform>(
    platform: &P,
    turn: &Turn,
    outcome: &Outcome,
) -> Result<Option<Stored>, ApiError> {
    let (error, unstored) = match commit(platform, turn, outcome).await {
        Ok(stored) => {
            let session = stored.as_ref().map(|stored| stored.state);
            tell(
                platform,
                turn,
                Input::Settle(Box::new(settlement(turn, outcome, session))),
            )
            .await;
            return Ok(stored);
        }
        Err(Unstored::Never(error)) => (error, None),
        Err(Unstored::Later(new, error)) => (error, Some(new)),
    };
    let mut may_be_parked = false;
    if let (Some(new), Some(session)) = (unstored, &turn.session) {
        let state = state_after(session.state, &new, new.expected.next());
        let settle = settlement(turn, outcome, Some(state));
        let park = Park {
            settle,
            turn: Json::of(&new).map_err(ApiError::internal)?,
        };
        let answer = tell(platform, turn, Input::Park(Box::new(park))).await;
        if answer == Some(LedgerAnswer::Parked) {
            tracing::warn!(
                internal = error.internal,
                "the database refused a turn; it waits in the ledger"
            );
            return Ok(None);
        }
        // Where the answer is lost the ledger may have the turn, and store it yet.
        may_be_parked = answer.is_none();
    }
    tell(
        platform,
        turn,
        Input::Settle(Box::new(settlement(turn, outcome, None))),
    )
    .await;
    // What is not stored is not remembered either.
    if let Some(held) = IdempotencyClaim::of(turn).filter(|_| !may_be_parked) {
        held.release(platform).await;
    }
    Err(error)
}

/// What a call used, and where its session stands now.
fn settlement(turn: &Turn, outcome: &Outcome, session: Option<SessionState>) -> Settle {
    let tokens_in = Tokens::new(outcome.usage.prompt_tokens);
    let tokens_out = Tokens::new(outcome.usage.completion_tokens);
    Settle {
        request_id: turn.request_id.clone(),
        ticket: turn.ticket,
        spent: Spent {
            tokens_in,
            tokens_out,
            cost: outcome.cost,
        },
        provenance: outcome.provenance,
        model: Some(outcome.model.id.clone()),
        session,
    }
}

/// Tells the ledger; where that fails, its sweep finds the stored turn and settles by it.
async fn tell<P: Platform>(platform: &P, turn: &Turn, input: Input) -> Option<LedgerAnswer> {
    match platform.ledger().ask(&turn.tenant, input).await {
        Ok(output) => {
            if output.answer == LedgerAnswer::Closed(Closing::NotOpen) {
                tracing::warn!("the call had been settled before");
            }
            Some(output.answer)
        }
        Err(error) => {
            tracing::error!(%error, "a call is not settled yet; the sweep will do it");
            None
        }
    }
}
