//! Waiting with an end.

use std::pin::pin;

use clawless_core::Millis;
use clawless_core::time::Timer;
use futures_util::future::{Either, select};

/// Waits for `future`, but no longer than `span`; `None` where the time ran out. The future is
/// dropped then, which aborts the request that it stands for.
pub(crate) async fn within<T: Timer, F: Future>(
    timer: &T,
    span: Millis,
    future: F,
) -> Option<F::Output> {
    match select(pin!(future), pin!(timer.sleep(span))).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(((), _)) => None,
    }
}
