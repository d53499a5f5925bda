//! Stages 4 to 9 as one task: the ledger's leave, the conversation, the model's answer, the stored
//! turn and the receipt.
//!
//! The task belongs to the request, not to the client: it runs on in `wait_until`, so a client
//! that leaves loses nothing, and a reservation always finds its end.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use clawless_api::chat::{ChatCompletionResponse, ChunkWriter, ToolActivity};
use clawless_core::chat::{CompletionRequest, Message, Usage};
use clawless_core::ledger::{RateHeaders, Ticket};
use clawless_core::llm::{LlmChoice, LlmRequest, LlmResponse};
use clawless_core::model::Model;
use clawless_core::rounds::Rounds;
use clawless_core::sending::SendOrigin;
use clawless_core::{
    ApiError, KeyId, MicroDollars, Millis, Provenance, RequestId, TenantId, Timestamp, Tokens,
    ToolExecution,
};
use clawless_edge::response::HttpResponse;
use clawless_llm::{replay, tokens};
use clawless_store::idempotency::StoredResponse;
use futures_channel::{mpsc, oneshot};
use futures_util::future::{Either, select};
use futures_util::{FutureExt, StreamExt};

use crate::admit::{Admission, Unadmitted, admit, release, release_lost};
use crate::call::{self, CallTrace};
use crate::caller::Caller;
use crate::client::{Client, Departure};
use crate::commit::Stored;
use crate::hot;
use crate::idempotency::{self, IdempotencyClaim, IdempotencyKey};
use crate::platform::Platform;
use crate::prepare::{Conversation, Dropped, OpenSession, prepare};
use crate::relay::BUFFERED_READS;
use crate::resume::Form;
use crate::rounds::{self, ToolRounds};
use crate::route::{Link, RequestFeatures, Route};
use crate::settle::commit_and_settle;
use crate::tools::Toolbox;

/// What is kept of a reservation's time for storing and settling. A reservation lasts the longest
/// call and this much more.
const TIME_TO_STORE: Millis = Millis::from_secs(60);

/// A request that has been understood and not yet admitted.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingTurn {
    /// Its id.
    pub request_id: RequestId,
    /// Who asks.
    pub caller: Caller,
    /// The models that may answer.
    pub route: Route,
    /// What is asked.
    pub request: CompletionRequest,
    /// What of that the stages need to know, found out once.
    pub features: RequestFeatures,
    /// When it came in.
    pub started: Timestamp,
    /// What tells it from others, where it may come more than once.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Since when it is the one that is carried out, of all that are the same.
    pub claimed_at: Option<Timestamp>,
    /// How it came about.
    pub origin: SendOrigin,
}

impl PendingTurn {
    /// The form of its answer.
    pub const fn form(&self) -> Form {
        if self.request.stream {
            Form::Stream {
                include_usage: self.request.include_usage,
            }
        } else {
            Form::Whole { with_status: false }
        }
    }
}

/// A turn that has been admitted and is ready for the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// The request that it answers.
    pub request_id: RequestId,
    /// Whose turn it is.
    pub tenant: TenantId,
    /// The key that asked for it.
    pub key: KeyId,
    /// The models that may answer.
    pub route: Route,
    /// How the caller's limits stand.
    rates: RateHeaders,
    /// What the model is asked.
    pub llm: LlmRequest,
    /// What the client said, without the history before it: this is what the turn stores.
    pub said: Vec<Message>,
    /// The session that the turn belongs to; without one nothing is stored.
    pub session: Option<OpenSession>,
    /// What of its history the model is not shown.
    dropped: Dropped,
    /// The server tools that it may use.
    pub toolbox: Toolbox,
    /// Their rounds, where any are offered to the model.
    pub rounds: Option<Rounds>,
    /// The form of its answer.
    form: Form,
    /// Whether its client wants a padding that its stream does not have.
    wants_obfuscation: bool,
    /// How it came about.
    pub origin: SendOrigin,
    /// What its answer is kept under, where it may be asked for again.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The longest answer that is reserved for, each.
    pub max_tokens_out: Tokens,
    /// The reservation, as the ledger numbered it.
    pub ticket: Ticket,
    /// When the request came in.
    pub started: Timestamp,
    /// When the last call of a model must be over: early enough before the reservation's end that
    /// what it said can still be stored and settled.
    pub deadline: Timestamp,
    /// Whether a model has been asked and has not begun to answer.
    pub in_flight: Cell<bool>,
}

/// The completion's id: the request's, under `OpenAI`'s prefix.
pub fn completion_id(request: &RequestId) -> String {
    let id = request.as_str();
    let bare = id.strip_prefix(RequestId::PREFIX).unwrap_or(id);
    format!("chatcmpl-{bare}")
}

