//! Clients that disconnect, and clients that resume a turn.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use std::rc::Rc;

use clawless_core::ledger::{EndpointClass, Period};
use clawless_core::time::{Clock, Timer};
use clawless_core::{Millis, Scope};
use clawless_edge::http::{Body, HttpResponse, Params, RequestHead};
use clawless_gateway::chat::client::DEPARTURE_GRACE;
use clawless_gateway::http::service::Access;
use clawless_gateway::http::sessions;
use clawless_testkit::Fault;
use clawless_testkit::provider::{Reply, Step};
use futures_util::StreamExt;
use futures_util::future::{join, join3, pending};
use serde_json::{Value, json};
use support::{
    Customer, Deployment, chat_request, completion_reply, delta, end, read, streamed_chat_request,
};

/// Completes when the client disconnects.
fn disconnect_after(deployment: &Deployment, seconds: u64) -> impl Future<Output = ()> + 'static {
    let time = deployment.time.clone();
    async move { time.sleep(Millis::from_secs(seconds)).await }
}

/// The booked messages and tokens. Asserts that nothing is reserved.
fn booked(deployment: &Deployment, customer: &Customer) -> (u64, u64) {
    let runtime = deployment.runtime(&customer.tenant);
    let statement = runtime.read(|machine| machine.statement(Period::of(deployment.time.now())));
    assert_eq!(statement.open.messages, 0, "nothing is open");
    let used = statement.closed.used();
    (used.messages, used.tokens.get())
}

fn slow_stream() -> Reply {
    Reply::steps(vec![
        Step::Bytes(delta("Some words, ").into_bytes()),
        Step::Wait(Millis::from_secs(5)),
        Step::Bytes(delta("and some more.").into_bytes()),
        Step::Bytes(end().into_bytes()),
    ])
}

/// Sends a streamed request and reads its response until the client disconnects.
fn stream_until_disconnect(
    deployment: &Rc<Deployment>,
    customer: &Customer,
    session: Option<&str>,
    seconds: u64,
) {
    let bearer = format!("Bearer {}", customer.key);
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(session.map(|session| ("x-session-id", session)));
    let request = deployment.new_request();
    deployment.run(async {
        let body = streamed_chat_request("Hi").to_string();
        let departure = disconnect_after(deployment, seconds);
        let started = deployment.begin(&request, &headers, body, departure);
        let Ok(HttpResponse {
            body: Body::Events(mut events),
            ..
        }) = started.await
        else {
            return;
        };
        let left = std::pin::pin!(disconnect_after(deployment, seconds));
        let mut events = events.by_ref().take_until(left);
        while events.next().await.is_some() {}
    });
}

#[test]
fn a_disconnect_aborts_a_stateless_stream_and_charges_the_received_tokens() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(slow_stream());
    let began = deployment.time.now();
    stream_until_disconnect(&deployment, &customer, None, 2);
    assert_eq!(deployment.http.aborted(), 1);
    let took = deployment.time.now().since(began);
    let most = Millis::from_secs(2).plus(DEPARTURE_GRACE);
    assert!(took >= Millis::from_secs(2) && took <= most, "{took:?}");
    let (messages, tokens) = booked(&deployment, &customer);
    assert!(messages == 1 && tokens >= 3, "{tokens}");
    deployment.run_alarm(&customer.tenant);
    let receipts = deployment
        .sql
        .rows("SELECT provenance, tokens_out FROM receipts");
    assert_eq!(receipts[0]["provenance"], "estimated");
    assert!(
        receipts[0]["tokens_out"].as_u64() >= Some(2),
        "{receipts:?}"
    );
}

#[test]
fn a_session_turn_continues_after_a_disconnect_and_is_stored_whole() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(slow_stream());
    stream_until_disconnect(&deployment, &customer, Some("s"), 2);
    assert_eq!(booked(&deployment, &customer), (1, 9));
    let stored = deployment
        .sql
        .rows("SELECT content FROM messages WHERE role = 'assistant'");
    assert!(stored[0]["content"].to_string().contains("and some more."));
}

#[test]
fn a_disconnect_before_the_first_byte_aborts_the_call_and_charges_the_prompt() {
    for body in [
        chat_request("How are you?"),
        streamed_chat_request("How are you?"),
    ] {
        let deployment = Deployment::new();
        let customer = deployment.customer();
        let silent = Reply::steps(Vec::new()).after(Step::Hang);
        deployment.http.next(silent);
        let bearer = format!("Bearer {}", customer.key);
        let headers = [("authorization", bearer.as_str())];
        let request = deployment.new_request();
        let departure = disconnect_after(&deployment, 2);
        deployment.run(async {
            let started = deployment.begin(&request, &headers, body.to_string(), departure);
            drop(read(started.await).await);
        });
        assert_eq!(deployment.http.aborted(), 1);
        let (messages, tokens) = booked(&deployment, &customer);
        assert!(messages == 1 && tokens > 0);
    }
}

