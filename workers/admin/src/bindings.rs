//! The Worker's bindings, by name.

use worker::Env;

/// The relational database.
pub(crate) const DB: &str = "DB";

/// The limit on requests from one address, counted before anything is read.
pub(crate) const BY_ADDRESS: &str = "ADMIN_BY_ADDRESS";

/// The limit on requests with one token.
pub(crate) const BY_TOKEN: &str = "ADMIN_BY_TOKEN";

/// The secret with the first operator's token, by which all others are minted.
const FIRST_TOKEN: &str = "ADMIN_TOKEN";

/// The first operator's token, where it is set.
pub(crate) fn first_token(env: &Env) -> Option<String> {
    env.secret(FIRST_TOKEN)
        .ok()
        .map(|secret| secret.to_string())
}

/// Counts a request against a limit; `false` once there were too many. A missing or failing limiter
/// lets everybody pass: tokens of 160 random bits are not guessed.
pub(crate) async fn may_pass(env: &Env, limit: &str, who: &str) -> bool {
    let Ok(limiter) = env.rate_limiter(limit) else {
        return true;
    };
    limiter
        .limit(who.to_owned())
        .await
        .map_or(true, |outcome| outcome.success)
}
