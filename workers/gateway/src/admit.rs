//! Stage 4: the ledger's leave. ONE question before the provider is called.

use clawless_core::ledger::{
    Admit, Denial, DenialReason, EndpointClass, Extend, Grant, Input, LedgerAnswer, LedgerConfig,
    Output, Pass, Period, Price, QuotaKind, QuotaUse, RateHeaders, SessionState, Stale,
};
use clawless_core::{ApiError, RequestId, Scope, TenantId, Tokens, Usage};
use clawless_llm::tokens;

use crate::authenticate::{incorrect, reread};
use crate::caller::Caller;
use crate::ledger::{Ledger, LedgerError};
use crate::platform::Platform;
use crate::tools::Toolbox;
use crate::turn::{PendingTurn, Turn};

/// What a model may write at most where neither the client nor the model's entry says.
const DEFAULT_OUTPUT: Tokens = Tokens::new(4096);

/// The ledger's leave for a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Admission {
    /// Who asks, by records that the ledger has confirmed.
    pub caller: Caller,
    /// What was granted.
    pub grant: Grant,
    /// How the caller's limits stand.
    pub rates: RateHeaders,
    /// What the request alone was estimated at, without the session's history.
    pub tokens_in: Tokens,
}

/// Why a call may not begin.
#[derive(Debug)]
pub enum Unadmitted {
    /// It was refused, or the ledger had too much to do and took nothing.
    Refused(ApiError),
    /// The ledger's answer is lost: it may have reserved something, or may yet.
    AnswerLost(ApiError),
}

impl Unadmitted {
    /// What the client is told.
    pub fn into_error(self) -> ApiError {
        match self {
            Self::Refused(error) | Self::AnswerLost(error) => error,
        }
    }
}

impl From<ApiError> for Unadmitted {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl From<LedgerError> for Unadmitted {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Overloaded => Self::Refused(error.into()),
            LedgerError::Failed(_) | LedgerError::Silent => Self::AnswerLost(error.into()),
        }
    }
}

/// Asks whether a model call may begin.
///
/// # Errors
/// 401 for a revoked key, 403 for a suspended tenant, 429 for rates and quotas, 409 for a busy
/// session, 503 where the ledger does not answer.
pub async fn admit<P: Platform>(
    platform: &P,
    pending: &PendingTurn,
) -> Result<Admission, Unadmitted> {
    let request = &pending.request;
    let primary = pending.route.primary();
    let tokens_in = pending
        .features
        .size
        .plus(Toolbox::of(&pending.caller).tokens());
    let question = Admit {
        request_id: pending.request_id.clone(),
        caller: pending.caller.for_ledger(),
        class: EndpointClass::Chat,
        session_id: request.session_id.clone(),
        model: primary.model.id.clone(),
        tokens_in,
        max_tokens_out: request
            .options
            .max_output()
            .map(|most| Tokens::new(most.into())),
        default_tokens_out: (primary.model.default_output)
            .or(primary.model.max_output)
            .unwrap_or(DEFAULT_OUTPUT),
        answers: request.options.n.unwrap_or(1),
        price: pending.route.dearest(),
    };
    let ask = |caller| {
        Input::Admit(Box::new(Admit {
            caller,
            ..question.clone()
        }))
    };
    let (output, caller) = confirmed(platform, &pending.caller, ask).await?;
    match output.answer {
        LedgerAnswer::Granted(grant) => Ok(Admission {
            caller,
            grant,
            rates: output.headers,
            tokens_in,
        }),
        answer => Err(refused(answer, &output.headers).into()),
    }
}

/// Asks whether a request that costs nothing may pass: rate limits, revocation and suspension,
/// without a reservation or a storage write.
///
/// # Errors
/// As [`admit`], without quotas and sessions.
pub async fn check_rate<P: Platform>(
    platform: &P,
    caller: &Caller,
    class: EndpointClass,
) -> Result<RateHeaders, ApiError> {
    let ask = |caller| Input::Pass(Pass { caller, class });
    let asked = confirmed(platform, caller, ask).await;
    let (output, _) = asked.map_err(Unadmitted::into_error)?;
    match output.answer {
        LedgerAnswer::Passed => Ok(output.headers),
        answer => Err(refused(answer, &output.headers)),
    }
}

/// As [`check_rate`], for a route that needs a scope. A request without it is counted before it is
/// refused, or there would be no limit on such.
///
/// # Errors
/// 403 where the key lacks the scope, and those of [`check_rate`].
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

/// Extends a reservation by the session's history, once it has been read.
///
/// # Errors
/// 429 where the quota does not cover the history, 503 where the ledger does not answer.
pub async fn extend<P: Platform>(
    platform: &P,
    admission: &mut Admission,
    session: SessionState,
) -> Result<(), ApiError> {
    let more = Extend {
        tokens_in: admission.tokens_in.plus(session.token_total),
        session: Some(session),
        ..nothing_more(admission)
    };
    ask_for(platform, admission, more).await?;
    admission.grant.session = Some(session);
    Ok(())
}

/// Has a reservation cover dearer models, where the session turned out to want them.
///
/// # Errors
/// 429 where the quota does not cover them, 503 where the ledger does not answer.
pub async fn reprice<P: Platform>(
    platform: &P,
    admission: &mut Admission,
    price: Price,
) -> Result<(), ApiError> {
    let more = Extend {
        price: Some(price),
        ..nothing_more(admission)
    };
    ask_for(platform, admission, more).await
}