#[test]
fn a_disconnect_between_two_tries_costs_nothing() {
    for body in [
        chat_request("How are you?"),
        streamed_chat_request("How are you?"),
    ] {
        let deployment = Deployment::new();
        let customer = deployment.customer();
        let busy = Reply::json(429, "{}").header("retry-after", "5");
        deployment.http.always(busy);
        let bearer = format!("Bearer {}", customer.key);
        let headers = [("authorization", bearer.as_str())];
        let request = deployment.new_request();
        let departure = disconnect_after(&deployment, 2);
        deployment.run(async {
            let started = deployment.begin(&request, &headers, body.to_string(), departure);
            drop(read(started.await).await);
        });
        assert_eq!(deployment.http.requests().len(), 1);
        assert_eq!(booked(&deployment, &customer), (0, 0));
        deployment.run_alarm(&customer.tenant);
        let receipts = deployment.sql.rows("SELECT provenance FROM receipts");
        assert_eq!(receipts[0]["provenance"], "released");
    }
}

#[test]
fn bytes_after_the_end_of_the_stream_do_not_abort_the_connection() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(Reply::steps(vec![
        Step::Bytes((delta("Hello.") + &end()).into_bytes()),
        Step::Wait(Millis::new(100)),
    ]));
    let answer = deployment.chat(&customer, &streamed_chat_request("Hi"));
    assert!(answer.is_done());
    assert_eq!(deployment.http.aborted(), 0);
}

#[test]
fn a_timeout_aborts_the_provider_request() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let silent = || Reply::steps(Vec::new()).after(Step::Hang);
    deployment.http.always(silent());
    let response = deployment.chat(&customer, &streamed_chat_request("Hi"));
    assert_eq!(response.events()[0]["error"]["code"], "upstream_timeout");
    let request_count = deployment.http.requests().len();
    assert_eq!(
        deployment.http.aborted(),
        request_count,
        "each try was aborted"
    );
    deployment.http.always(Reply::steps(vec![
        Step::Bytes(delta("Hi").into_bytes()),
        Step::Hang,
    ]));
    let response = deployment.chat(&customer, &streamed_chat_request("Hi"));
    assert!(!response.is_done());
    assert_eq!(deployment.http.aborted(), request_count + 1);
}

/// The request id in a completion's id.
fn request_of(completion: &Value) -> String {
    let id = completion["id"].as_str().expect("an id");
    id.replace("chatcmpl-", "req_")
}

#[test]
fn a_finished_turn_is_replayed_as_json_and_as_events() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(completion_reply("Hello."));
    let first = deployment.chat_in_session(&customer, "s", "Hi").json();
    let request = request_of(&first);
    let resume = |accept| deployment.run(deployment.resume(&customer, accept, "s", &request));
    let whole = resume("application/json");
    let mut expected = first.clone();
    expected["status"] = json!("complete");
    expected["incomplete_reason"] = json!(null);
    assert_eq!((whole.status, whole.json()), (200, expected));
    let events = resume("text/event-stream");
    assert!(events.is_done());
    assert_eq!(events.text(), "Hello.");
    assert_eq!(events.events()[0]["id"], first["id"]);
    assert_eq!(
        events.events().last().expect("one")["usage"],
        first["usage"]
    );
}

/// A stream of 50 seconds with a word at its start and in its middle.
fn long_answer() -> Reply {
    Reply::steps(vec![
        Step::Bytes(delta("Half ").into_bytes()),
        Step::Wait(Millis::from_secs(25)),
        Step::Bytes(delta("and half.").into_bytes()),
        Step::Wait(Millis::from_secs(25)),
        Step::Bytes(end().into_bytes()),
    ])
}

#[test]
fn a_resume_waits_for_a_running_turn_and_returns_all_of_it() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(long_answer());
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str()), ("x-session-id", "s")];
    let request = deployment.new_request();
    let started = deployment.time.now();
    let ((), (resumed, waited)) = deployment.run(join(
        async {
            let body = streamed_chat_request("Hi").to_string();
            let started = deployment.begin(&request, &headers, body, pending());
            drop(started.await);
        },
        async {
            deployment.time.sleep(Millis::from_secs(1)).await;
            let accept = "text/event-stream";
            let resumed = deployment.resume(&customer, accept, "s", request.as_str());
            (resumed.await, deployment.time.now().since(started))
        },
    ));
    assert!(resumed.is_done(), "{}", resumed.body);
    assert_eq!(resumed.text(), "Half and half.");
    assert_eq!(
        waited,
        Millis::from_secs(50),
        "sent as soon as it is stored"
    );
    assert_eq!(resumed.headers["x-session-id"], "s");
    let signs = ": keep-alive\n\n".repeat(19);
    assert!(
        resumed.body.starts_with(&format!("{signs}data: ")),
        "a sign of life every 2.5 seconds: {}",
        resumed.body
    );
}

