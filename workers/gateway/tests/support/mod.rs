//! A whole deployment in memory: the gateway's pipeline over the testkit.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

pub mod operation_counts;
mod queue;
mod response;
mod rows;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use clawless_core::keys::KeyText;
use clawless_core::ledger::{Input, Output};
use clawless_core::sending::SendJob;
use clawless_core::session::Change;
use clawless_core::tenant::{Tenant, TenantSettings, TenantStatus, Tier};
use clawless_core::time::{Millis, Timer};
use clawless_core::{
    ApiError, ApiKey, Clock, KeyId, KeyKind, RequestId, Scope, Scopes, SessionId, TenantId,
    Timestamp,
};
use clawless_edge::http::{
    Authorized, Call, HttpResponse, Load, Params, Permit, REQUEST_LEASE, RequestBody, RequestHead,
    Service,
};
use clawless_edge::ledger::{Ledger, LedgerError};
use clawless_gateway::caller::Caller;
use clawless_gateway::chat::parse::{CHAT, MESSAGES, RESPONSES};
use clawless_gateway::chat::pipeline;
use clawless_gateway::http::resume;
use clawless_gateway::http::service::{Access, Gateway, authorize};
use clawless_gateway::ledger::background::{self, WorkError};
use clawless_gateway::ledger::runtime::LedgerRuntime;
use clawless_gateway::platform::config::{Config, Variables};
use clawless_gateway::platform::memory::Memory;
use clawless_gateway::platform::{Platform, RateLimit};
use clawless_store::{api_keys, sessions, tenants};
use clawless_testkit::provider::{Reply, ScriptedHttp, VirtualTime};
use clawless_testkit::{MemoryKv, SeededEntropy, SqliteDatabase};
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join_all, pending, select};
use serde_json::{Value, json};

pub use response::{Response, read};
pub use rows::MapRows;

/// The time at which the tests start: 2026-01-01.
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The provider that every test deployment has.
const PROVIDERS: &str = r#"[{"name":"scripted","kind":"openai","base_url":"https://provider.example/v1",
    "key":"PROVIDER_KEY","models":[{"id":"small","context":8192},{"id":"large","context":32768}]}]"#;

/// The id of requests whose id does not matter.
const REQUEST: &str = "req_01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// Wrong keys that an address may try, as the rate-limit binding is configured.
const MAX_GUESSES: u32 = 20;

/// A deployment.
pub struct Deployment {
    pub sql: SqliteDatabase,
    pub kv: MemoryKv<VirtualTime>,
    pub http: ScriptedHttp,
    pub time: VirtualTime,
    entropy: SeededEntropy,
    config: Rc<Config>,
    memory: Memory,
    ledgers: RefCell<HashMap<TenantId, Rc<LedgerRuntime<MapRows>>>>,
    guesses: Cell<u32>,
    ledger_calls: Cell<u32>,
    /// The number of further calls that the ledgers answer.
    ledger_calls_left: Cell<u32>,
    /// The number of the ledger's next answers that get lost.
    pub lost_answers: Cell<u32>,
    tasks: RefCell<Vec<LocalBoxFuture<'static, ()>>>,
    /// The messages in the queue.
    pub posted: RefCell<Vec<SendJob>>,
    /// Whether the queue rejects every message.
    pub is_queue_down: Cell<bool>,
}

/// A tenant of a deployment, with one key.
pub struct Customer {
    pub tenant: TenantId,
    pub key: String,
}

/// Variables with these providers.
struct TestVariables<'a>(&'a str);

impl Variables for TestVariables<'_> {
    fn get(&self, name: &str) -> Option<String> {
        match name {
            "PROVIDERS" => Some(self.0.to_owned()),
            "PROVIDER_KEY" => Some("provider-secret".to_owned()),
            "SIGNING_KEY" => Some("a secret of the tests, long enough".to_owned()),
            _ => None,
        }
    }
}

impl Deployment {
    pub fn new() -> Rc<Self> {
        Self::seeded(PROVIDERS, 0)
    }

