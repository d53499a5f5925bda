//! Step 5: builds the conversation that the model sees.

use clawless_api::responses::response_not_found;
use clawless_core::chat::{ChatOptions, CompletionRequest};
use clawless_core::ledger::SessionState;
use clawless_core::routing::MAX_OVERESTIMATE;
use clawless_core::session::{Session, SessionHead};
use clawless_core::time::Millis;
use clawless_core::{ApiError, Clock, ErrorCode, Message, SessionId, Storage, TenantId, Tokens};
use clawless_llm::vocabulary::Vocabulary;
use clawless_llm::{tokens, window};
use clawless_store::hot::{HotSession, MAX_BYTES};
use clawless_store::messages::{self, History, HistoryBudget};
use clawless_store::sessions::{self, SessionLookup};
use clawless_store::turns;

use super::hot;
use super::model::continuation::Continuation;
use super::model::pending_turn::{Admission, PendingTurn};
use super::model::session::{Conversation, DroppedHistory, OpenSession, session_not_found};
use super::model::turn::Turn;
use super::prompts::PromptContext;
use super::report::RouteReport;
use super::reservation::{extend, extend_input, reprice};
use super::{repeated_history, system_prompt};
use crate::platform::Platform;
use crate::routing::{Link, SessionContext, context_length_exceeded, select_route};
use crate::tools::Toolbox;

/// How much history is read per token of the model's window. Four bytes a token is generous for
/// English text, and the provider refuses what is too much.
const BYTES_PER_TOKEN: u64 = 4;

/// How much of a history is read for a model whose window is unknown: 4 MiB.
const UNKNOWN_WINDOW_BYTES: u64 = 4 * 1024 * 1024;

/// How much of a history is read at most because of its images: 16 MiB.
const MAX_HISTORY_BYTES: u64 = 16 * 1024 * 1024;

/// The copies of a history while it is loaded: the rows, and the messages.
const HISTORY_COPIES: usize = 2;

/// How much longer than its reservation a conversation may be: an eighth, or this many tokens.
const UNRESERVED_PART: u64 = 8;
const MIN_UNRESERVED: Tokens = Tokens::new(256);

/// When to repeat a request whose history another one has continued.
const RETRY_AFTER_CONTINUED: Millis = Millis::from_secs(1);

/// The most turns of a history that are read.
const MAX_TURNS: u32 = 1000;

/// Builds the turn: the system prompts and the session's history stand before the request's messages. If
/// the ledger did not know the length of that history, the reservation is extended by it.
///
/// # Errors
/// 404 if the request names a generated session that this tenant does not have; 400 if no model
/// can process the history, or if system prompts and request exceed the window; 429 if the quota
/// does not cover the history; 503 if storage does not answer or the isolate has no room for it.
pub async fn prepare<P: Platform>(
    platform: &P,
    mut pending: Box<PendingTurn>,
    mut admission: Admission,
) -> Result<Turn, ApiError> {
    let composed = compose(platform, &mut pending, &mut admission).await;
    let conversation = composed.map_err(|error| RouteReport::new(&pending.route).add_to(error))?;
    let (counted, now) = (conversation.counted, platform.time().now());
    pending.permit.replace(counted, conversation.bytes(), now)?;
    Ok(Turn::new(*pending, &admission, conversation))
}

async fn compose<P: Platform>(
    platform: &P,
    pending: &mut PendingTurn,
    admission: &mut Admission,
) -> Result<Conversation, ApiError> {
    let tenant = admission.caller.tenant().clone();
    if tenant.version != pending.caller.tenant().version {
        // The ledger has a newer record than the one that the request was routed by.
        route_again(platform, pending, admission, SessionContext::default()).await?;
    }
    let prompts = PromptContext {
        tenant: &tenant,
        session: None,
        options: &pending.request.options,
        now: platform.time().now(),
    };
    let messages = prompts.messages()?;
    require_room(pending, admission, &messages)?;
    let mut conversation = Conversation {
        session: None,
        messages,
        input: Vec::new(),
        toolbox: Toolbox::for_caller(&admission.caller),
        dropped: DroppedHistory::default(),
        counted: 0,
    };
    let named = pending.request.session_id.clone();
    if let Continuation::Copy { source, head } = pending.continuation.clone() {
        let source = (&source, head);
        let session = copy(
            platform,
            pending,
            admission,
            source,
            named,
            &mut conversation,
        );
        conversation.session = session.await?;
    } else if let Some(id) = named {
        let session = open_session(platform, pending, admission, id, &mut conversation).await?;
        conversation.session = Some(session);
    }
    narrow_tools(&pending.request, &mut conversation.toolbox)?;
    let request = &pending.request.messages;
    if conversation.input.is_empty() {
        conversation.input = pending.request.lasting_messages().to_vec();
    }
    let is_composed = !conversation.messages.is_empty();
    conversation.messages.extend_from_slice(request);
    if is_composed {
        conversation.messages = system_prompt::merge(conversation.messages)?;
        reserve_input(platform, pending, admission, &conversation).await?;
    }
    Ok(conversation)
}

