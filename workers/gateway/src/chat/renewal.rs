//! Renews a turn's reservation while the turn runs, so that the ledger can tell a running turn from
//! one that was aborted with its isolate. A short turn needs no renewal.

use std::pin::pin;

use clawless_core::ledger::{Input, LedgerAnswer, RENEWAL_INTERVAL, Ticket};
use clawless_core::time::Timer;
use clawless_core::{RequestId, TenantId};
use clawless_edge::ledger::Ledger;
use futures_util::future::{Either, LocalBoxFuture, select};

use super::model::pending_turn::Admission;
use crate::platform::Platform;

/// The reservation to renew.
pub struct Lease {
    tenant: TenantId,
    request_id: RequestId,
    ticket: Ticket,
}

impl Lease {
    /// The reservation of an admission.
    pub fn of(admission: &Admission) -> Self {
        Self {
            tenant: admission.caller.tenant().id.clone(),
            request_id: admission.grant.request_id.clone(),
            ticket: admission.grant.ticket,
        }
    }

    /// Runs `turn` and renews the reservation meanwhile. The turn is boxed: an `async` function that is
    /// given a future by value holds it twice.
    pub async fn hold<P: Platform, T>(&self, platform: &P, turn: LocalBoxFuture<'_, T>) -> T {
        match select(turn, pin!(self.renew(platform))).await {
            Either::Left((output, _)) => output,
            Either::Right(((), turn)) => turn.await,
        }
    }

    /// Renews the reservation until it has ended.
    async fn renew<P: Platform>(&self, platform: &P) {
        loop {
            platform.time().sleep(RENEWAL_INTERVAL).await;
            let input = Input::Renew {
                request_id: self.request_id.clone(),
                ticket: self.ticket,
            };
            match platform.ledger().call(&self.tenant, input).await {
                Ok(output) if output.answer == LedgerAnswer::Done => {}
                Ok(_) => {
                    // The turn goes on: its settlement corrects the receipt of the sweep.
                    tracing::warn!("reservation expired while its call ran");
                    return;
                }
                Err(error) => tracing::warn!(%error, "renew reservation failed"),
            }
        }
    }
}
