//! Prices, quotas, rate limits and crashes, from the request to the ledger's books.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use clawless_core::Millis;
use clawless_core::Tokens;
use clawless_core::ledger::{Input, Period};
use clawless_core::limits::{LimitOverrides, Override};
use clawless_core::tenant::TenantSettings;
use clawless_core::time::Clock;
use clawless_testkit::Fault;
use clawless_testkit::provider::{Reply, Step};
use serde_json::json;
use support::{
    Customer, Deployment, chat_request, completion_reply, delta, end, streamed_chat_request,
};

/// A tenant that may use this many tokens a month.
fn with_tokens(tokens: u64) -> TenantSettings {
    let mut settings = TenantSettings::default();
    settings.quotas.tokens_per_month = Override::Set(Tokens::new(tokens));
    settings
}

/// This month's booked and reserved tokens.
fn books(deployment: &Deployment, customer: &Customer) -> (u64, u64) {
    let runtime = deployment.runtime(&customer.tenant);
    let statement = runtime.read(|m| m.statement(Period::of(deployment.time.now())));
    (
        statement.closed.used().tokens.get(),
        statement.open.tokens.get(),
    )
}

#[test]
fn a_call_is_booked_with_the_providers_usage() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(completion_reply("Hello."));
    let response = deployment.chat(&customer, &chat_request("Hi"));
    assert_eq!(books(&deployment, &customer), (10, 0));
    assert!(
        response
            .headers
            .contains_key("x-ratelimit-remaining-requests")
    );
    deployment.run_alarm(&customer.tenant);
    let receipts = deployment
        .sql
        .rows("SELECT tokens_in, tokens_out, provenance FROM receipts");
    assert_eq!(
        receipts,
        [json!({"tokens_in": 7, "tokens_out": 3, "provenance": "provider"})]
    );
}

#[test]
fn a_call_that_fails_before_its_first_byte_costs_nothing() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.always(Reply::json(500, "{}"));
    assert_eq!(deployment.chat(&customer, &chat_request("Hi")).status, 502);
    assert_eq!(books(&deployment, &customer), (0, 0));
    assert_eq!(
        deployment.http.requests().len(),
        3,
        "the first try and two retries"
    );
}

#[test]
fn a_reservation_whose_admission_response_is_lost_is_released() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.always(completion_reply("Hello."));
    deployment.chat(&customer, &chat_request("Hi"));
    deployment.lost_answers.set(1);
    assert_eq!(deployment.chat(&customer, &chat_request("Hi")).status, 503);
    assert_eq!(deployment.lost_answers.get(), 0);
    assert_eq!(books(&deployment, &customer), (10, 0));
    assert_eq!(deployment.http.requests().len(), 1);
}

#[test]
fn a_broken_stream_is_charged_with_the_produced_tokens() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(Reply::steps(vec![
        Step::Bytes(delta("Some words before the end.").into_bytes()),
        Step::Break,
    ]));
    deployment.chat(&customer, &streamed_chat_request("Hi"));
    let (used, open) = books(&deployment, &customer);
    assert!(used > 0 && open == 0);
    deployment.run_alarm(&customer.tenant);
    let receipts = deployment.sql.rows("SELECT provenance FROM receipts");
    assert_eq!(receipts, [json!({"provenance": "estimated"})]);
}

#[test]
fn an_exhausted_quota_gives_openais_error_without_a_retry() {
    let deployment = Deployment::new();
    let customer = deployment.customer_with(with_tokens(0), |_| {});
    let response = deployment.chat(&customer, &chat_request("Hi"));
    assert_eq!(
        (response.status, response.code().as_str()),
        (429, "insufficient_quota")
    );
    assert_eq!(response.headers["x-should-retry"], "false");
    assert!(
        response.body.contains("0 used and 0 reserved of 0"),
        "{}",
        response.body
    );
    assert!(deployment.http.requests().is_empty());
}

#[test]
fn a_request_without_a_limit_is_capped_by_the_remaining_quota() {
    let deployment = Deployment::new();
    let customer = deployment.customer_with(with_tokens(100), |_| {});
    deployment.http.always(completion_reply("Hello."));
    assert_eq!(deployment.chat(&customer, &chat_request("Hi")).status, 200);
    let sent: serde_json::Value =
        serde_json::from_slice(&deployment.http.requests()[0].body).expect("JSON");
    let most = sent["max_completion_tokens"]
        .as_u64()
        .or(sent["max_tokens"].as_u64());
    assert!(most.is_some_and(|most| (1..100).contains(&most)), "{sent}");
}

#[test]
fn a_revoked_key_is_refused_before_the_provider_is_called() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.always(completion_reply("ok"));
    assert_eq!(deployment.chat(&customer, &chat_request("Hi")).status, 200);
    let key_id = deployment.sql.rows("SELECT id FROM api_keys")[0]["id"].clone();
    let key_id = key_id.as_str().expect("text").parse().expect("an id");
    let now = deployment.time.now();
    deployment
        .runtime(&customer.tenant)
        .apply(now, Input::Revoke { key_id })
        .expect("applied");
    let unknown = deployment.chat_with(
        &[("authorization", "Bearer cl_sk_nonsense")],
        &chat_request("Hi").to_string(),
    );
    let refused = deployment.chat(&customer, &chat_request("Hi"));
    assert_eq!((refused.status, &refused.body), (401, &unknown.body));
    assert_eq!(deployment.http.requests().len(), 1);
}