/// Extends the reservation if the conversation is much longer than the ledger assumed: by a session's
/// system prompt, or by a history that counts more than its turns reported. Small differences are not
/// worth a call; the settlement is exact in any case.
async fn reserve_input<P: Platform>(
    platform: &P,
    pending: &PendingTurn,
    admission: &mut Admission,
    conversation: &Conversation,
) -> Result<(), ApiError> {
    let history = admission.grant.session.map(|state| state.token_total);
    let reserved = admission.tokens_in.plus(history.unwrap_or_default());
    let needed = tokens::of_messages(&conversation.messages, &pending.request.options);
    let needed = needed.plus(conversation.toolbox.tokens());
    let tolerated = MIN_UNRESERVED.max(Tokens::new(reserved.get() / UNRESERVED_PART));
    if needed <= reserved.plus(tolerated) {
        return Ok(());
    }
    extend_input(platform, admission, needed).await
}

/// Reads a session and adds its system prompt, its tools and its history to the conversation.
async fn open_session<P: Platform>(
    platform: &P,
    pending: &mut PendingTurn,
    admission: &mut Admission,
    id: SessionId,
    conversation: &mut Conversation,
) -> Result<OpenSession, ApiError> {
    let tenant = admission.caller.tenant().id.clone();
    let known = admission.grant.session;
    let copy = hot::load(platform, &tenant, &id, known, &pending.permit).await;
    conversation.counted += copy.as_ref().map_or(0, hot::counted_bytes);
    let (state, found) = match (known, &copy) {
        (Some(state), Some(copy)) => (state, Some(copy.session.clone())),
        _ => look_up(platform, &tenant, &id).await?,
    };
    let is_new = found.is_none();
    if is_new && matches!(pending.continuation, Continuation::After(_)) {
        // Deleted since the request was parsed.
        return Err(response_not_found().param("previous_response_id"));
    }
    if known != Some(state) || is_new {
        let created = is_new.then_some(Storage::ZERO);
        extend(platform, admission, state, created).await?;
    }
    let hot = if let Some(found) = found {
        add_session(platform, pending, admission, found, copy, conversation).await?
    } else {
        route_again(platform, pending, admission, SessionContext::default()).await?;
        let now = platform.time().now();
        let budget = budget(pending);
        Some(HotSession::new(&tenant, &id, state, budget, now))
    };
    Ok(OpenSession {
        id,
        state,
        is_new,
        fork: None,
        hot,
    })
}

/// Adds another session with its history up to a turn to the conversation. The turn's own session, if
/// it has one, begins with a copy of it.
async fn copy<P: Platform>(
    platform: &P,
    pending: &mut PendingTurn,
    admission: &mut Admission,
    (source, head): (&SessionId, SessionHead),
    id: Option<SessionId>,
    conversation: &mut Conversation,
) -> Result<Option<OpenSession>, ApiError> {
    let tenant = admission.caller.tenant().id.clone();
    let (sql, now) = (platform.sql(), platform.time().now());
    let found = sessions::find(sql, &tenant, source, now).await?;
    let found = found.ok_or_else(session_not_found)?;
    let settings = found.settings_bytes();
    let mut opened = None;
    if let Some(id) = id {
        let fork = turns::fork(sql, &tenant, source, head, now, platform.entropy()).await?;
        let state = SessionState {
            head,
            token_total: fork.tokens,
        };
        let copied = fork.with_settings(settings);
        extend(platform, admission, state, Some(copied)).await?;
        opened = Some(OpenSession {
            id,
            state,
            is_new: true,
            fork: Some((fork, settings)),
            hot: None,
        });
    }
    let at_head = Session { head, ..found };
    add_session(platform, pending, admission, at_head, None, conversation).await?;
    Ok(opened)
}

/// Keeps only the server tools that the request names, if it names any.
fn narrow_tools(request: &CompletionRequest, toolbox: &mut Toolbox) -> Result<(), ApiError> {
    let Some(named) = &request.turn.server_tools else {
        return Ok(());
    };
    if let Some(name) = named
        .iter()
        .find(|name| !toolbox.names().contains(&name.as_str()))
    {
        let message = format!("The server tool `{name}` is not enabled for this key or session.");
        return Err(ApiError::new(ErrorCode::InvalidValue, message).param("tools"));
    }
    toolbox.narrow(Some(named));
    Ok(())
}