    /// A deployment with these providers, written as the variable `PROVIDERS`.
    pub fn with_providers(providers: &str) -> Rc<Self> {
        Self::seeded(providers, 0)
    }

    /// A deployment whose ids and pauses come from a seed.
    pub fn with_seed(seed: u64) -> Rc<Self> {
        Self::seeded(PROVIDERS, seed)
    }

    fn seeded(providers: &str, seed: u64) -> Rc<Self> {
        let time = VirtualTime::starting_at(NOW);
        Rc::new(Self {
            sql: SqliteDatabase::new(),
            kv: MemoryKv::new(time.clone()),
            http: ScriptedHttp::new(&time),
            entropy: SeededEntropy::new(seed),
            config: Rc::new(Config::read(&TestVariables(providers))),
            memory: Memory::default(),
            ledgers: RefCell::default(),
            guesses: Cell::new(0),
            ledger_calls: Cell::new(0),
            ledger_calls_left: Cell::new(u32::MAX),
            lost_answers: Cell::new(0),
            tasks: RefCell::default(),
            posted: RefCell::default(),
            is_queue_down: Cell::default(),
            time,
        })
    }

    /// A new tenant with a key that has all scopes.
    pub fn customer(&self) -> Customer {
        self.customer_with(TenantSettings::default(), |_| {})
    }

    /// A new tenant with settings of its own, and a key changed by `change`.
    pub fn customer_with(
        &self,
        settings: TenantSettings,
        change: impl FnOnce(&mut ApiKey),
    ) -> Customer {
        let tenant = Tenant {
            id: TenantId::generate(NOW, &self.entropy),
            name: "Customer".to_owned(),
            tier: Tier::Free,
            status: TenantStatus::Active,
            settings,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        };
        let mut key = ApiKey {
            id: KeyId::generate(NOW, &self.entropy),
            tenant_id: tenant.id.clone(),
            kind: KeyKind::Secret,
            name: "key".to_owned(),
            scopes: Scopes::all(),
            limits: clawless_core::limits::KeyLimits::default(),
            allowed_origins: Vec::new(),
            expires_at: None,
            revoked_at: None,
            version: 1,
            created_at: NOW,
        };
        change(&mut key);
        let text = KeyText::generate(key.kind, &self.entropy);
        self.time.run(async {
            tenants::insert(&self.sql, &tenant).await.expect("stored");
            api_keys::insert(&self.sql, &tenant.id, &key, text.digest())
                .await
                .expect("stored");
        });
        Customer {
            tenant: tenant.id,
            key: text.reveal().to_owned(),
        }
    }

    /// Sends a chat request, runs every task to its end, and reads the whole response.
    pub fn chat(self: &Rc<Self>, customer: &Customer, body: &Value) -> Response {
        self.chat_with(
            &[("authorization", &format!("Bearer {}", customer.key))],
            &body.to_string(),
        )
    }

    /// Sends a chat request in a session.
    pub fn chat_in_session(
        self: &Rc<Self>,
        customer: &Customer,
        session: &str,
        text: &str,
    ) -> Response {
        let bearer = format!("Bearer {}", customer.key);
        let body = chat_request(text).to_string();
        self.chat_with(
            &[("authorization", &bearer), ("x-session-id", session)],
            &body,
        )
    }

    /// Sends several chat requests in a session at the same time.
    pub fn chat_concurrently(
        self: &Rc<Self>,
        customer: &Customer,
        session: &str,
        texts: &[&str],
    ) -> Vec<Response> {
        let bearer = format!("Bearer {}", customer.key);
        let headers = [
            ("authorization", bearer.as_str()),
            ("x-session-id", session),
        ];
        self.run(join_all(
            texts
                .iter()
                .map(|text| self.send(&headers, chat_request(text).to_string())),
        ))
    }

    /// Sends a chat request with these headers and this body.
    pub fn chat_with(self: &Rc<Self>, headers: &[(&str, &str)], body: &str) -> Response {
        self.run(self.send(headers, body.to_owned()))
    }