/// How a turn went, for whoever stores and charges it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The model that answered.
    pub model: Model,
    /// Its provider's name.
    pub provider: String,
    /// What the model said, partial where it broke.
    pub answer: LlmResponse,
    /// What it used.
    pub usage: Usage,
    /// How the usage is known.
    pub provenance: Provenance,
    /// What it cost; nothing where the model has no price.
    pub cost: MicroDollars,
    /// Why it broke, if it did.
    pub failure: Option<ApiError>,
    /// What server tools did before the answer, where the turn offered any.
    pub acted: Option<ToolRounds>,
}

impl Outcome {
    /// The model that answered, as stored messages name it.
    pub fn origin(&self) -> String {
        format!("{}/{}", self.provider, self.model.id)
    }

    /// How one call of a model went.
    pub fn of(
        link: &Link,
        answer: LlmResponse,
        usage: Usage,
        provenance: Provenance,
        failure: Option<ApiError>,
    ) -> Self {
        let price = link.model.price.as_ref();
        Self {
            cost: price.map_or(MicroDollars::ZERO, |price| price.cost(&usage)),
            model: link.model.clone(),
            provider: link.provider.name.clone(),
            answer,
            usage,
            provenance,
            failure,
            acted: None,
        }
    }

    /// What server tools did.
    pub fn executions(&self) -> &[ToolExecution] {
        let acted = self.acted.as_ref();
        acted.map_or(&[], |acted| &acted.executions)
    }

    /// The model's last answer, as a session keeps it.
    pub fn last(&self) -> Option<&LlmChoice> {
        match &self.acted {
            Some(acted) => acted.last.as_ref(),
            None => self.answer.choices.first(),
        }
    }
}

impl Turn {
    /// The turn of an pending, once it has been admitted and its conversation is known. The model is
    /// told how long its answer may be: what was reserved for it, and no more.
    fn new(pending: PendingTurn, admission: &Admission, conversation: Conversation) -> Self {
        let form = pending.form();
        let mut options = pending.request.options;
        options.limit_output(admission.grant.max_tokens_out);
        let toolbox = conversation.toolbox;
        let can_call = pending.route.chain().all(|link| link.model.features.tools);
        let rounds = can_call.then(|| Rounds::offer(&mut options, toolbox.offers()));
        Self {
            request_id: pending.request_id,
            tenant: admission.caller.tenant().id.clone(),
            key: admission.caller.key().id.clone(),
            llm: LlmRequest {
                model: pending.route.primary().model.id.clone(),
                messages: conversation.messages,
                options,
            },
            route: pending.route,
            rates: admission.rates,
            said: pending.request.messages,
            session: conversation.session,
            dropped: conversation.dropped,
            rounds: rounds.flatten(),
            toolbox,
            form,
            wants_obfuscation: pending.request.include_obfuscation,
            origin: pending.origin,
            idempotency_key: pending.idempotency_key,
            started: pending.started,
            max_tokens_out: admission.grant.max_tokens_out,
            ticket: admission.grant.ticket,
            deadline: admission.grant.deadline.minus(TIME_TO_STORE),
            in_flight: Cell::new(false),
        }
    }

    /// Whether it goes on when the client has left: the session will be asked for its answer, the
    /// request will come again, or tools may be half done.
    pub const fn outlives_its_client(&self) -> bool {
        self.session.is_some() || self.idempotency_key.is_some() || self.rounds.is_some()
    }

    /// What is kept for whoever asks the same again. Of an answer in one piece that broke nothing is:
    /// the client was told an error, not an answer.
    ///
    /// # Errors
    /// An internal error where it cannot be written as JSON.
    pub fn kept(&self, outcome: &Outcome) -> Result<Option<StoredResponse>, ApiError> {
        let is_error = matches!(self.form, Form::Whole { .. }) && outcome.failure.is_some();
        match &self.idempotency_key {
            Some(idempotency_key) if !is_error => {
                Ok(Some(idempotency_key.kept(&self.key, self.text(outcome)?)))
            }
            _ => Ok(None),
        }
    }

    /// The answer as the client gets it, in one text: the body, or all events.
    ///
    /// # Errors
    /// An internal error where it cannot be written as JSON.
    fn text(&self, outcome: &Outcome) -> Result<String, ApiError> {
        let answer = outcome.answer.clone();
        match self.form {
            Form::Whole { .. } => {
                serde_json::to_string(&self.body(outcome, answer)).map_err(ApiError::internal)
            }
            Form::Stream { .. } => {
                let writer = self.writer(&outcome.model);
                Ok(writer.whole(&replay(answer), outcome.usage, outcome.failure.as_ref()))
            }
        }
    }

