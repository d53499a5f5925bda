//! Reservations of running turns: what they cover, how they are renewed, and how they block others.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use std::rc::Rc;

use clawless_core::ledger::{Period, RENEWAL_INTERVAL, RESERVATION_LEASE};
use clawless_core::limits::Override;
use clawless_core::session::Change;
use clawless_core::tenant::TenantSettings;
use clawless_core::time::{Clock, Timer};
use clawless_core::{Millis, Tokens};
use clawless_testkit::provider::{Reply, Step};
use futures_util::future::join;
use serde_json::json;
use support::{
    Customer, Deployment, chat_request, completion_reply, delta, end, streamed_chat_request,
};

fn with_tokens(tokens: u64) -> TenantSettings {
    let mut settings = TenantSettings::default();
    settings.quotas.tokens_per_month = Override::Set(Tokens::new(tokens));
    settings
}

/// The tokens and the number of calls that are reserved now.
fn reserved(deployment: &Deployment, customer: &Customer) -> (u64, usize) {
    let runtime = deployment.runtime(&customer.tenant);
    runtime.read(|machine| {
        let statement = machine.statement(Period::of(deployment.time.now()));
        (statement.open.tokens.get(), machine.running())
    })
}

/// An answer that takes so many times 20 seconds.
fn slow_answer(parts: usize) -> Reply {
    let mut steps = Vec::new();
    for _ in 0..parts {
        steps.push(Step::Bytes(delta("word ").into_bytes()));
        steps.push(Step::Wait(Millis::from_secs(20)));
    }
    steps.push(Step::Bytes(end().into_bytes()));
    Reply::steps(steps)
}

/// Runs the ledger's alarm every five seconds for so many seconds, and returns whether a call was
/// reserved all the time.
async fn alarms(deployment: &Rc<Deployment>, customer: &Customer, seconds: u64) -> bool {
    let mut is_reserved = true;
    for _ in 0..seconds / 5 {
        deployment.time.sleep(Millis::from_secs(5)).await;
        deployment.alarm(&customer.tenant).await;
        is_reserved &= reserved(deployment, customer).1 == 1;
    }
    is_reserved
}

#[test]
fn a_running_turn_renews_its_reservation_until_it_ends() {
    for session in [None, Some("s")] {
        let deployment = Deployment::new();
        let customer = deployment.customer();
        deployment.http.next(slow_answer(15));
        let bearer = format!("Bearer {}", customer.key);
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(session.map(|session| ("x-session-id", session)));
        let body = streamed_chat_request("Hi").to_string();
        let (response, is_reserved) = deployment.run(join(
            deployment.send(&headers, body),
            alarms(&deployment, &customer, 295),
        ));
        assert!(response.is_done(), "{}", response.body);
        assert!(is_reserved, "no sweep ended the running turn");
        assert_eq!(reserved(&deployment, &customer), (0, 0));
        deployment.run_alarm(&customer.tenant);
        let receipts = deployment.sql.rows("SELECT provenance FROM receipts");
        assert_eq!(receipts, [json!({"provenance": "provider"})]);
    }
}

#[test]
fn a_turn_shorter_than_the_interval_makes_no_further_ledger_call() {
    let calls = |wait: Millis| {
        let deployment = Deployment::new();
        let customer = deployment.customer();
        deployment.http.always(completion_reply("Hello."));
        deployment.chat(&customer, &chat_request("Hi"));
        let before = deployment.ledger_calls();
        let slow = completion_reply("Hello.").after(Step::Wait(wait));
        deployment.http.next(slow);
        deployment.chat(&customer, &chat_request("Hi"));
        deployment.ledger_calls() - before
    };
    assert_eq!(calls(Millis::new(RENEWAL_INTERVAL.get() - 1000)), 2);
    assert_eq!(calls(RENEWAL_INTERVAL.plus(Millis::from_secs(1))), 3);
}

#[test]
fn fault_22_a_killed_turn_is_swept_when_its_lease_ends() {
    let deployment = Deployment::new();
    let mut settings = TenantSettings::default();
    settings.limits.concurrent = Override::Set(1);
    let customer = deployment.customer_with(settings, |_| {});
    deployment.http.next(slow_answer(15));
    deployment.abandon(&customer, "s", "Hi");
    deployment.http.always(completion_reply("Hello."));
    let denied = deployment.chat(&customer, &chat_request("Hi"));
    assert_eq!(denied.code(), "rate_limit_exceeded", "{}", denied.body);
    deployment.time.advance(RESERVATION_LEASE);
    deployment.run_alarm(&customer.tenant);
    assert_eq!(deployment.chat(&customer, &chat_request("Hi")).status, 200);
    let in_session = deployment.chat_in_session(&customer, "s", "Hi");
    assert_eq!(in_session.status, 200, "{}", in_session.body);
}