    /// Sends a chat request in a session, and kills the Worker a second later.
    pub fn abandon(self: &Rc<Self>, customer: &Customer, session: &str, text: &str) {
        let bearer = format!("Bearer {}", customer.key);
        let headers = [
            ("authorization", bearer.as_str()),
            ("x-session-id", session),
        ];
        self.abandon_with(&headers, &chat_request(text));
    }

    /// Sends a chat request, and kills the Worker a second later.
    pub fn abandon_with(self: &Rc<Self>, headers: &[(&str, &str)], body: &Value) {
        self.kill_in(1, self.send(headers, body.to_string()));
    }

    /// Runs a future and kills the Worker with all its tasks so many seconds later.
    pub fn kill_in(&self, secs: u64, future: impl Future) {
        let future = pin!(future);
        let death = pin!(self.time.sleep(Millis::from_secs(secs)));
        let mut tasks = Vec::new();
        let mut life = select(future, death);
        self.time.run(poll_fn(|context| {
            let dead = life.poll_unpin(context).is_ready();
            tasks.append(&mut self.tasks.borrow_mut());
            tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
            if dead { Poll::Ready(()) } else { Poll::Pending }
        }));
    }

    /// Sends one chat request and reads its response to the end.
    pub async fn send(self: &Rc<Self>, headers: &[(&str, &str)], body: String) -> Response {
        let request = self.new_request();
        read(self.begin(&request, headers, body, pending()).await).await
    }

    /// A fresh id for a request.
    pub fn new_request(&self) -> RequestId {
        RequestId::generate(self.time.now(), &self.entropy)
    }

    /// A body with the permit to hold it, as the HTTP layer reads it.
    fn counted(&self, tenant: &TenantId, body: Vec<u8>) -> Result<(Vec<u8>, Permit), ApiError> {
        let (load, bytes) = (Load::of_isolate(), 3 * body.len());
        let permit = load.hold(tenant.as_str(), bytes, self.time.now(), REQUEST_LEASE)?;
        Ok((body, permit))
    }

    /// Sends one chat request, up to the start of its response; `departure` ends when the client
    /// disconnects.
    pub async fn begin(
        self: &Rc<Self>,
        request: &RequestId,
        headers: &[(&str, &str)],
        body: String,
        departure: impl Future<Output = ()> + 'static,
    ) -> Result<HttpResponse, ApiError> {
        let json = [("content-type", "application/json")];
        let headers = json.into_iter().chain(headers.iter().copied());
        let head = RequestHead::new("POST", "/v1/chat/completions", headers);
        let body = async |tenant: &TenantId| self.counted(tenant, body.into_bytes());
        pipeline::create(self, request, &head, CHAT, body, departure).await
    }

    /// Sends a request of the Responses surface, and reads the whole response.
    pub fn respond(self: &Rc<Self>, customer: &Customer, body: &Value) -> Response {
        self.respond_with(customer, &[], body)
    }

