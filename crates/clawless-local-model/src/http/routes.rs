//! The routes.

use super::chunks::Head;
use super::fields::Fields;
use super::messages;
use super::reply::{json_response, streamed, whole};
use super::request::ChatRequest;
use crate::chat::{CallReader, ToolChoice, prompt};
use crate::engine::{Engine, Refused};
use crate::error::{ApiError, Failure};
use crate::text::{Piece, Tokenizer};
use crate::work::Work;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The largest body, in bytes: many times the longest prompt that fits.
const MAX_BYTES: usize = 4 << 20;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The state that the handlers share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) engine: Engine,
    pub(crate) tokenizer: Arc<Tokenizer>,
    /// The model's name in the API.
    pub(crate) model: String,
    /// The largest number of tokens of prompt and answer together.
    pub(crate) window: usize,
    /// Whether the model was trained to call tools.
    pub(crate) calls_tools: bool,
    /// When the server started, in Unix seconds.
    pub(crate) started: u64,
}

type Answered = Result<Response, ApiError>;

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/models", get(models))
        .route("/v1/models/{*id}", get(model))
        .route("/health", get(health))
        .route("/tokenize", post(tokenize))
        .fallback(no_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(name_the_request))
        .with_state(app)
}

/// `POST /v1/chat/completions`: 200, 400, 404 (model), 413, 429, 500, 503.
async fn chat(State(app): State<Arc<App>>, body: Body) -> Answered {
    let body = read_json(body).await?;
    let request = ChatRequest::read(&body, app.calls_tools)?;
    if request.model != app.model {
        return Err(ApiError::model_not_found(&request.model));
    }
    let pieces = prompt(&request.messages, &request.tools, &request.tool_choice);
    let prompt = encode(&app, pieces).await?;
    if prompt.len() >= app.window {
        return Err(ApiError::context_length_exceeded(app.window, prompt.len()));
    }
    let offered = !request.tools.is_empty() && request.tool_choice != ToolChoice::None;
    let work = Work {
        prompt,
        max_tokens: request.max_tokens,
        stop: request.stop,
        sampling: request.sampling,
        calls: offered.then(|| CallReader::new(&request.tools, &request.tool_choice)),
    };
    let answer = app.engine.submit(work).map_err(|refused| match refused {
        Refused::Full {
            waiting,
            retry_after,
        } => ApiError::busy(waiting, retry_after),
        Refused::Closed => ApiError::closing(),
    })?;
    let head = Head {
        id: format!("chatcmpl-{}", random_id()),
        created: unix_seconds(),
        model: app.model.clone(),
    };
    if request.stream {
        streamed(answer, head, request.include_usage).await
    } else {
        whole(answer, &head).await
    }
}

/// `GET /v1/models`: 200.
async fn models(State(app): State<Arc<App>>) -> Response {
    json_response(&json!({"object": "list", "data": [describe(&app)]}))
}

/// `GET /v1/models/{id}`: 200, 404. An id may hold slashes.
async fn model(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answered {
    if id == app.model {
        Ok(json_response(&describe(&app)))
    } else {
        Err(ApiError::model_not_found(&id))
    }
}

/// `GET /health`: 200 while the process responds.
async fn health(State(app): State<Arc<App>>) -> Response {
    json_response(&json!({
        "status": "ok",
        "model": app.model,
        "context_window": app.window,
        "busy": app.engine.busy(),
    }))
}

/// `POST /tokenize` with `{"text"}` or `{"messages"}`: `{"count"}` by the model's own tokenizer, for
/// messages with all that the prompt adds. 200, 400, 413.
async fn tokenize(State(app): State<Arc<App>>, body: Body) -> Answered {
    let body = read_json(body).await?;
    let fields = Fields::of(&body, "")?;
    let pieces = if fields.get("messages").is_some() {
        prompt(&messages::read(&fields)?, &[], &ToolChoice::None)
    } else {
        fields.required("text")?;
        let text = fields.text("text")?.unwrap_or_default();
        vec![Piece::Text(text.to_owned())]
    };
    let count = encode(&app, pieces).await?.len();
    Ok(json_response(&json!({"count": count})))
}

async fn no_route(method: Method, uri: Uri) -> ApiError {
    ApiError::no_route(method.as_str(), uri.path())
}

async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    ApiError::wrong_method(method.as_str(), uri.path())
}

/// Every response has a request id: the client's own if it sent one.
async fn name_the_request(request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID).cloned();
    let line = format!("{} {}", request.method(), request.uri().path());
    let mut response = next.run(request).await.into_response();
    let id = given.or_else(|| HeaderValue::try_from(format!("req_{}", random_id())).ok());
    let name = id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or("-");
    eprintln!("{line} {} {name}", response.status().as_u16());
    if let Some(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

async fn read_json(body: Body) -> Result<Value, ApiError> {
    let bytes = axum::body::to_bytes(body, MAX_BYTES)
        .await
        .map_err(|_| ApiError::too_large(MAX_BYTES))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        ApiError::unreadable(format!(
            "We could not parse the JSON body of your request: {error}."
        ))
    })
}

/// Tokenising a long text is slow, so it does not run on the runtime's threads.
async fn encode(app: &Arc<App>, pieces: Vec<Piece>) -> Result<Vec<u32>, ApiError> {
    let tokenizer = Arc::clone(&app.tokenizer);
    let outcome: Result<Result<Vec<u32>, Failure>, _> =
        tokio::task::spawn_blocking(move || tokenizer.encode(&pieces)).await;
    match outcome {
        Ok(Ok(tokens)) => Ok(tokens),
        Ok(Err(error)) => {
            eprintln!("tokenising failed: {error}");
            Err(ApiError::failed("The prompt could not be tokenised."))
        }
        Err(_) => Err(ApiError::failed("The prompt could not be tokenised.")),
    }
}

fn describe(app: &App) -> Value {
    json!({
        "id": app.model,
        "object": "model",
        "created": app.started,
        "owned_by": "clawless-local-model",
    })
}

/// Sixteen hexadecimal digits, different each time. Ids are not secrets.
fn random_id() -> String {
    format!("{:016x}", RandomState::new().hash_one(unix_seconds()))
}

/// Seconds since 1970.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