#[test]
fn a_lost_renewal_does_not_end_a_turn() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(slow_answer(6));
    deployment.lost_answers.set(0);
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str())];
    let body = streamed_chat_request("Hi").to_string();
    let (response, ()) = deployment.run(join(deployment.send(&headers, body), async {
        deployment.time.sleep(Millis::from_secs(5)).await;
        // The answers to the next renewals are lost.
        deployment.lost_answers.set(2);
    }));
    assert!(response.is_done(), "{}", response.body);
    assert_eq!(reserved(&deployment, &customer), (0, 0));
}

#[test]
fn reservations_of_running_requests_are_not_reported_as_used_up() {
    let deployment = Deployment::new();
    let customer = deployment.customer_with(with_tokens(1000), |_| {});
    deployment.http.next(slow_answer(1));
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str())];
    let mut body = streamed_chat_request("Hi");
    body["max_tokens"] = json!(5000);
    let (running, other) =
        deployment.run(join(deployment.send(&headers, body.to_string()), async {
            deployment.time.sleep(Millis::from_secs(5)).await;
            deployment
                .send(&headers, chat_request("Hi").to_string())
                .await
        }));
    assert!(running.is_done(), "{}", running.body);
    assert_eq!(
        (other.status, other.code().as_str()),
        (429, "rate_limit_exceeded")
    );
    assert_ne!(
        other.headers.get("x-should-retry").map(String::as_str),
        Some("false")
    );
    assert_eq!(other.headers["retry-after"], "10");
    assert!(
        other.body.contains("0 used and 1000 reserved of 1000"),
        "{}",
        other.body
    );
    // The first request used little, so there is room again.
    deployment.http.next(completion_reply("Hello."));
    assert_eq!(deployment.chat(&customer, &chat_request("Hi")).status, 200);
}

#[test]
fn system_prompts_are_reserved() {
    // About 2500 tokens.
    let long = "word ".repeat(2000);
    let deployment = Deployment::new();
    let settings = TenantSettings {
        system_prompt: Some(long.clone()),
        ..with_tokens(2000)
    };
    let customer = deployment.customer_with(settings, |_| {});
    let denied = deployment.chat(&customer, &chat_request("Hi"));
    assert_eq!(denied.code(), "insufficient_quota", "{}", denied.body);

    let customer = deployment.customer_with(with_tokens(2000), |_| {});
    deployment.http.next(completion_reply("Hello."));
    let first = deployment.chat_in_session(&customer, "s", "Hi");
    assert_eq!(first.status, 200, "{}", first.body);
    let prompt = Change {
        system_prompt: Some(Some(long)),
        ..Change::default()
    };
    deployment.change_session(&customer, "s", &prompt);
    let denied = deployment.chat_in_session(&customer, "s", "Hi");
    assert_eq!(denied.code(), "insufficient_quota", "{}", denied.body);
    assert_eq!(deployment.http.requests().len(), 1);
    assert_eq!(reserved(&deployment, &customer), (0, 0));
}

#[test]
fn attack_45_an_abandoned_stream_is_charged_a_token_for_each_piece() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let mut steps: Vec<Step> = Vec::new();
    for _ in 0..50 {
        steps.push(Step::Bytes(delta("z ").into_bytes()));
        steps.push(Step::Wait(Millis::new(100)));
    }
    steps.push(Step::Hang);
    deployment.http.next(Reply::steps(steps));
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str())];
    let body = streamed_chat_request("Hi").to_string();
    let request = deployment.new_request();
    let time = deployment.time.clone();
    let departure = async move { time.sleep(Millis::from_secs(10)).await };
    deployment.run(async {
        let answer = deployment.begin(&request, &headers, body, departure).await;
        drop(support::read(answer).await);
    });
    deployment.run_alarm(&customer.tenant);
    let receipts = deployment
        .sql
        .rows("SELECT tokens_out, provenance FROM receipts");
    let expected = json!({"tokens_out": 50, "provenance": "estimated"});
    assert_eq!(receipts, [expected]);
}
