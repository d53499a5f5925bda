//! Stages 6 to 8 as one task: ask the model, relay its answer, store the turn.
//!
//! The task belongs to the request, not to the client: it runs on in `wait_until`, so a client
//! that leaves loses nothing.

use std::rc::Rc;

use clawless_core::chat::{ChatCompletionResponse, ChunkWriter, Message, Usage};
use clawless_core::llm::{LlmRequest, LlmResponse};
use clawless_core::{ApiError, KeyId, Provenance, RequestId, TenantId, Timestamp};
use clawless_edge::answer::Answer;
use clawless_llm::LlmError;
use futures_channel::{mpsc, oneshot};
use futures_util::{FutureExt, StreamExt};

use crate::client::Client;
use crate::commit::commit;
use crate::platform::Platform;
use crate::prepare::OpenSession;
use crate::relay::relay;
use crate::route::Route;
use crate::{call, relay::BUFFERED_READS};

/// Everything that a turn needs once the request has been understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// The request that it answers.
    pub request_id: RequestId,
    /// Whose turn it is.
    pub tenant: TenantId,
    /// The key that asked for it.
    pub key: KeyId,
    /// The model that answers.
    pub route: Route,
    /// What the model is asked.
    pub llm: LlmRequest,
    /// What the client said, without the history before it: this is what the turn stores.
    pub said: Vec<Message>,
    /// The session that the turn belongs to; without one nothing is stored.
    pub session: Option<OpenSession>,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// Whether a streamed answer tells its usage.
    pub include_usage: bool,
    /// When the request came in.
    pub started: Timestamp,
}

/// How a turn went, for whoever stores and charges it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What the model said, partial where it broke.
    pub answer: LlmResponse,
    /// What it used.
    pub usage: Usage,
    /// How the usage is known.
    pub provenance: Provenance,
    /// Why it broke, if it did.
    pub failure: Option<LlmError>,
}

impl Turn {
    /// The completion's id: the request's, under `OpenAI`'s prefix.
    fn completion_id(&self) -> String {
        let id = self.request_id.as_str();
        format!(
            "chatcmpl-{}",
            id.strip_prefix(RequestId::PREFIX).unwrap_or(id)
        )
    }

    /// An answer with the headers that say what happened.
    fn describe(&self, answer: Answer) -> Answer {
        let answer = answer
            .with_header("x-clawless-model", self.route.model.id.clone())
            .with_header("x-clawless-route", self.route.reason);
        match &self.session {
            None => answer,
            Some(session) => answer.with_header("x-session-id", session.id.as_str()),
        }
    }
}

/// Starts a turn and waits for its answer: the whole of it, or the beginning of a stream.
///
/// # Errors
/// Whatever went wrong before the first byte of an answer; of such a turn nothing is stored.
pub async fn start<P: Platform>(platform: &Rc<P>, turn: Turn) -> Result<Answer, ApiError> {
    let (reply, answer) = oneshot::channel();
    let task_platform = platform.clone();
    platform.spawn(
        async move {
            let platform = &*task_platform;
            if turn.stream {
                stream(platform, turn, reply).await
            } else {
                whole(platform, turn, reply).await
            }
        }
        .boxed_local(),
    );
    answer
        .await
        .unwrap_or_else(|_| Err(ApiError::internal("the turn ended without an answer")))
}

/// The way back to the request that waits; sending fails where its client has left.
type Reply = oneshot::Sender<Result<Answer, ApiError>>;

/// A turn whose answer comes in one piece.
async fn whole<P: Platform>(platform: &P, turn: Turn, reply: Reply) {
    let answer = async {
        let outcome = call::complete(platform, &turn).await?;
        commit(platform, &turn, &outcome).await?;
        let body = ChatCompletionResponse::new(
            turn.completion_id(),
            turn.started,
            turn.route.model.id.clone(),
            LlmResponse {
                usage: Some(outcome.usage),
                ..outcome.answer
            },
        );
        Ok(turn.describe(Answer::of(&body)?))
    };
    // Nobody may be there any more; the turn is stored all the same.
    let _ = reply.send(answer.await);
}

/// A turn whose answer is streamed.
async fn stream<P: Platform>(platform: &P, turn: Turn, reply: Reply) {
    let mut answers = match call::stream(platform, &turn).await {
        Ok(answers) => answers,
        Err(error) => {
            let _ = reply.send(Err(error));
            return;
        }
    };
    let (sender, events) = mpsc::channel(BUFFERED_READS);
    // Nobody may be there any more; then every send to the client fails, and the turn goes on.
    let _ = reply.send(Ok(turn.describe(Answer::events(events.boxed_local()))));
    let mut client = Client::new(sender);
    let mut writer = ChunkWriter::new(
        turn.completion_id(),
        turn.started,
        turn.route.model.id.clone(),
        turn.include_usage,
    );
    let outcome = relay(platform, &turn, &mut answers, &mut writer, &mut client).await;
    let stored = commit(platform, &turn, &outcome).await;
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
}