/// Has a reservation cover one more round of a turn that has used this much. `false` where the
/// quota does not.
///
/// # Errors
/// 503 where the ledger does not answer.
pub async fn cover<P: Platform>(
    platform: &P,
    turn: &mut Turn,
    used: &Usage,
) -> Result<bool, ApiError> {
    let more = Extend {
        request_id: turn.request_id.clone(),
        ticket: turn.ticket,
        tokens_in: tokens::of_request(&turn.llm).plus(Tokens::new(used.prompt_tokens)),
        max_tokens_out: Some(
            turn.max_tokens_out
                .plus(Tokens::new(used.completion_tokens)),
        ),
        price: None,
        session: None,
    };
    let output = platform
        .ledger()
        .ask(&turn.tenant, Input::Extend(more))
        .await?;
    let LedgerAnswer::Extended { max_tokens_out, .. } = output.answer else {
        return Ok(false);
    };
    let left = max_tokens_out.minus(Tokens::new(used.completion_tokens));
    turn.max_tokens_out = left.min(turn.max_tokens_out);
    turn.llm.options.limit_output(turn.max_tokens_out);
    Ok(turn.max_tokens_out > Tokens::ZERO)
}

/// An extension by nothing: what was granted stays.
fn nothing_more(admission: &Admission) -> Extend {
    Extend {
        request_id: admission.grant.request_id.clone(),
        ticket: admission.grant.ticket,
        tokens_in: admission.tokens_in,
        max_tokens_out: None,
        price: None,
        session: None,
    }
}

async fn ask_for<P: Platform>(
    platform: &P,
    admission: &mut Admission,
    more: Extend,
) -> Result<(), ApiError> {
    let tenant = &admission.caller.tenant().id;
    let output = platform.ledger().ask(tenant, Input::Extend(more)).await?;
    match output.answer {
        LedgerAnswer::Extended { max_tokens_out, .. } => {
            admission.grant.max_tokens_out = max_tokens_out;
            Ok(())
        }
        answer => Err(refused(answer, &output.headers)),
    }
}

/// Gives a reservation back: the call failed before the provider produced anything. Where that
/// fails too, the ledger's sweep does it.
pub async fn release<P: Platform>(platform: &P, admission: &Admission) {
    let tenant = &admission.caller.tenant().id;
    give_back(platform, tenant, &admission.grant.request_id).await;
}

/// Gives back what an pending may have reserved whose admission was never heard of.
pub async fn release_lost<P: Platform>(platform: &P, pending: &PendingTurn) {
    give_back(platform, &pending.caller.tenant().id, &pending.request_id).await;
}

async fn give_back<P: Platform>(platform: &P, tenant: &TenantId, request_id: &RequestId) {
    let request_id = request_id.clone();
    if let Err(error) = platform
        .ledger()
        .ask(tenant, Input::Release { request_id })
        .await
    {
        tracing::warn!(%error, "a reservation could not be given back; the sweep will do it");
    }
}

/// Asks the ledger; where it calls our records stale, reads them again and asks once more.
async fn confirmed<P: Platform>(
    platform: &P,
    caller: &Caller,
    question: impl Fn(clawless_core::ledger::CallerVersions) -> Input,
) -> Result<(Output, Caller), Unadmitted> {
    let tenant = &caller.tenant().id;
    let output = platform
        .ledger()
        .ask(tenant, question(caller.for_ledger()))
        .await?;
    let LedgerAnswer::Stale(stale) = output.answer else {
        return Ok((output, caller.clone()));
    };
    let fresh = reread(platform, caller).await?;
    let mut known = fresh.for_ledger();
    if matches!(stale, Stale::Config { .. }) {
        known.config = Some(Box::new(LedgerConfig::from(fresh.tenant())));
    }
    let output = platform.ledger().ask(tenant, question(known)).await?;
    Ok((output, fresh))
}

/// What the client is told of a refusal. Whoever comes with a revoked key learns no more than with
/// an unknown one.
fn refused(answer: LedgerAnswer, rates: &RateHeaders) -> ApiError {
    match answer {
        LedgerAnswer::Denied(denial) if denial.reason == DenialReason::KeyRevoked => incorrect(),
        LedgerAnswer::Denied(denial) => denied(&denial).headers(rates.pairs()),
        // Twice stale: the record changed while we read it, or D1 lags behind the ledger.
        other => LedgerError::Failed(format!("unexpected {other:?}")).into(),
    }
}

fn denied(denial: &Denial) -> ApiError {
    let message = match denial.reason {
        DenialReason::KeyRevoked => return incorrect(),
        DenialReason::Suspended => {
            "This account is suspended. Ask the operator of this service.".to_owned()
        }
        DenialReason::RateLimited => {
            "Rate limit reached for requests. Wait as long as `retry-after` says.".to_owned()
        }
        DenialReason::TooManyRunning => {
            "Too many requests of this account are running at once.".to_owned()
        }
        DenialReason::QuotaUsedUp => quota_message(denial.quota),
        DenialReason::SessionBusy => {
            "Another turn of this session is still running. Try again when it is done.".to_owned()
        }
        DenialReason::SessionUnavailable => {
            "The last turn of this session is not stored yet. Try again in a moment.".to_owned()
        }
        DenialReason::NotOpen => "This request has ended before.".to_owned(),
    };
    let error = ApiError::new(denial.reason.code(), message);
    match denial.retry_after {
        Some(wait) => error.retry_after(wait),
        None => error,
    }
}

fn quota_message(quota: Option<QuotaUse>) -> String {
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
         It starts anew on {period}-01 (UTC)."
    )
}

/// What a quota counts, in words.
const fn kind_name(kind: QuotaKind) -> &'static str {
    match kind {
        QuotaKind::Messages => "messages a month",
        QuotaKind::Tokens => "tokens a month",
        QuotaKind::MicroDollars => "millionths of a dollar a month",
    }
}
