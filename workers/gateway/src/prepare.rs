//! Stage 5: the conversation that the model is shown.

use clawless_core::chat::{ChatOptions, CompletionRequest};
use clawless_core::ledger::SessionState;
use clawless_core::routing::ESTIMATE_WITHIN;
use clawless_core::session::Session;
use clawless_core::{ApiError, Clock, Message, Role, SessionId, TenantId, Tokens};
use clawless_llm::vocabulary::Vocabulary;
use clawless_llm::{tokens, window};
use clawless_store::hot::{HotSession, MAX_BYTES};
use clawless_store::messages::{self, History, HistoryBudget};
use clawless_store::sessions::{self, SessionLookup};

use crate::admit::{Admission, extend, reprice};
use crate::hot;
use crate::http::sessions::find::no_such_session;
use crate::platform::Platform;
use crate::route::{Link, SessionContext, route, too_long};
use crate::tools::Toolbox;
use crate::turn::PendingTurn;

/// How much of a history can matter to a model: four bytes a token is generous for English text,
/// and the provider refuses what is too much.
const BYTES_PER_TOKEN: u64 = 4;

/// The most turns of a history that are read.
const MAX_TURNS: u32 = 1000;

/// A session as it stood before the turn.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenSession {
    /// The session.
    pub id: SessionId,
    /// Where it stood: the head under which its history was read, and how long that history is.
    pub state: SessionState,
    /// All that was read of it, where it is short enough to be copied.
    pub hot: Option<HotSession>,
}

/// What the model is shown, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// The session, where the request names one.
    pub session: Option<OpenSession>,
    /// The tenant's and the session's system prompts, the history, and what the client says.
    pub messages: Vec<Message>,
    /// The server tools that are on.
    pub toolbox: Toolbox,
    /// What of the history does not fit the model's window.
    pub dropped: Dropped,
}

/// Messages of the history that the model is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// How many.
    pub messages: usize,
    /// Whether there are more before them, which were not even read.
    pub and_more: bool,
}

impl Dropped {
    /// The value of the header that tells it: `12`, or `12+`; none where the history is whole.
    pub fn header(self) -> Option<String> {
        let more = if self.and_more { "+" } else { "" };
        (self.and_more || self.messages > 0).then(|| format!("{}{more}", self.messages))
    }
}

/// Places the tenant's system prompt and the session's history before what the client says. Where
/// the ledger did not know how long that history is, the reservation is extended by it.
///
/// # Errors
/// 404 where the request names a generated session that is not there for this tenant; 400 where no
/// model can take what stands in its history, or where the system prompts and what the client says do
/// not fit the window; 429 where the quota does not cover the history; 503 where storage does not answer.
pub async fn prepare<P: Platform>(
    platform: &P,
    pending: &mut PendingTurn,
    admission: &mut Admission,
) -> Result<Conversation, ApiError> {
    let tenant = admission.caller.tenant().clone();
    if tenant.version != pending.caller.tenant().version {
        // The ledger knew a newer record than the one that the request was routed by.
        route_again(platform, pending, admission, SessionContext::default()).await?;
    }
    let mut messages = Vec::with_capacity(pending.request.messages.len() + 2);
    let mut dropped = Dropped::default();
    messages.extend(system(tenant.settings.system_prompt.as_deref())?);
    require_room(pending, admission, &messages)?;
    let mut toolbox = Toolbox::of(&admission.caller);
    let session = match pending.request.session_id.clone() {
        None => None,
        Some(id) => {
            let known = admission.grant.session;
            let copy = hot::recall(platform, &tenant.id, &id, known).await;
            let (state, found) = match (known, &copy) {
                (Some(state), Some(copy)) => (state, Some(copy.session.clone())),
                _ => look_up(platform, &tenant.id, &id).await?,
            };
            if known != Some(state) {
                extend(platform, admission, state).await?;
            }
            let hot = if let Some(found) = found {
                let session_context = SessionContext::of(&found, &[]);
                route_again(platform, pending, admission, session_context).await?;
                toolbox.narrow(found.tools.as_deref());
                messages.extend(system(found.system_prompt.as_deref())?);
                require_room(pending, admission, &messages)?;
                let (history, budget) =
                    read(platform, &tenant.id, &found, copy, budget(pending)).await?;
                dropped.and_more = history.truncated;
                let kept = (history.bytes() <= MAX_BYTES).then(|| history.clone());
                let primary = pending.route.primary();
                let room = TokenLoad::of(&pending.request, admission, &messages).room(primary);
                let shown = window::choose(
                    history.into_turns(),
                    &pending.request.messages,
                    room.unwrap_or_default(),
                    Vocabulary::of(&primary.provider),
                );
                dropped.messages = shown.dropped;
                let seen = SessionContext::of(&found, &shown.messages);
                if seen != session_context {
                    route_again(platform, pending, admission, seen).await?;
                }
                let is_shown = !shown.messages.is_empty();
                messages.extend(shown.messages);
                if is_shown {
                    let load = TokenLoad::of(&pending.request, admission, &messages);
                    pending.route.keep(|link| load.room(link).is_some());
                }
                kept.map(|history| HotSession {
                    session: found,
                    history,
                    budget,
                })
            } else {
                let now = platform.time().now();
                Some(HotSession::new(
                    &tenant.id,
                    &id,
                    state,
                    budget(pending),
                    now,
                ))
            };
            Some(OpenSession { id, state, hot })
        }
    };
    messages.extend_from_slice(&pending.request.messages);
    Ok(Conversation {
        session,
        messages,
        toolbox,
        dropped,
    })
}

