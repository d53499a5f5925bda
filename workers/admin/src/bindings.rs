//! The names of the Worker's bindings, and the rate limiters behind them.

use worker::Env;

/// The relational database.
pub(crate) const DB: &str = "DB";

/// The gateways' cache, which holds copies of sessions.
pub(crate) const CACHE: &str = "CACHE";

/// The rate limit per address, counted before anything is read.
pub(crate) const BY_ADDRESS: &str = "ADMIN_BY_ADDRESS";

/// The rate limit per token.
pub(crate) const BY_TOKEN: &str = "ADMIN_BY_TOKEN";

/// The secret with the first operator's token, which creates the others.
pub(crate) const FIRST_TOKEN: &str = "ADMIN_TOKEN";

/// The first operator's token, if it is set.
pub(crate) fn first_token(env: &Env) -> Option<String> {
    env.secret(FIRST_TOKEN)
        .ok()
        .map(|secret| secret.to_string())
}

/// Counts a request against a limit; `false` if there were too many. Without a working limiter all
/// requests pass: tokens of 160 random bits cannot be guessed.
pub(crate) async fn is_within_limit(env: &Env, limit: &str, subject: &str) -> bool {
    let Ok(limiter) = env.rate_limiter(limit) else {
        return true;
    };
    limiter
        .limit(subject.to_owned())
        .await
        .map_or(true, |outcome| outcome.success)
}