/// Adds an existing session to the conversation. Returns its copy for the cache, if it is short
/// enough.
async fn add_session<P: Platform>(
    platform: &P,
    pending: &mut PendingTurn,
    admission: &mut Admission,
    session: Session,
    copy: Option<HotSession>,
    conversation: &mut Conversation,
) -> Result<Option<HotSession>, ApiError> {
    let tenant = admission.caller.tenant().clone();
    let context = SessionContext::new(&session, &[]);
    route_again(platform, pending, admission, context).await?;
    conversation.toolbox.narrow(session.tools.as_deref());
    // The tenant's prompt too, which may name the session.
    let prompts = PromptContext {
        tenant: &tenant,
        session: Some(&session),
        options: &pending.request.options,
        now: platform.time().now(),
    };
    conversation.messages = prompts.messages()?;
    let messages = &mut conversation.messages;
    require_room(pending, admission, messages)?;
    let room = |bytes: u64| {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let bytes = bytes.saturating_mul(HISTORY_COPIES);
        pending.permit.grow(bytes, platform.time().now())?;
        conversation.counted += bytes;
        Ok(())
    };
    let wanted = budget(pending);
    let (history, budget) = read(platform, &tenant.id, &session, copy, wanted, room).await?;
    conversation.dropped.and_more = history.truncated;
    let cached = (history.bytes() <= MAX_BYTES).then(|| history.clone());
    let primary = pending.route.primary();
    let room = TokenLoad::new(&pending.request, admission, messages).room(primary);
    require_last_turn(&pending.continuation, &history)?;
    let turns = history.into_turns();
    let repeated = repeated_history::repeated(
        turns.iter().flatten(),
        conversation.dropped.and_more,
        &pending.request.messages,
    );
    drop_repeated(&mut pending.request.messages, repeated);
    let input = pending.request.lasting_messages();
    conversation.input = system_prompt::to_store(turns.iter().flatten(), input);
    let mut shown = window::choose(
        turns,
        &pending.request.messages,
        room.unwrap_or_default(),
        Vocabulary::of(&primary.provider),
    );
    conversation.dropped.messages = shown.dropped;
    if pending.request.turn.needs_whole_history && conversation.dropped.header().is_some() {
        return Err(history_too_long());
    }
    let input = pending.request.lasting_messages();
    system_prompt::remove_outdated(&mut shown.messages, input);
    let context_with_history = SessionContext::new(&session, &shown.messages);
    if context_with_history != context {
        route_again(platform, pending, admission, context_with_history).await?;
    }
    if !shown.messages.is_empty() {
        messages.extend(shown.messages);
        let load = TokenLoad::new(&pending.request, admission, messages);
        pending
            .route
            .retain_fallbacks(|link| load.room(link).is_some());
    }
    Ok(cached.map(|history| HotSession {
        session,
        history,
        budget,
    }))
}

/// Refuses a turn that continues one which another turn has continued meanwhile.
fn require_last_turn(continuation: &Continuation, history: &History) -> Result<(), ApiError> {
    let Continuation::After(turn) = continuation else {
        return Ok(());
    };
    let last = history.turns.last().map(|turn| turn.seq);
    if last.is_none_or(|last| last <= turn.seq()) {
        return Ok(());
    }
    let message = "Another response has continued the same one at the same time. Repeat the request: it \
                   then continues in a conversation of its own.";
    Err(ApiError::new(ErrorCode::SessionBusy, message).retry_after(RETRY_AFTER_CONTINUED))
}

/// The error for a history that may not be shortened.
fn history_too_long() -> ApiError {
    let message =
        "The history does not fit the model's context window, and `truncation` is `disabled`.";
    ApiError::new(ErrorCode::ContextLengthExceeded, message).param("truncation")
}

/// The estimated tokens of a conversation.
struct TokenLoad<'a> {
    /// The system prompts and the visible history.
    context: &'a [Message],
    /// The request's messages.
    input: &'a [Message],
    /// Tools and response format.
    options: Tokens,
    /// The longest answer that the client requested, and that was granted.
    requested: Option<u64>,
    granted: u64,
}

impl<'a> TokenLoad<'a> {
    fn new(request: &'a CompletionRequest, admission: &Admission, context: &'a [Message]) -> Self {
        let options = &request.options;
        let tools = Toolbox::for_caller(&admission.caller).tokens();
        Self {
            context,
            input: &request.messages,
            options: tokens::of_messages(&[], options).plus(tools),
            requested: options.max_output().map(u64::from),
            granted: admission.grant.max_tokens_out.get(),
        }
    }