#[test]
fn a_resume_of_a_turn_that_is_lost_ends_its_events_with_an_error() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(completion_reply("Hello."));
    deployment.chat_in_session(&customer, "s", "Hi");
    deployment.http.next(long_answer());
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str()), ("x-session-id", "s")];
    let request = deployment.new_request();
    let ((), resumed, ()) = deployment.run(join3(
        async {
            let body = streamed_chat_request("Hi").to_string();
            let started = deployment.begin(&request, &headers, body, pending());
            drop(started.await);
        },
        async {
            deployment.time.sleep(Millis::from_secs(1)).await;
            let accept = "text/event-stream";
            let resumed = deployment.resume(&customer, accept, "s", request.as_str());
            resumed.await
        },
        async {
            deployment.time.sleep(Millis::from_secs(15)).await;
            let head = RequestHead::new("DELETE", "/v1/sessions/s", headers);
            let params = Params::default().with("id", "s");
            let access = Access::Key(Scope::SessionsWrite, EndpointClass::Write);
            let delete = deployment.call(access, head, params, Vec::new(), async |call| {
                sessions::delete(call).await
            });
            assert_eq!(delete.await.status, 200);
        },
    ));
    assert_eq!(resumed.status, 200, "the first keep-alive event was sent");
    assert!(!resumed.is_done(), "{}", resumed.body);
    assert_eq!(
        resumed.events()[0]["error"]["code"],
        "resource_not_found",
        "{}",
        resumed.body
    );
}

#[test]
fn a_resumed_complete_turn_has_a_status_the_model_and_no_reason() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment
        .http
        .next(Reply::reads(&[&delta("Hello."), &end()]));
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str()), ("x-session-id", "s")];
    let first = deployment.chat_with(&headers, &streamed_chat_request("Hi").to_string());
    let request = request_of(&first.events()[0]);
    let whole = deployment.run(deployment.resume(&customer, "*/*", "s", &request));
    let body = whole.json();
    let members = body.as_object().expect("an object");
    assert_eq!(members.get("status"), Some(&json!("complete")));
    assert_eq!(members.get("incomplete_reason"), Some(&json!(null)));
    let [answered, resumed] = [&first, &whole].map(|it| it.headers.get("x-clawless-model"));
    assert!(answered.is_some() && answered == resumed);
}

#[test]
fn a_resumed_broken_turn_has_its_error_in_both_formats() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(Reply::steps(vec![
        Step::Bytes(delta("Some words").into_bytes()),
        Step::Break,
    ]));
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str()), ("x-session-id", "s")];
    let first = deployment.chat_with(&headers, &streamed_chat_request("Hi").to_string());
    let request = request_of(&first.events()[0]);
    let resume = |accept| deployment.run(deployment.resume(&customer, accept, "s", &request));
    let whole = resume("*/*").json();
    assert_eq!(
        (&whole["status"], &whole["incomplete_reason"]),
        (&json!("incomplete"), &json!("upstream_error"))
    );
    assert_eq!(whole["choices"][0]["message"]["content"], "Some words");
    let events = resume("text/event-stream");
    assert!(!events.is_done());
    assert_eq!(events.text(), "Some words");
    assert_eq!(
        events.events().last().expect("one")["error"]["code"],
        "upstream_error"
    );
}

#[test]
fn unknown_and_foreign_turns_are_the_same_404() {
    let deployment = Deployment::new();
    let (ours, theirs) = (deployment.customer(), deployment.customer());
    deployment.http.always(completion_reply("Hello."));
    let request = request_of(&deployment.chat_in_session(&ours, "s", "Hi").json());
    deployment.chat_in_session(&theirs, "s", "Hi");
    let resume = |customer: &Customer, session: &str, request: &str| {
        let response = deployment.run(deployment.resume(customer, "*/*", session, request));
        (response.status, response.body)
    };
    let unknown = resume(&ours, "s", deployment.new_request().as_str());
    assert_eq!(unknown.0, 404);
    assert_eq!(resume(&theirs, "s", &request), unknown);
    assert_eq!(resume(&ours, "other", &request), unknown);
    assert_eq!(resume(&ours, "s", "nonsense"), unknown);
    assert_eq!(resume(&ours, "s", &request).0, 200);
}

#[test]
fn a_parked_turn_can_be_resumed_once_the_database_has_it() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.always(completion_reply("Hello."));
    deployment.chat_in_session(&customer, "s", "first");
    deployment
        .sql
        .inject([Some(Fault::Before(Fault::CONNECTION_LOST)); 5]);
    let request = request_of(&deployment.chat_in_session(&customer, "s", "second").json());
    let (resumed, ()) = deployment.run(join(
        deployment.resume(&customer, "*/*", "s", &request),
        async {
            deployment.time.sleep(Millis::from_secs(3)).await;
            deployment.alarm(&customer.tenant).await;
        },
    ));
    assert_eq!(
        (resumed.status, &resumed.json()["status"]),
        (200, &json!("complete"))
    );
}