#[test]
fn requests_beyond_the_burst_pass_after_the_retry_after_time() {
    let deployment = Deployment::new();
    let settings = TenantSettings {
        limits: LimitOverrides {
            requests_per_minute: Override::Set(60),
            burst: Override::Set(2),
            ..LimitOverrides::default()
        },
        ..TenantSettings::default()
    };
    let customer = deployment.customer_with(settings, |_| {});
    deployment.http.always(completion_reply("ok"));
    for _ in 0..2 {
        assert_eq!(deployment.chat(&customer, &chat_request("Hi")).status, 200);
    }
    let refused = deployment.chat(&customer, &chat_request("Hi"));
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (429, "rate_limit_exceeded")
    );
    let wait = refused.headers["retry-after-ms"]
        .parse()
        .expect("milliseconds");
    assert!((1..=1000).contains(&wait), "{wait}");
    deployment.time.advance(Millis::new(wait));
    assert_eq!(deployment.chat(&customer, &chat_request("Hi")).status, 200);
}

#[test]
fn a_turn_that_the_database_refuses_is_parked_in_the_ledger_and_stored_later() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(completion_reply("Hello."));
    assert_eq!(
        deployment.chat_in_session(&customer, "s", "first").status,
        200
    );
    deployment.http.next(Reply::reads(&[&delta("Hi"), &end()]));
    // Authentication is cached and the session is hot, so the commit is the first database call.
    let broken = Some(Fault::Before("D1_ERROR: Network connection lost."));
    deployment.sql.inject([broken; 5]);
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str()), ("x-session-id", "s")];
    let response = deployment.chat_with(&headers, &streamed_chat_request("second").to_string());
    assert!(response.is_done(), "{}", response.body);
    assert_eq!(deployment.sql.count("SELECT count(*) FROM turns"), 1);
    deployment.run_alarm(&customer.tenant);
    assert_eq!(deployment.sql.count("SELECT count(*) FROM turns"), 2);
    assert_eq!(deployment.sql.count("SELECT count(*) FROM receipts"), 2);
}

#[test]
fn a_parked_turn_survives_an_overload_while_receipts_are_written() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.always(completion_reply("Hello."));
    assert_eq!(
        deployment.chat_in_session(&customer, "s", "first").status,
        200
    );
    let overloaded = || Some(Fault::Before(Fault::OVERLOADED));
    deployment.sql.inject([overloaded()]);
    assert_eq!(
        deployment.chat_in_session(&customer, "s", "second").status,
        200
    );
    // The next two alarms meet the same overload.
    for _ in 0..2 {
        deployment.sql.inject([overloaded()]);
        deployment
            .try_run_alarm(&customer.tenant)
            .expect_err("waits");
        assert_eq!(deployment.sql.count("SELECT count(*) FROM turns"), 1);
        assert_eq!(deployment.sql.count("SELECT count(*) FROM receipts"), 2);
    }
    deployment.run_alarm(&customer.tenant);
    assert_eq!(deployment.sql.count("SELECT count(*) FROM turns"), 2);
}

#[test]
fn an_address_that_guesses_keys_is_rejected_before_a_storage_read() {
    use clawless_core::keys::KeyText;
    let deployment = Deployment::new();
    let entropy = clawless_testkit::SeededEntropy::default();
    let guess = || {
        let key = KeyText::generate(clawless_core::KeyKind::Secret, &entropy);
        let bearer = format!("Bearer {}", key.reveal());
        let headers = [
            ("authorization", bearer.as_str()),
            ("cf-connecting-ip", "192.0.2.1"),
        ];
        deployment
            .chat_with(&headers, &chat_request("Hi").to_string())
            .status
    };
    let statuses: Vec<u16> = (0..21).map(|_| guess()).collect();
    assert_eq!(statuses[..20], [401; 20]);
    assert_eq!(statuses[20], 429);
    let reads = deployment.sql.calls();
    assert_eq!(guess(), 429);
    assert_eq!(deployment.sql.calls(), reads);
}

#[test]
fn a_call_without_a_settlement_is_settled_by_the_sweep() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(completion_reply("Hello."));
    deployment.chat_in_session(&customer, "s", "Hi");
    // A second turn is admitted, and the Worker is stopped with it.
    deployment.http.next(Reply::steps(vec![Step::Hang]));
    deployment.abandon(&customer, "s", "Are you there?");
    assert!(books(&deployment, &customer).1 > 0);
    deployment.time.advance(Millis::from_secs(661));
    deployment.run_alarm(&customer.tenant);
    assert_eq!(
        books(&deployment, &customer),
        (10, 0),
        "the reservation of a session's turn is released"
    );
}

#[test]
fn a_keys_last_use_is_written_with_the_receipts() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    for text in ["Hi", "Hello"] {
        deployment.http.next(completion_reply("Hello."));
        deployment.chat(&customer, &chat_request(text));
    }
    let noted = || deployment.sql.rows("SELECT last_used_at FROM api_keys");
    assert_eq!(noted(), [json!({"last_used_at": null})]);
    let now = deployment.time.now().as_millis();
    deployment.run_alarm(&customer.tenant);
    assert_eq!(noted(), [json!({"last_used_at": now})]);
    let before = deployment.sql.calls();
    deployment.run_alarm(&customer.tenant);
    assert_eq!(deployment.sql.calls(), before, "nothing is left to write");
}
