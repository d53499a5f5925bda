//! Whether a caller may proceed: the ledger confirms its key and tenant and counts the request.

use clawless_core::ledger::{
    CallerVersions, Denial, DenialReason, EndpointClass, Input, LedgerAnswer, LedgerConfig, Output,
    Pass, Period, QuotaKind, QuotaUse, RateHeaders, Stale, StorageUse,
};
use clawless_core::{ApiError, Scope};
use clawless_edge::ledger::{Ledger, LedgerError};

use crate::authenticate::{invalid_key, reread};
use crate::caller::Caller;
use crate::platform::Platform;

/// Why the ledger did not admit a request.
#[derive(Debug)]
pub enum AccessError {
    /// The ledger refused the request, or was overloaded and took nothing.
    Refused(ApiError),
    /// The ledger's answer was lost: it may have reserved something, or may still do so.
    AnswerLost(ApiError),
}

impl AccessError {
    /// The error that the client gets.
    pub fn into_error(self) -> ApiError {
        match self {
            Self::Refused(error) | Self::AnswerLost(error) => error,
        }
    }
}

impl From<ApiError> for AccessError {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl From<LedgerError> for AccessError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Overloaded => Self::Refused(error.into()),
            LedgerError::Failed(_) | LedgerError::Silent => Self::AnswerLost(error.into()),
        }
    }
}

/// Counts a request that costs nothing: checks rate limits, revocation and suspension, without a
/// reservation or a storage write.
///
/// # Errors
/// 401 for a revoked key, 403 for a suspended tenant, 429 for rate limits, 503 if the ledger does
/// not answer.
pub async fn check_rate<P: Platform>(
    platform: &P,
    caller: &Caller,
    class: EndpointClass,
) -> Result<RateHeaders, ApiError> {
    let (rates, _) = confirm_rate(platform, caller, class).await?;
    Ok(rates)
}

/// [`check_rate`] for a route whose decision needs the current records. Returns the confirmed caller too.
///
/// # Errors
/// As [`check_rate`].
pub async fn confirm_rate<P: Platform>(
    platform: &P,
    caller: &Caller,
    class: EndpointClass,
) -> Result<(RateHeaders, Caller), ApiError> {
    let input = |caller| Input::Pass(Pass { caller, class });
    let sent = send_confirmed(platform, caller, input).await;
    let (output, confirmed) = sent.map_err(AccessError::into_error)?;
    match output.answer {
        LedgerAnswer::Passed => Ok((output.headers, confirmed)),
        answer => Err(refusal(answer, &output.headers)),
    }
}

/// [`check_rate`] for a route that needs a scope. A request without the scope is counted before it
/// is refused; otherwise such requests would have no limit.
///
/// # Errors
/// 403 if the key lacks the scope, and those of [`check_rate`].
pub async fn check_rate_and_scope<P: Platform>(
    platform: &P,
    caller: &Caller,
    class: EndpointClass,
    scope: Scope,
) -> Result<RateHeaders, ApiError> {
    let rates = check_rate(platform, caller, class).await?;
    caller
        .require(scope)
        .map_err(|refusal| refusal.headers(rates.pairs()))?;
    Ok(rates)
}

/// Sends the ledger an input that names the caller's records. If the ledger calls them stale, they
/// are read again and the input is sent once more. Returns the confirmed caller.
///
/// # Errors
/// [`AccessError::Refused`] if the key is no longer usable, [`AccessError::AnswerLost`] if the
/// ledger does not answer.
pub async fn send_confirmed<P: Platform>(
    platform: &P,
    caller: &Caller,
    input: impl Fn(CallerVersions) -> Input,
) -> Result<(Output, Caller), AccessError> {
    let tenant = &caller.tenant().id;
    let output = platform
        .ledger()
        .call(tenant, input(caller.for_ledger()))
        .await?;
    let LedgerAnswer::Stale(stale) = output.answer else {
        return Ok((output, caller.clone()));
    };
    let fresh = reread(platform, caller).await?;
    let mut versions = fresh.for_ledger();
    if matches!(stale, Stale::Config { .. }) {
        versions.config = Some(Box::new(LedgerConfig::from(fresh.tenant())));
    }
    let output = platform.ledger().call(tenant, input(versions)).await?;
    Ok((output, fresh))
}