    /// The room left in a model's window beside an answer, which is as long as the client requested
    /// or up to a quarter of the window. `None` if the conversation does not fit.
    fn room(&self, link: &Link) -> Option<Tokens> {
        let Some(window) = link.model.context else {
            // The provider decides.
            return Some(Tokens::new(u64::MAX));
        };
        let answer = match self.requested {
            Some(requested) => requested.min(self.granted),
            None => self.granted.min(window.get() / 4),
        };
        let vocabulary = Vocabulary::of(&link.provider);
        let fixed = vocabulary.of_messages(self.context);
        let fixed = fixed.plus(vocabulary.of_messages(self.input));
        window::room(window, Tokens::new(answer), fixed.plus(self.options))
    }
}

/// Rejects a request that exceeds the window of the first model even without any history. The
/// estimate may be twice too high; if the window is unknown, the provider decides.
fn require_room(
    pending: &PendingTurn,
    admission: &Admission,
    prompts: &[Message],
) -> Result<(), ApiError> {
    let Some(window) = pending.route.primary().model.context else {
        return Ok(());
    };
    let prompts = tokens::of_messages(prompts, &ChatOptions::default());
    let tools = Toolbox::for_caller(&admission.caller).tokens();
    let needed = prompts.plus(pending.features.size).plus(tools);
    if needed.get() / MAX_OVERESTIMATE <= window.get() {
        return Ok(());
    }
    Err(context_length_exceeded(window, needed))
}

/// Routes a request again, with its session. If the new route has more expensive models, the
/// reservation is extended.
async fn route_again<P: Platform>(
    platform: &P,
    pending: &mut PendingTurn,
    admission: &mut Admission,
    session_context: SessionContext<'_>,
) -> Result<(), ApiError> {
    let tenant = admission.caller.tenant();
    let is_known = session_context == SessionContext::default()
        && !pending.route.is_provisional
        && tenant.version == pending.caller.tenant().version;
    if is_known {
        return Ok(());
    }
    let route = select_route(
        platform.config(),
        tenant,
        &pending.request,
        pending.features,
        session_context,
    )?;
    let (reserved, needed) = (pending.route.max_price(), route.max_price());
    if reserved.max(needed) != reserved {
        reprice(platform, admission, needed).await?;
    }
    pending.route = route;
    Ok(())
}

/// Looks up a session. A session with a client's own name may be new; a generated id must exist.
async fn look_up<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    id: &SessionId,
) -> Result<(SessionState, Option<Session>), ApiError> {
    let state = |head, token_total| SessionState { head, token_total };
    match sessions::look_up(platform.sql(), tenant, id, platform.time().now()).await? {
        SessionLookup::Found(session) => {
            Ok((state(session.head, session.token_total), Some(*session)))
        }
        SessionLookup::Free { head } if !id.is_generated() => Ok((state(head, Tokens::ZERO), None)),
        SessionLookup::Free { .. } => Err(session_not_found().param("session_id")),
    }
}

/// How much of a history is relevant to the first model of the route.
fn budget(pending: &PendingTurn) -> HistoryBudget {
    let context = pending.route.primary().model.context;
    HistoryBudget {
        turns: MAX_TURNS,
        bytes: context.map_or(UNKNOWN_WINDOW_BYTES, |window| {
            window.get().saturating_mul(BYTES_PER_TOKEN)
        }),
    }
}

/// Reads a session's history, from its copy if that is long enough, otherwise from the database.
/// Returns the budget that the history satisfies, too. `room` makes room for what the database returns.
async fn read<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    session: &Session,
    copy: Option<HotSession>,
    wanted: HistoryBudget,
    mut room: impl FnMut(u64) -> Result<(), ApiError>,
) -> Result<(History, HistoryBudget), ApiError> {
    let (id, head) = (&session.id, session.head);
    let (mut history, mut budget) = if let Some(copy) = copy.filter(|copy| copy.covers(wanted)) {
        (copy.history, copy.budget.or(wanted))
    } else {
        let sql = platform.sql();
        let history = messages::history(sql, tenant, id, head, wanted, &mut room).await?;
        (history, wanted)
    };
    // A window is counted in tokens, of which an image has few for its bytes.
    while history.truncated && budget.bytes < MAX_HISTORY_BYTES {
        let turns = history.turns.iter();
        let messages = turns.flat_map(|turn| &turn.messages);
        let media: u64 = messages
            .map(|it| window::media_bytes(it.raw.as_str()))
            .sum();
        let bytes = wanted.bytes.saturating_add(media).min(MAX_HISTORY_BYTES);
        if bytes <= budget.bytes {
            break;
        }
        budget.bytes = bytes;
        let sql = platform.sql();
        history = messages::history(sql, tenant, id, head, budget, &mut room).await?;
    }
    Ok((history, budget))
}

/// Drops the first messages of a request, except its system messages.
fn drop_repeated(messages: &mut Vec<Message>, count: usize) {
    let mut position = 0;
    messages.retain(|message| {
        position += 1;
        position > count || system_prompt::is_system(message)
    });
}
