//! Stages 4 to 9 as one task: the ledger's leave, the conversation, the model's answer, the stored
//! turn and the receipt.
//!
//! The task belongs to the request, not to the client: it runs on in `wait_until`, so a client
//! that leaves loses nothing, and a reservation always finds its end.

use std::rc::Rc;

use clawless_core::chat::{
    ChatCompletionRequest, ChatCompletionResponse, ChunkWriter, Message, Usage,
};
use clawless_core::ledger::{RateHeaders, Ticket};
use clawless_core::llm::{LlmRequest, LlmResponse};
use clawless_core::model::Model;
use clawless_core::{
    ApiError, KeyId, MicroDollars, Provenance, RequestId, TenantId, Timestamp, Tokens,
};
use clawless_edge::answer::Answer;
use clawless_llm::LlmError;
use futures_channel::{mpsc, oneshot};
use futures_util::{FutureExt, StreamExt};

use crate::admit::{Admission, admit, release};
use crate::call;
use crate::caller::Caller;
use crate::client::Client;
use crate::platform::Platform;
use crate::prepare::{Conversation, OpenSession, prepare};
use crate::relay::{BUFFERED_READS, relay};
use crate::route::Route;
use crate::settle::conclude;

/// A request that has been understood and not yet admitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Its id.
    pub request_id: RequestId,
    /// Who asks.
    pub caller: Caller,
    /// The models that may answer.
    pub route: Route,
    /// What is asked.
    pub request: ChatCompletionRequest,
    /// When it came in.
    pub started: Timestamp,
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
    /// Whether a streamed answer tells its usage.
    include_usage: bool,
    /// The longest answer that is reserved for, each.
    pub max_tokens_out: Tokens,
    /// The reservation, as the ledger numbered it.
    pub ticket: Ticket,
    /// When the request came in.
    pub started: Timestamp,
    /// When the reservation ends, and with it the call.
    pub deadline: Timestamp,
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
    /// Why it broke, if it did.
    pub failure: Option<LlmError>,
}

impl Outcome {
    /// What the call cost; nothing where the model has no price.
    pub fn cost(&self) -> MicroDollars {
        let price = self.model.price.as_ref();
        price.map_or(MicroDollars::ZERO, |price| price.cost(&self.usage))
    }
}

impl Turn {
    /// The turn of an order, once it has been admitted and its conversation is known. The model is
    /// told how long its answer may be: what was reserved for it, and no more.
    fn new(order: Order, admission: &Admission, conversation: Conversation) -> Self {
        let mut options = order.request.options;
        options.limit_output(admission.grant.max_tokens_out);
        Self {
            request_id: order.request_id,
            tenant: admission.caller.tenant().id.clone(),
            key: admission.caller.key().id.clone(),
            llm: LlmRequest {
                model: order.route.primary().model.id.clone(),
                messages: conversation.messages,
                options,
            },
            route: order.route,
            rates: admission.rates,
            said: order.request.messages,
            session: conversation.session,
            include_usage: order.request.include_usage,
            started: order.started,
            max_tokens_out: admission.grant.max_tokens_out,
            ticket: admission.grant.ticket,
            deadline: admission.grant.deadline,
        }
    }

    /// The completion's id: the request's, under `OpenAI`'s prefix.
    fn completion_id(&self) -> String {
        let id = self.request_id.as_str();
        let bare = id.strip_prefix(RequestId::PREFIX).unwrap_or(id);
        format!("chatcmpl-{bare}")
    }

    /// An answer with the headers that say what happened.
    fn describe(&self, answer: Answer, model: &Model, tries: usize) -> Answer {
        let answer = answer
            .with_headers(self.rates.pairs())
            .with_header("x-clawless-model", model.id.clone())
            .with_header("x-clawless-route", self.route.reason)
            .with_header("x-clawless-tries", tries.to_string());
        match &self.session {
            None => answer,
            Some(session) => answer.with_header("x-session-id", session.id.as_str()),
        }
    }
}

/// The way back to the request that waits; sending fails where its client has left.
type Reply = oneshot::Sender<Result<Answer, ApiError>>;

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
/// nothing.
pub async fn start<P: Platform>(platform: &Rc<P>, order: Order) -> Result<Answer, ApiError> {
    let (reply, answer) = oneshot::channel();
    let task_platform = platform.clone();
    platform.spawn(async move { run(&*task_platform, order, reply).await }.boxed_local());
    answer
        .await
        .unwrap_or_else(|_| Err(ApiError::internal("the turn ended without an answer")))
}

async fn run<P: Platform>(platform: &P, order: Order, reply: Reply) {
    let mut admission = match admit(platform, &order).await {
        Ok(admission) => admission,
        // Nobody may be there any more to be told; here and below.
        Err(error) => return drop(reply.send(Err(error))),
    };
    let failed = match prepare(platform, &order, &mut admission).await {
        Ok(conversation) => {
            let is_stream = order.request.stream;
            let turn = Turn::new(order, &admission, conversation);
            if is_stream {
                stream(platform, turn, reply).await.err()
            } else {
                whole(platform, turn, reply).await.err()
            }
        }
        Err(error) => Some((error, reply)),
    };
    if let Some((error, reply)) = failed {
        release(platform, &admission).await;
        drop(reply.send(Err(error.headers(admission.rates.pairs()))));
    }
}

/// A turn whose answer comes in one piece. Gives the reply back where no model answered.
async fn whole<P: Platform>(
    platform: &P,
    turn: Turn,
    reply: Reply,
) -> Result<(), (ApiError, Reply)> {
    let (outcome, tries) = match call::complete(platform, &turn).await {
        Ok(answered) => answered,
        Err(error) => return Err((error, reply)),
    };
    let stored = conclude(platform, &turn, &outcome).await;
    let answer = stored.and_then(|()| {
        let body = ChatCompletionResponse::new(
            turn.completion_id(),
            turn.started,
            outcome.model.id.clone(),
            LlmResponse {
                usage: Some(outcome.usage),
                ..outcome.answer
            },
        );
        Ok(turn.describe(Answer::of(&body)?, &outcome.model, tries))
    });
    let rates = turn.rates.pairs();
    drop(reply.send(answer.map_err(|error| error.headers(rates))));
    Ok(())
}

/// A turn whose answer is streamed. Gives the reply back where no model began to answer.
async fn stream<P: Platform>(
    platform: &P,
    turn: Turn,
    reply: Reply,
) -> Result<(), (ApiError, Reply)> {
    let mut begun = match call::stream(platform, &turn).await {
        Ok(begun) => begun,
        Err(error) => return Err((error, reply)),
    };
    let (sender, events) = mpsc::channel(BUFFERED_READS);
    let answer = Answer::events(events.boxed_local());
    drop(reply.send(Ok(turn.describe(answer, &begun.link.model, begun.tries))));
    let mut client = Client::new(sender);
    let mut writer = ChunkWriter::new(
        turn.completion_id(),
        turn.started,
        begun.link.model.id.clone(),
        turn.include_usage,
    );
    let outcome = relay(platform, &turn, &mut begun, &mut writer, &mut client).await;
    // Whatever the provider would still send is not wanted.
    drop(begun);
    let stored = conclude(platform, &turn, &outcome).await;
    let mut end = String::new();
    match outcome.failure.map(ApiError::from).map_or(stored, Err) {
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
    Ok(())
}
