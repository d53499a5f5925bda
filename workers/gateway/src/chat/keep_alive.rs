//! When a waiting client is shown that its request still runs.

use std::pin::Pin;

use clawless_core::time::Timer;

use crate::platform::Platform;

/// Completes when a client has waited long enough for a keep-alive event.
pub fn timer<P: Platform>(platform: &P) -> Pin<Box<dyn Future<Output = ()>>> {
    let (time, span) = (platform.time().clone(), platform.config().keep_alive);
    Box::pin(async move { time.sleep(span).await })
}
