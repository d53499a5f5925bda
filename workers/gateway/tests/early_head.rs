//! Slow providers: a stream's client gets the response's head and keep-alive comments before the
//! answer begins, and the model's headers as a comment when it does.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use std::rc::Rc;

use clawless_core::Millis;
use clawless_core::ledger::Period;
use clawless_core::routing::Fallback;
use clawless_core::tenant::TenantSettings;
use clawless_core::time::Clock;
use clawless_testkit::provider::{Reply, Step};
use futures_util::StreamExt;
use futures_util::future::pending;
use support::{
    Customer, Deployment, Response, chat_request, completion_reply, delta, end, read,
    streamed_chat_request,
};

fn wait(seconds: u64) -> Step {
    Step::Wait(Millis::from_secs(seconds))
}

fn answer() -> Reply {
    Reply::reads(&[&delta("Hello."), &end()])
}

/// Sends a streamed request in a session. Returns the response and the seconds until its head.
fn stream(deployment: &Rc<Deployment>, customer: &Customer) -> (u64, Response) {
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str()), ("x-session-id", "s")];
    let request = deployment.new_request();
    let began = deployment.time.now();
    deployment.run(async {
        let body = streamed_chat_request("Hi").to_string();
        let response = deployment.begin(&request, &headers, body, pending()).await;
        let waited = deployment.time.now().since(began);
        (waited.get() / 1000, read(response).await)
    })
}

/// The month's used and reserved tokens.
fn books(deployment: &Deployment, customer: &Customer) -> (u64, u64) {
    let runtime = deployment.runtime(&customer.tenant);
    let statement = runtime.read(|m| m.statement(Period::of(deployment.time.now())));
    let used = statement.closed.used();
    (used.tokens.get(), statement.open.tokens.get())
}

#[test]
fn a_model_that_thinks_for_a_minute_has_an_early_head_and_comments() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(answer().after(wait(65)));
    let (head_after, response) = stream(&deployment, &customer);
    assert_eq!(head_after, 10);
    assert_eq!(response.status, 200);
    assert!(response.is_done(), "{}", response.body);
    assert_eq!(response.text(), "Hello.");
    let comments = ": keep-alive\n\n".repeat(22);
    let notes = ": x-clawless-model: small\n: x-clawless-tries: 1\n\n";
    assert!(
        response
            .body
            .starts_with(&format!("{comments}{notes}data: ")),
        "{}",
        response.body
    );
    assert_eq!(response.headers["x-session-id"], "s");
    assert_eq!(response.headers["x-clawless-route"], "named");
    for unknown in ["x-clawless-model", "x-clawless-tries"] {
        assert!(!response.headers.contains_key(unknown), "{unknown}");
    }
}

#[test]
fn a_failure_after_an_early_head_is_an_error_event_and_costs_nothing() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let failure = Reply::json(400, r#"{"error":{"message":"no"}}"#);
    deployment.http.next(failure.clone().after(wait(12)));
    let (head_after, response) = stream(&deployment, &customer);
    assert_eq!((head_after, response.status), (10, 200));
    assert!(!response.body.contains("[DONE]"), "{}", response.body);
    let events = response.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["error"]["code"], "invalid_value");
    assert_eq!(books(&deployment, &customer), (0, 0));
    assert_eq!(deployment.sql.count("SELECT count(*) FROM turns"), 0);
    // The same failure before the head is a status.
    deployment.http.next(failure.after(wait(8)));
    let (_, response) = stream(&deployment, &customer);
    assert_eq!(response.status, 400, "{}", response.body);
    // The session continues.
    deployment.http.next(answer());
    let (_, response) = stream(&deployment, &customer);
    assert!(response.is_done(), "{}", response.body);
}

#[test]
fn the_fallback_continues_after_an_early_head() {
    let deployment = Deployment::new();
    let settings = TenantSettings {
        fallback: Fallback::All(vec!["large".to_owned()]),
        ..TenantSettings::default()
    };
    let customer = deployment.customer_with(settings, |_| {});
    deployment.http.next(answer().after(Step::Hang));
    deployment.http.next(answer().after(wait(5)));
    let (head_after, response) = stream(&deployment, &customer);
    assert_eq!((head_after, response.status), (10, 200));
    assert!(response.is_done(), "{}", response.body);
    let notes = ": x-clawless-model: large\n: x-clawless-tries: 2\n\n";
    assert!(response.body.contains(notes), "{}", response.body);
    assert_eq!(response.events()[0]["model"], "large");
}

#[test]
fn a_whole_answer_has_no_early_head() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment
        .http
        .next(completion_reply("Hello.").after(wait(200)));
    let response = deployment.chat(&customer, &chat_request("Hi"));
    assert_eq!(
        response.json()["choices"][0]["message"]["content"],
        "Hello."
    );
    assert_eq!(response.headers["x-clawless-model"], "small");
}

#[test]
fn a_client_that_leaves_after_an_early_head_ends_a_stateless_call() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(answer().after(wait(100)));
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str())];
    let request = deployment.new_request();
    deployment.run(async {
        let body = streamed_chat_request("How are you?").to_string();
        let response = deployment.begin(&request, &headers, body, pending()).await;
        let response = response.expect("an early head");
        let clawless_edge::http::Body::Events(mut events) = response.body else {
            panic!("a stream");
        };
        assert_eq!(events.next().await, Some(b": keep-alive\n\n".to_vec()));
    });
    assert_eq!(deployment.http.aborted(), 1);
    let (used, open) = books(&deployment, &customer);
    assert!(used > 0 && open == 0, "{used} {open}");
}