/// The error for an input that the ledger refused. A revoked key gets the same error as an unknown
/// one.
pub fn refusal(answer: LedgerAnswer, rates: &RateHeaders) -> ApiError {
    match answer {
        LedgerAnswer::Denied(denial) if denial.reason == DenialReason::KeyRevoked => invalid_key(),
        LedgerAnswer::Denied(denial) => denied(&denial).headers(rates.pairs()),
        // Stale twice: the record changed during the read, or D1 is behind the ledger.
        other => LedgerError::Failed(format!("unexpected {other:?}")).into(),
    }
}

fn denied(denial: &Denial) -> ApiError {
    let message = match denial.reason {
        DenialReason::KeyRevoked => return invalid_key(),
        DenialReason::Suspended => {
            "This account is suspended. Ask the operator of this service.".to_owned()
        }
        DenialReason::RateLimited if denial.of_key => {
            "Rate limit reached for requests of this API key. Wait as long as `retry-after` says."
                .to_owned()
        }
        DenialReason::TooManyRunning if denial.of_key => {
            "Too many requests of this API key are running at once.".to_owned()
        }
        DenialReason::RateLimited => {
            "Rate limit reached for requests. Wait as long as `retry-after` says.".to_owned()
        }
        DenialReason::TooManyRunning => {
            "Too many requests of this account are running at once.".to_owned()
        }
        DenialReason::QuotaUsedUp => quota_used_up(denial.quota),
        DenialReason::QuotaReserved => quota_reserved(denial.quota),
        DenialReason::StorageUsedUp => storage_used_up(denial.storage),
        DenialReason::StorageReserved => storage_reserved(denial.storage),
        DenialReason::SessionBusy => {
            "Another turn of this session is still running. Try again when it is done.".to_owned()
        }
        DenialReason::SessionUnavailable => {
            "The last turn of this session is not stored yet. Try again in a moment.".to_owned()
        }
        DenialReason::NotOpen => "This request has already ended.".to_owned(),
    };
    let error = ApiError::new(denial.reason.code(), message);
    match denial.retry_after {
        Some(wait) => error.retry_after(wait),
        None => error,
    }
}

fn quota_reserved(quota: Option<QuotaUse>) -> String {
    let Some(QuotaUse {
        kind,
        used,
        reserved,
        limit,
        ..
    }) = quota
    else {
        return "Running requests have reserved the rest of your quota.".to_owned();
    };
    format!(
        "Running requests have reserved the rest of your quota of {}: {used} used and {reserved} \
         reserved of {limit}. Try again when one of them has ended.",
        kind_name(kind)
    )
}

fn quota_used_up(quota: Option<QuotaUse>) -> String {
    let Some(QuotaUse {
        kind,
        used,
        reserved,
        limit,
        resets_at,
    }) = quota
    else {
        return "You exceeded your current quota.".to_owned();
    };
    let (kind, period) = (kind_name(kind), Period::of(resets_at));
    format!(
        "You exceeded your current quota of {kind}: {used} used and {reserved} reserved of {limit}. \
         It resets on {period}-01 (UTC)."
    )
}

fn storage_used_up(storage: Option<StorageUse>) -> String {
    let Some(StorageUse {
        kind,
        used,
        requested,
        limit,
        ..
    }) = storage
    else {
        return "You exceeded your storage quota.".to_owned();
    };
    let kind = kind.as_str();
    format!(
        "You exceeded your storage quota of {limit} {kind}: {used} are stored, and this request adds \
         {requested}. Delete sessions or messages, or ask the operator of this service for a larger \
         quota."
    )
}

fn storage_reserved(storage: Option<StorageUse>) -> String {
    let Some(StorageUse {
        kind,
        used,
        reserved,
        requested,
        limit,
    }) = storage
    else {
        return "Running requests have reserved the rest of your storage quota.".to_owned();
    };
    let kind = kind.as_str();
    format!(
        "Running requests have reserved the rest of your storage quota of {limit} {kind}: {used} are \
         stored, {reserved} are reserved, and this request adds {requested}. Try again when one of \
         them has ended."
    )
}

/// The unit of a quota, in words.
const fn kind_name(kind: QuotaKind) -> &'static str {
    match kind {
        QuotaKind::Messages => "messages a month",
        QuotaKind::Tokens => "tokens a month",
        QuotaKind::MicroDollars => "millionths of a dollar a month",
    }
}
