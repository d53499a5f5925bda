//! Keep-alive events, which show a waiting client that the request still runs.

use std::pin::Pin;

use clawless_core::time::Timer;

use crate::platform::Platform;

/// A comment line, which every client ignores.
pub const EVENT: &[u8] = b": keep-alive\n\n";

/// Completes when a client has waited long enough for a keep-alive event.
pub fn timer<P: Platform>(platform: &P) -> Pin<Box<dyn Future<Output = ()>>> {
    let (time, span) = (platform.time().clone(), platform.config().keep_alive);
    Box::pin(async move { time.sleep(span).await })
}