/// What a conversation takes of a model's window, by estimate.
struct TokenLoad<'a> {
    /// The system prompts and the history that is shown.
    before: &'a [Message],
    /// What the client says.
    said: &'a [Message],
    /// What is sent along: tools and formats.
    along: Tokens,
    /// The longest answer that the client asked for, and that was granted.
    asked: Option<u64>,
    granted: u64,
}

impl<'a> TokenLoad<'a> {
    fn of(request: &'a CompletionRequest, admission: &Admission, before: &'a [Message]) -> Self {
        let options = &request.options;
        let tools = Toolbox::of(&admission.caller).tokens();
        Self {
            before,
            said: &request.messages,
            along: tokens::of_messages(&[], options).plus(tools),
            asked: options.max_output().map(u64::from),
            granted: admission.grant.max_tokens_out.get(),
        }
    }

    /// The room that it leaves in a model's window, beside an answer: as long as the client asked
    /// for, else up to a quarter of the window. None where it does not fit.
    fn room(&self, link: &Link) -> Option<Tokens> {
        let window = link.model.context;
        let answer = match self.asked {
            Some(asked) => asked.min(self.granted),
            None => self.granted.min(window.get() / 4),
        };
        let vocabulary = Vocabulary::of(&link.provider);
        let fixed = vocabulary.of_messages(self.before);
        let fixed = fixed.plus(vocabulary.of_messages(self.said));
        window::room(window, Tokens::new(answer), fixed.plus(self.along))
    }
}

/// Refuses what exceeds the window of the model that is asked first even without any history. An
/// estimate may be twice too high, and of a window that nobody told the provider knows best.
fn require_room(
    pending: &PendingTurn,
    admission: &Admission,
    prompts: &[Message],
) -> Result<(), ApiError> {
    let Some(window) = pending.route.primary().model.known_context() else {
        return Ok(());
    };
    let prompts = tokens::of_messages(prompts, &ChatOptions::default());
    let needed = prompts.plus(admission.tokens_in);
    if needed.get() / ESTIMATE_WITHIN <= window.get() {
        return Ok(());
    }
    Err(too_long(window, needed))
}

/// Routes a request once more, with what its session brings. Where that leads to dearer models than
/// were reserved for, the reservation is extended.
async fn route_again<P: Platform>(
    platform: &P,
    pending: &mut PendingTurn,
    admission: &mut Admission,
    session_context: SessionContext<'_>,
) -> Result<(), ApiError> {
    let tenant = admission.caller.tenant();
    let is_known = session_context == SessionContext::default()
        && tenant.version == pending.caller.tenant().version;
    if is_known {
        return Ok(());
    }
    let route = route(
        platform.config(),
        tenant,
        &pending.request,
        pending.features,
        session_context,
    )?;
    let (reserved, needed) = (pending.route.dearest(), route.dearest());
    if reserved.dearer(needed) != reserved {
        reprice(platform, admission, needed).await?;
    }
    pending.route = route;
    Ok(())
}

/// Looks a session up. One that a client named itself may be new; a generated id must be there.
async fn look_up<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    id: &SessionId,
) -> Result<(SessionState, Option<Session>), ApiError> {
    let at = |head, token_total| SessionState { head, token_total };
    match sessions::look_up(platform.sql(), tenant, id, platform.time().now()).await? {
        SessionLookup::Found(session) => {
            Ok((at(session.head, session.token_total), Some(*session)))
        }
        SessionLookup::Free { head } if !id.is_generated() => Ok((at(head, Tokens::ZERO), None)),
        SessionLookup::Free { .. } => Err(no_such_session().param("session_id")),
    }
}

/// How much of a history can matter to the model that is asked first.
fn budget(pending: &PendingTurn) -> HistoryBudget {
    let context = pending.route.primary().model.context;
    HistoryBudget {
        turns: MAX_TURNS,
        bytes: context.get().saturating_mul(BYTES_PER_TOKEN),
    }
}

/// A session's history: of its copy, where that has as much as is wanted, else of the database. And
/// how much there is of it.
async fn read<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    session: &Session,
    copy: Option<HotSession>,
    wanted: HistoryBudget,
) -> Result<(History, HistoryBudget), ApiError> {
    if let Some(copy) = copy.filter(|copy| copy.covers(wanted)) {
        return Ok((copy.history, copy.budget.or(wanted)));
    }
    let (id, head) = (&session.id, session.head);
    let history = messages::history(platform.sql(), tenant, id, head, wanted).await?;
    Ok((history, wanted))
}

fn system(prompt: Option<&str>) -> Result<Option<Message>, ApiError> {
    prompt
        .map(|text| Message::text(Role::System, text))
        .transpose()
        .map_err(ApiError::internal)
}
