//! What is stored counts against the isolate's memory before it is read.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use std::rc::Rc;

use clawless_api::responses::{ItemKind, item_id};
use clawless_core::Scope;
use clawless_core::ledger::EndpointClass;
use clawless_core::limits::Override;
use clawless_core::tenant::TenantSettings;
use clawless_core::time::Clock;
use clawless_edge::http::{Load, Params, Permit, REQUEST_LEASE, RequestHead};
use clawless_gateway::http::responses;
use clawless_gateway::http::service::Access;
use serde_json::{Value, json};
use support::{Customer, Deployment, Response, completion_reply};

/// The most bytes that an isolate holds, and the length of a long answer.
const MAX_BYTES: usize = 96_000_000;
const LONG: usize = 1_500_000;

/// Fills the isolate up to this many bytes.
fn fill(deployment: &Deployment, left: usize) -> Vec<Permit> {
    let (load, now) = (Load::of_isolate(), deployment.time.now());
    let mut bytes = MAX_BYTES - left - load.counts().bytes;
    let mut permits = Vec::new();
    while bytes > 0 {
        let part = bytes.min(MAX_BYTES / 2);
        let permit = load.hold("", part, now, REQUEST_LEASE);
        permits.push(permit.expect("room"));
        bytes -= part;
    }
    permits
}

/// A model whose window is unknown.
const PROVIDERS: &str = r#"[{"name": "scripted", "kind": "openai", "base_url": "https://provider.example/v1",
    "models": [{"id": "small"}]}]"#;

/// A deployment, and a tenant without quotas.
fn deployment() -> (Rc<Deployment>, Customer) {
    let deployment = Deployment::with_providers(PROVIDERS);
    let mut settings = TenantSettings::default();
    settings.quotas.tokens_per_month = Override::Unlimited;
    settings.quotas.micro_dollars_per_month = Override::Unlimited;
    let customer = deployment.customer_with(settings, |_| {});
    (deployment, customer)
}

/// A deployment with a stored response of a long answer, its id, and the session that stores it.
fn stored() -> (Rc<Deployment>, Customer, String, String) {
    let (deployment, customer) = deployment();
    deployment.http.next(completion_reply(&"a".repeat(LONG)));
    let body = json!({"model": "small", "input": "Tell me all."});
    let response = deployment.respond(&customer, &body);
    assert_eq!(response.status, 200, "{}", response.body);
    let id = response.json()["id"].as_str().expect("an id").to_owned();
    let session = response.headers["x-session-id"].clone();
    (deployment, customer, id, session)
}

fn get(deployment: &Rc<Deployment>, customer: &Customer, id: &str, items: bool) -> Response {
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str())];
    let head = RequestHead::new("GET", "/v1/responses", headers);
    let params = Params::default().with("id", id);
    let read = Access::Key(Scope::SessionsRead, EndpointClass::Read);
    let wait = Access::Wait(Scope::SessionsRead);
    deployment.run(async {
        let body = Vec::new();
        if items {
            let list = deployment.call(read, head, params, body, async |call| {
                responses::list_input_items(call).await
            });
            list.await
        } else {
            let show = deployment.call(wait, head, params, body, async |call| {
                responses::show(call).await
            });
            show.await
        }
    })
}

/// A request of a customer, by the ids of a response and its session.
type Read = fn(&Rc<Deployment>, &Customer, &str, &str) -> Response;