    /// The same with these headers.
    pub fn respond_with(
        self: &Rc<Self>,
        customer: &Customer,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Response {
        let bearer = format!("Bearer {}", customer.key);
        let own = [
            ("content-type", "application/json"),
            ("authorization", bearer.as_str()),
        ];
        let headers = own.into_iter().chain(headers.iter().copied());
        let head = RequestHead::new("POST", "/v1/responses", headers);
        let (bytes, request) = (body.to_string().into_bytes(), self.new_request());
        self.run(async {
            let body = async |tenant: &TenantId| self.counted(tenant, bytes);
            read(pipeline::create(self, &request, &head, RESPONSES, body, pending()).await).await
        })
    }

    /// Sends a request for a message with these headers, and reads the whole response.
    pub fn message_with(
        self: &Rc<Self>,
        customer: &Customer,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Response {
        let own = [
            ("content-type", "application/json"),
            ("anthropic-version", "2023-06-01"),
            ("x-api-key", customer.key.as_str()),
        ];
        let headers: Vec<_> = own.into_iter().chain(headers.iter().copied()).collect();
        self.message_text(&headers, body.to_string())
    }

    /// Sends a request for a message with these headers only.
    pub fn message_text(self: &Rc<Self>, headers: &[(&str, &str)], body: String) -> Response {
        let head = RequestHead::new("POST", "/v1/messages", headers.iter().copied());
        let bytes = body.into_bytes();
        let request = self.new_request();
        self.run(async {
            let body = async |tenant: &TenantId| self.counted(tenant, bytes);
            let response = pipeline::create(self, &request, &head, MESSAGES, body, pending()).await;
            read(response).await
        })
    }

    /// Sends a request for a message, and reads the whole response.
    pub fn message(self: &Rc<Self>, customer: &Customer, body: &Value) -> Response {
        self.message_with(customer, &[], body)
    }

    /// Requests the answer of an earlier turn of a session.
    pub async fn resume(
        self: &Rc<Self>,
        customer: &Customer,
        accept: &str,
        session: &str,
        request: &str,
    ) -> Response {
        let bearer = format!("Bearer {}", customer.key);
        let headers = [("authorization", bearer.as_str()), ("accept", accept)];
        let head = RequestHead::new("GET", "/v1/sessions", headers);
        let params = Params::default()
            .with("id", session)
            .with("request_id", request);
        let access = Access::SessionWait(Scope::Chat);
        self.call(access, head, params, Vec::new(), async |call| {
            resume::resume(call).await
        })
        .await
    }

    /// Calls a handler as its line of the routes table does.
    pub async fn call(
        self: &Rc<Self>,
        access: Access,
        head: RequestHead,
        params: Params,
        body: Vec<u8>,
        handler: impl AsyncFnOnce(&Call<Self, Caller>) -> Result<HttpResponse, ApiError>,
    ) -> Response {
        let response = async {
            let Authorized { caller, headers } = authorize(&**self, access, &head).await?;
            let reader = Gateway::reader(access, &caller);
            let permit = match &reader {
                Some(reader) if !Gateway::waits(access) => {
                    Load::of_isolate().read(reader, &self.time).await?
                }
                _ => Permit::uncounted(),
            };
            let call = Call {
                platform: self.clone(),
                caller,
                head: Rc::new(head),
                params,
                query: &[],
                body: RequestBody::from_bytes(body),
                request_id: REQUEST.parse().expect("an id"),
                reader,
                permit: Rc::new(permit),
            };
            match handler(&call).await {
                Ok(response) => Ok(response.with_headers(headers)),
                Err(error) => Err(error.headers(headers)),
            }
        };
        read(response.await).await
    }

    /// Changes a session's settings, as its route would.
    pub fn change_session(&self, customer: &Customer, session: &str, change: &Change) {
        let session_id: SessionId = session.parse().expect("a name");
        let (tenant, now) = (&customer.tenant, self.time.now());
        let changed = sessions::update(&self.sql, tenant, &session_id, change, now);
        let changed = self.time.run(changed).expect("the database works");
        changed.expect("there is such a session");
        let forget = Input::ForgetAll {
            session_ids: vec![session_id],
        };
        let forgotten = self.runtime(tenant).apply(now, forget);
        forgotten.expect("the ledger works");
    }

    /// The number of calls of the ledgers.
    pub fn ledger_calls(&self) -> u32 {
        self.ledger_calls.get()
    }

    /// Makes the ledgers answer this many further calls and none after that.
    pub fn silence_ledger_after(&self, calls: u32) {
        self.ledger_calls_left.set(calls);
    }

    /// A tenant's ledger.
    pub fn runtime(&self, tenant: &TenantId) -> Rc<LedgerRuntime<MapRows>> {
        let mut ledgers = self.ledgers.borrow_mut();
        let open = || Rc::new(LedgerRuntime::open(MapRows::default()).expect("empty rows"));
        ledgers.entry(tenant.clone()).or_insert_with(open).clone()
    }

    /// Runs the ledger's alarm.
    pub fn run_alarm(&self, tenant: &TenantId) {
        self.time.run(self.alarm(tenant));
    }

    /// As [`Self::run_alarm`], but returns an error if the work has to wait.
    pub fn try_run_alarm(&self, tenant: &TenantId) -> Result<(), WorkError> {
        let runtime = self.runtime(tenant);
        let work = background::run(&*runtime, &self.time, &self.sql, tenant);
        self.time.run(work)
    }

    /// Runs the ledger's alarm beside other tasks.
    pub async fn alarm(&self, tenant: &TenantId) {
        let runtime = self.runtime(tenant);
        let work = background::run(&*runtime, &self.time, &self.sql, tenant);
        work.await.expect("the work is done");
    }

    /// Runs a future and every task that it spawns to their end.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut tasks: Vec<LocalBoxFuture<'static, ()>> = Vec::new();
        let mut output = None;
        let mut future = pin!(future);
        self.time.run(poll_fn(|context| {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                output = Some(ready);
            }
            tasks.append(&mut self.tasks.borrow_mut());
            tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
            // A task that was just spawned or has ended may have woken the future, and the reverse.
            let quiet = tasks.is_empty() && self.tasks.borrow().is_empty();
            match output.take() {
                Some(ready) if quiet => Poll::Ready(ready),
                unfinished => {
                    output = unfinished;
                    Poll::Pending
                }
            }
        }))
    }
}