    fn body(&self, outcome: &Outcome, answer: LlmResponse) -> ChatCompletionResponse {
        let answer = LlmResponse {
            usage: Some(outcome.usage),
            ..answer
        };
        let id = completion_id(&self.request_id);
        let model = outcome.model.id.clone();
        let body = ChatCompletionResponse::new(id, self.started, model, answer);
        match outcome.executions() {
            [] => body,
            executions => body.with_activity(executions.iter().map(ToolActivity::ended).collect()),
        }
    }

    fn writer(&self, model: &Model) -> ChunkWriter {
        let include_usage = matches!(
            self.form,
            Form::Stream {
                include_usage: true
            }
        );
        let id = completion_id(&self.request_id);
        ChunkWriter::new(id, self.started, model.id.clone(), include_usage)
    }

    /// An answer with the headers that say what happened.
    fn describe(&self, answer: HttpResponse, model: &Model, way: &CallTrace) -> HttpResponse {
        let mut answer = answer
            .with_headers(self.rates.pairs())
            .with_header("x-clawless-model", model.id.clone())
            .with_header("x-clawless-route", self.route.reason.as_str())
            .with_header("x-clawless-tries", way.tries.to_string());
        if let Some(dropped) = self.dropped.header() {
            answer = answer.with_header("x-clawless-history-dropped", dropped);
        }
        let mut left_out = way.dropped.clone();
        left_out.extend(
            self.wants_obfuscation
                .then_some("stream_options.include_obfuscation".into()),
        );
        if !left_out.is_empty() {
            answer = answer.with_header("x-clawless-dropped", left_out.join(", "));
        }
        match &self.session {
            None => answer,
            Some(session) => answer.with_header("x-session-id", session.id.as_str()),
        }
    }
}

/// The way back to the request that waits; sending fails where its client has left.
type Reply = oneshot::Sender<Result<HttpResponse, ApiError>>;

/// Starts a turn and waits for its answer: the whole of it, or the beginning of a stream.
///
/// 1. admit: 401, 403, 409, 429, 503
/// 2. prepare: 404, 429, 503
/// 3. call: 400, 429, 502, 503, 504
/// 4. relay; from here on a failure is an event in the stream
/// 5. commit: 503
/// 6. settle
///
/// # Errors
/// Whatever went wrong before the first byte of an answer; such a turn is not stored and costs
/// nothing. And what broke an answer in one piece after tools had run for it: that turn is stored as
/// broken and charged, and the error asks for no retry.
pub async fn start<P: Platform>(
    platform: &Rc<P>,
    mut pending: PendingTurn,
    departure: Departure,
) -> Result<HttpResponse, ApiError> {
    if let Some(answer) = idempotency::claim(platform, &mut pending).await? {
        return Ok(answer);
    }
    let (reply, answer) = oneshot::channel();
    let task_platform = platform.clone();
    platform
        .spawn(async move { run(&*task_platform, pending, departure, reply).await }.boxed_local());
    answer
        .await
        .unwrap_or_else(|_| Err(ApiError::internal("the turn ended without an answer")))
}

async fn run<P: Platform>(platform: &P, pending: PendingTurn, departure: Departure, reply: Reply) {
    let held = IdempotencyClaim::by(&pending);
    let mut unheard = None;
    let failed = match admit(platform, &pending).await {
        Ok(admission) => match carry_out(platform, pending, admission, departure, reply).await {
            Ok(()) => return,
            Err(failed) => failed,
        },
        Err(Unadmitted::Refused(error)) => (error, reply),
        Err(Unadmitted::AnswerLost(error)) => {
            unheard = Some(pending);
            (error, reply)
        }
    };
    let (error, reply) = failed;
    if let Some(held) = held {
        held.release(platform).await;
    }
    // Nobody may be there any more to be told.
    drop(reply.send(Err(error)));
    // The client has been told already: the ledger may take its time.
    if let Some(pending) = unheard {
        release_lost(platform, &pending).await;
    }
}

/// An pending that was admitted. Gives the reply back where no model answered.
async fn carry_out<P: Platform>(
    platform: &P,
    mut pending: PendingTurn,
    mut admission: Admission,
    departure: Departure,
    reply: Reply,
) -> Result<(), (ApiError, Reply)> {
    let prepared = if idempotency::is_late(platform, &pending) {
        Err(idempotency::still_running())
    } else {
        prepare(platform, &mut pending, &mut admission).await
    };
    let failed = match prepared {
        Ok(conversation) => {
            let is_stream = pending.request.stream;
            let turn = Turn::new(pending, &admission, conversation);
            let departure = if turn.outlives_its_client() {
                std::future::pending().boxed_local()
            } else {
                departure
            };
            if is_stream {
                stream(platform, turn, departure, reply).await.err()
            } else {
                whole(platform, turn, departure, reply).await.err()
            }
        }
        Err(error) => Some((error, reply)),
    };
    match failed {
        None => Ok(()),
        Some((error, reply)) => {
            release(platform, &admission).await;
            Err((error.headers(admission.rates.pairs()), reply))
        }
    }
}