/// Requests that read the content of the stored response.
const READERS: [(&str, Read); 7] = [
    ("the response", |deployment, customer, id, _| {
        get(deployment, customer, id, false)
    }),
    ("its input", |deployment, customer, id, _| {
        get(deployment, customer, id, true)
    }),
    ("the turn", |deployment, customer, id, session| {
        resume(deployment, customer, "application/json", id, session)
    }),
    ("the turn as events", |deployment, customer, id, session| {
        resume(deployment, customer, "text/event-stream", id, session)
    }),
    ("a continued response", |deployment, customer, id, _| {
        let body = json!({"model": "small", "input": "More.", "previous_response_id": id});
        deployment.respond(customer, &body)
    }),
    ("a reference", |deployment, customer, id, _| {
        let owner = id.trim_start_matches("resp_");
        let item = item_id(ItemKind::Message, owner, 0);
        let items = json!([{"type": "item_reference", "id": item},
                {"role": "user", "content": "More."}]);
        let body = json!({"model": "small", "input": items, "store": false});
        deployment.respond(customer, &body)
    }),
    (
        "the session's history",
        |deployment, customer, _, session| deployment.chat_in_session(customer, session, "More."),
    ),
];

fn resume(
    deployment: &Rc<Deployment>,
    customer: &Customer,
    accept: &str,
    id: &str,
    session: &str,
) -> Response {
    let request = id.replacen("resp_", "req_", 1);
    deployment.run(deployment.resume(customer, accept, session, &request))
}

#[test]
fn attack_63_stored_content_is_read_only_if_there_is_room_for_it() {
    for (name, read) in READERS {
        let (deployment, customer, id, session) = stored();
        let counted = Load::of_isolate().counts().bytes;
        assert_eq!(counted, 0, "{name}");
        let calls = deployment.http.requests().len();
        let filling = fill(&deployment, 2_500_000);
        let response = read(&deployment, &customer, &id, &session);
        assert_eq!(response.status, 503, "{name}: {}", response.body);
        let error = response.json()["error"]["code"].clone();
        assert_eq!(error, Value::from("overloaded"), "{name}");
        assert!(response.headers.contains_key("retry-after"), "{name}");
        assert_eq!(deployment.http.requests().len(), calls, "{name}");
        drop(filling);
        assert_eq!(Load::of_isolate().counts().bytes, 0, "{name}");
        deployment.http.next(completion_reply("ok"));
        let response = read(&deployment, &customer, &id, &session);
        assert_eq!(response.status, 200, "{name}: {}", response.body);
        let counts = Load::of_isolate().counts();
        assert_eq!(counts.bytes, 0, "{name}");
    }
}

/// Requests a long answer with this limit.
fn assert_counted(limit: &Value) {
    let (deployment, customer) = deployment();
    deployment.http.next(completion_reply(&"a".repeat(LONG)));
    let messages = [json!({"role": "user", "content": "Hi"})];
    let body = json!({"model": "small", "messages": messages, "max_tokens": limit});
    let response = deployment.chat(&customer, &body);
    assert_eq!(response.status, 200, "{}", response.body);
    let counts = Load::of_isolate().counts();
    assert!(counts.peak >= 2 * LONG, "{counts:?}");
    assert_eq!(counts.bytes, 0);
}

#[test]
fn a_whole_answer_counts_as_it_arrives() {
    assert_counted(&json!(1_000_000));
}

#[test]
fn a_whole_answer_without_a_limit_counts_as_it_arrives() {
    assert_counted(&Value::Null);
}

#[test]
fn attack_63_a_repeated_answer_is_sent_only_if_there_is_room_for_it() {
    let (deployment, customer) = deployment();
    let bearer = format!("Bearer {}", customer.key);
    let headers = [
        ("authorization", bearer.as_str()),
        ("idempotency-key", "one"),
    ];
    let body = json!({"model": "small", "messages": [{"role": "user", "content": "Hi"}]});
    let ask = || deployment.chat_with(&headers, &body.to_string());
    deployment.http.next(completion_reply(&"a".repeat(200_000)));
    let first = ask();
    assert_eq!(first.status, 200, "{}", first.body);
    let filling = fill(&deployment, 300_000);
    let refused = ask();
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "overloaded")
    );
    drop(filling);
    let second = ask();
    assert_eq!((second.status, &second.body), (200, &first.body));
    assert_eq!(deployment.http.requests().len(), 1);
    assert_eq!(Load::of_isolate().counts().bytes, 0);
}