impl Platform for Deployment {
    type Sql = SqliteDatabase;
    type Kv = MemoryKv<VirtualTime>;
    type Http = ScriptedHttp;
    type Time = VirtualTime;
    type Entropy = SeededEntropy;
    type Ledger = Self;
    type Queue = Self;

    fn sql(&self) -> &SqliteDatabase {
        &self.sql
    }

    fn kv(&self) -> &MemoryKv<VirtualTime> {
        &self.kv
    }

    fn http(&self) -> &ScriptedHttp {
        &self.http
    }

    fn time(&self) -> &VirtualTime {
        &self.time
    }

    fn entropy(&self) -> &SeededEntropy {
        &self.entropy
    }

    fn ledger(&self) -> &Self {
        self
    }

    fn queue(&self) -> &Self {
        self
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    async fn is_within(&self, _limit: RateLimit, _subject: &str) -> bool {
        self.guesses.set(self.guesses.get() + 1);
        self.guesses.get() <= MAX_GUESSES
    }

    fn config(&self) -> &Rc<Config> {
        &self.config
    }

    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        self.tasks.borrow_mut().push(task);
    }
}

/// The tenants' ledgers, each in memory.
impl Ledger for Deployment {
    async fn call(&self, tenant: &TenantId, input: Input) -> Result<Output, LedgerError> {
        self.ledger_calls.set(self.ledger_calls.get() + 1);
        let Some(left) = self.ledger_calls_left.get().checked_sub(1) else {
            return Err(LedgerError::Silent);
        };
        self.ledger_calls_left.set(left);
        let runtime = self.runtime(tenant);
        let answer = background::answer(&*runtime, &self.time, &self.sql, tenant, input).await;
        if let Some(left) = self.lost_answers.get().checked_sub(1) {
            self.lost_answers.set(left);
            return Err(LedgerError::Silent);
        }
        answer.map_err(|error| LedgerError::Failed(error.to_string()))
    }
}

/// A request with one message.
pub fn chat_request(text: &str) -> Value {
    json!({"model": "small", "messages": [{"role": "user", "content": text}]})
}

/// A streamed request with one message.
pub fn streamed_chat_request(text: &str) -> Value {
    json!({"model": "small", "stream": true, "messages": [{"role": "user", "content": text}]})
}

/// A provider's response that is not streamed.
pub fn completion_reply(text: &str) -> Reply {
    let body = json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": "small",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    });
    Reply::json(200, &body.to_string())
}

/// One event of a provider's stream.
pub fn delta(text: &str) -> String {
    let chunk =
        json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
    format!("data: {chunk}\n\n")
}

/// The end of a provider's successful stream.
pub fn end() -> String {
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
     data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9}}\n\n\
     data: [DONE]\n\n"
        .to_owned()
}