/// A turn whose answer comes in one piece. Gives the reply back where no model answered.
async fn whole<P: Platform>(
    platform: &P,
    mut turn: Turn,
    departure: Departure,
    reply: Reply,
) -> Result<(), (ApiError, Reply)> {
    let (mut outcome, way) = match before(departure, rounds::complete(platform, &mut turn)).await {
        Some(Ok(answered)) => answered,
        Some(Err(error)) => return Err((error, reply)),
        None => return abandon(platform, &turn, reply).await,
    };
    let (stored, ended) = parted(commit_and_settle(platform, &turn, &outcome).await);
    // What broke after its first words is charged, and of a session stored: a retry would do all of
    // it once more.
    let broke = outcome.failure.take().map(ApiError::without_retry);
    let ended = broke.map_or(ended, Err);
    let answer = ended.and_then(|()| {
        let answer = std::mem::take(&mut outcome.answer);
        let body = turn.body(&outcome, answer);
        Ok(turn.describe(HttpResponse::of(&body)?, &outcome.model, &way))
    });
    let rates = turn.rates.pairs();
    drop(reply.send(answer.map_err(|error| error.headers(rates))));
    hot::remember(platform, &turn.tenant, turn.session, stored).await;
    Ok(())
}

/// What was stored, and whether all went well.
fn parted(concluded: Result<Option<Stored>, ApiError>) -> (Option<Stored>, Result<(), ApiError>) {
    match concluded {
        Ok(stored) => (stored, Ok(())),
        Err(error) => (None, Err(error)),
    }
}

/// A turn whose answer is streamed. Gives the reply back where no model began to answer.
async fn stream<P: Platform>(
    platform: &P,
    mut turn: Turn,
    mut departure: Departure,
    reply: Reply,
) -> Result<(), (ApiError, Reply)> {
    let begun = match before(&mut departure, call::stream(platform, &turn)).await {
        Some(Ok(begun)) => begun,
        Some(Err(error)) => return Err((error, reply)),
        None => return abandon(platform, &turn, reply).await,
    };
    let (sender, events) = mpsc::channel(BUFFERED_READS);
    let answer = HttpResponse::events(events.boxed_local());
    drop(reply.send(Ok(turn.describe(answer, &begun.link.model, &begun.way))));
    let mut client = Client::new(sender);
    let mut writer = turn.writer(&begun.link.model);
    let outcome = rounds::stream(
        platform,
        &mut turn,
        begun,
        &mut writer,
        &mut client,
        &mut departure,
    )
    .await;
    let (stored, ended) = parted(commit_and_settle(platform, &turn, &outcome).await);
    let mut end = String::new();
    match outcome.failure.map_or(ended, Err) {
        Ok(()) => writer.finish(outcome.usage, &mut end),
        Err(error) => {
            tracing::error!(
                code = error.code.as_str(),
                internal = error.internal.as_deref(),
                "the answer broke"
            );
            ChunkWriter::fail(&error, &mut end);
        }
    }
    client.send(end.into_bytes(), platform.time()).await;
    hot::remember(platform, &turn.tenant, turn.session, stored).await;
    Ok(())
}

/// What a call gives, unless the client leaves before it does; then the call is dropped, and its
/// request aborted.
async fn before<T>(
    departure: impl Future<Output = ()> + Unpin,
    call: impl Future<Output = T>,
) -> Option<T> {
    match select(pin!(call), departure).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

/// The client left before a word of the answer had come, and the call was cut. What a provider had
/// to read by then is charged; that it wrote anything is not known. Where none was being asked, since
/// all so far had failed, it costs nothing: the reply is given back, though nobody will hear it.
async fn abandon<P: Platform>(
    platform: &P,
    turn: &Turn,
    reply: Reply,
) -> Result<(), (ApiError, Reply)> {
    tracing::info!("the client left before the answer began");
    if !turn.in_flight.get() {
        return Err((
            ApiError::internal("the client left between two tries"),
            reply,
        ));
    }
    let answer = LlmResponse::default();
    let primary = turn.route.primary();
    let usage = tokens::estimate_usage(&turn.llm, &answer);
    let outcome = Outcome::of(primary, answer, usage, Provenance::Estimated, None);
    // Nothing is stored of a stateless call, so nothing can fail but the settling, which is logged.
    drop(commit_and_settle(platform, turn, &outcome).await);
    Ok(())
}
