//! Answers without a limit under a quota: the reservation grows while they run, streamed or not, and
//! they end where the quota does.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use std::rc::Rc;

use clawless_core::chat::ChatOptions;
use clawless_core::ledger::Period;
use clawless_core::limits::Override;
use clawless_core::tenant::TenantSettings;
use clawless_core::time::{Clock, Timer};
use clawless_core::{Message, Millis, Role, Tokens};
use clawless_llm::tokens;
use clawless_testkit::provider::{Reply, Step};
use serde_json::{Value, json};
use support::{Customer, Deployment, Response, completion_reply, delta, end, read};

/// A model whose longest answer is unknown, and one whose longest answer is known.
const PROVIDERS: &str = r#"[{"name": "scripted", "kind": "openai", "base_url": "https://provider.example/v1",
    "models": [{"id": "unknown"}, {"id": "known", "max_output": 32000}]}]"#;

/// A tenant that may use this many tokens a month.
fn tenant(tokens: Override<Tokens>) -> (Rc<Deployment>, Customer) {
    let deployment = Deployment::with_providers(PROVIDERS);
    let mut settings = TenantSettings::default();
    settings.quotas.tokens_per_month = tokens;
    settings.quotas.micro_dollars_per_month = Override::Unlimited;
    let customer = deployment.customer_with(settings, |_| {});
    (deployment, customer)
}

fn with_tokens(tokens: u64) -> (Rc<Deployment>, Customer) {
    tenant(Override::Set(Tokens::new(tokens)))
}

/// An answer of this many tokens, in reads of a hundred.
fn long_stream(tokens: usize) -> Reply {
    let reads = (0..tokens / 100).map(|_| Step::Bytes(delta(&"word".repeat(100)).into_bytes()));
    let last = Step::Bytes(end().into_bytes());
    Reply::steps(reads.chain([last]).collect())
}

fn ask(deployment: &Rc<Deployment>, customer: &Customer, model: &str, stream: bool) -> Response {
    let messages = [json!({"role": "user", "content": "Tell me all."})];
    let body = json!({"model": model, "stream": stream, "messages": messages});
    deployment.chat(customer, &body)
}

/// The text and the finish reason of an answer.
fn outcome(response: &Response, stream: bool) -> (String, String) {
    assert_eq!(response.status, 200, "{}", response.body);
    let reason = |choice: &Value| choice["finish_reason"].as_str().map(str::to_owned);
    if stream {
        assert!(response.is_done(), "{}", response.body);
        let events = response.events();
        let reason = events.iter().find_map(|it| reason(&it["choices"][0]));
        return (response.text(), reason.expect("a reason"));
    }
    let choice = response.json()["choices"][0].clone();
    let text = choice["message"]["content"].as_str().expect("text");
    (text.to_owned(), reason(&choice).expect("a reason"))
}

fn last_provider_request(deployment: &Deployment) -> Value {
    let requests = deployment.http.requests();
    serde_json::from_slice(&requests.last().expect("a request").body).expect("JSON")
}

/// The month's used tokens. Asserts that nothing is reserved.
fn used(deployment: &Deployment, customer: &Customer) -> u64 {
    let runtime = deployment.runtime(&customer.tenant);
    let statement = runtime.read(|m| m.statement(Period::of(deployment.time.now())));
    assert_eq!(statement.open.tokens.get(), 0);
    statement.closed.used().tokens.get()
}

#[test]
fn a_reservation_starts_at_4096_tokens_and_no_limit_is_sent() {
    for (model, stream) in [
        ("known", false),
        ("known", true),
        ("unknown", false),
        ("unknown", true),
    ] {
        let (deployment, customer) = with_tokens(1_000_000);
        deployment.http.next(long_stream(100));
        let response = ask(&deployment, &customer, model, stream);
        assert_eq!(outcome(&response, stream).1, "stop");
        let remaining = &response.headers["x-ratelimit-remaining-tokens"];
        let remaining: u64 = remaining.parse().expect("a number");
        let reserved = 1_000_000 - remaining;
        assert!((4096..4200).contains(&reserved), "{model}: {reserved}");
        let sent = last_provider_request(&deployment);
        for limit in ["max_tokens", "max_completion_tokens"] {
            assert_eq!(sent[limit], Value::Null, "{model}");
        }
    }
}

#[test]
fn a_long_answer_is_complete_as_long_as_the_quota_covers_it() {
    for (model, stream) in [("known", false), ("known", true), ("unknown", false)] {
        let (deployment, customer) = with_tokens(100_000);
        deployment.http.next(long_stream(30_000));
        let (text, reason) = outcome(&ask(&deployment, &customer, model, stream), stream);
        assert_eq!((text.len(), reason.as_str()), (120_000, "stop"), "{model}");
        assert!(used(&deployment, &customer) > 0);
    }
}

#[test]
fn an_answer_ends_where_the_quota_does() {
    for stream in [false, true] {
        let (deployment, customer) = with_tokens(10_000);
        deployment.http.next(long_stream(30_000));
        let response = ask(&deployment, &customer, "unknown", stream);
        let (text, reason) = outcome(&response, stream);
        assert_eq!(reason, "length");
        assert!((36_000..=40_000).contains(&text.len()), "{}", text.len());
        let used = used(&deployment, &customer);
        assert!((9_000..=10_000).contains(&used), "{used}");
    }
}

#[test]
fn a_whole_body_in_place_of_the_stream_ends_there_too() {
    let (deployment, customer) = with_tokens(10_000);
    deployment
        .http
        .next(completion_reply(&"word".repeat(30_000)));
    let response = ask(&deployment, &customer, "unknown", false);
    let (text, reason) = outcome(&response, false);
    assert_eq!(reason, "length");
    assert!((39_000..=40_000).contains(&text.len()), "{}", text.len());
    assert!(used(&deployment, &customer) <= 10_000);
}

#[test]
fn the_limit_is_sent_if_the_quota_covers_less_than_the_longest_answer() {
    let (deployment, customer) = with_tokens(20_000);
    deployment.http.next(long_stream(100));
    ask(&deployment, &customer, "known", false);
    let sent = last_provider_request(&deployment);
    let limit = sent["max_tokens"]
        .as_u64()
        .or(sent["max_completion_tokens"].as_u64());
    let limit = limit.expect("a limit");
    assert!((19_900..20_000).contains(&limit), "{limit}");
}

#[test]
fn a_whole_answer_that_breaks_off_in_its_stream_is_tried_again() {
    let (deployment, customer) = with_tokens(100_000);
    deployment.http.next(half());
    deployment.http.next(long_stream(100));
    let response = ask(&deployment, &customer, "known", false);
    assert_eq!(
        outcome(&response, false),
        ("word".repeat(100), "stop".to_owned())
    );
    assert_eq!(response.headers["x-clawless-tries"], "2");
    // The answer is 9 tokens, as the provider reports; the first try had input and output too.
    assert_eq!(used(&deployment, &customer), 9 + first_try());
    assert_eq!(provenance(&deployment, &customer), "estimated");
}

#[test]
fn what_has_arrived_of_a_whole_answer_is_charged_if_all_tries_break_off() {
    let (deployment, customer) = with_tokens(100_000);
    deployment.http.always(half());
    let response = ask(&deployment, &customer, "known", false);
    assert_eq!(response.status, 502, "{}", response.body);
    let tries = deployment.http.requests().len() as u64;
    assert!(tries > 1);
    assert_eq!(used(&deployment, &customer), tries * first_try());
    assert_eq!(provenance(&deployment, &customer), "estimated");
}

#[test]
fn what_has_arrived_of_a_whole_answer_is_charged_if_the_client_leaves() {
    for (tries, first) in [(1, None), (2, Some(half()))] {
        let (deployment, customer) = with_tokens(100_000);
        let some = Step::Bytes(delta("Half").into_bytes());
        let slow = Reply::steps(vec![some, Step::Wait(Millis::from_secs(60))]);
        for reply in first.into_iter().chain([slow]) {
            deployment.http.next(reply);
        }
        let bearer = format!("Bearer {}", customer.key);
        let headers = [("authorization", bearer.as_str())];
        let (request, time) = (deployment.new_request(), deployment.time.clone());
        let messages = [json!({"role": "user", "content": "Tell me all."})];
        let body = json!({"model": "known", "messages": messages}).to_string();
        let departure = async move { time.sleep(Millis::from_secs(30)).await };
        deployment.run(async {
            let started = deployment.begin(&request, &headers, body, departure);
            drop(read(started.await).await);
        });
        assert_eq!(deployment.http.requests().len(), tries);
        assert_eq!(used(&deployment, &customer), tries as u64 * first_try());
        assert_eq!(provenance(&deployment, &customer), "estimated");
    }
}

/// An answer that breaks off.
fn half() -> Reply {
    let some = Step::Bytes(delta("Half").into_bytes());
    Reply::steps(vec![some, Step::Break])
}

/// The estimated tokens of a try that breaks off after one token.
fn first_try() -> u64 {
    let message = Message::text(Role::User, "Tell me all.").expect("a message");
    tokens::of_messages(&[message], &ChatOptions::default()).get() + 1
}

/// The provenance of the only receipt.
fn provenance(deployment: &Deployment, customer: &Customer) -> String {
    deployment.run_alarm(&customer.tenant);
    let receipts = deployment.sql.rows("SELECT provenance FROM receipts");
    assert_eq!(receipts.len(), 1);
    receipts[0]["provenance"]
        .as_str()
        .expect("a text")
        .to_owned()
}

/// The other wires, with models whose longest answer is unknown.
const OTHER_WIRES: &str = r#"[
    {"name": "a", "kind": "anthropic", "base_url": "https://a.example/v1", "models": [{"id": "opus"}]},
    {"name": "w", "kind": "workers_ai", "models": [{"id": "@cf/unknown"}]}]"#;

#[test]
fn a_whole_answer_grows_over_every_wire() {
    let event =
        |name: &str, data: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\",{data}}}\n\n");
    let text = "word".repeat(3000);
    let delta = format!(r#""index":0,"delta":{{"type":"text_delta","text":"{text}"}}"#);
    let anthropic = [
        event(
            "message_start",
            r#""message":{"usage":{"input_tokens":9,"output_tokens":1}}"#,
        ),
        event(
            "content_block_start",
            r#""index":0,"content_block":{"type":"text","text":""}"#,
        ),
        event("content_block_delta", &delta),
        event("content_block_delta", &delta),
        event("content_block_stop", r#""index":0"#),
        event(
            "message_delta",
            r#""delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":6000}"#,
        ),
        event("message_stop", r#""x":1"#),
    ];
    let piece = format!("data: {{\"response\":\"{text}\"}}\n\n");
    let usage = r#"{"response":"","usage":{"prompt_tokens":9,"completion_tokens":1500,"total_tokens":1509}}"#;
    let native = [
        piece.clone(),
        piece,
        format!("data: {usage}\n\ndata: [DONE]\n\n"),
    ];
    for (model, events) in [("opus", &anthropic[..]), ("@cf/unknown", &native[..])] {
        let deployment = Deployment::with_providers(OTHER_WIRES);
        let mut settings = TenantSettings::default();
        settings.quotas.tokens_per_month = Override::Set(Tokens::new(100_000));
        let customer = deployment.customer_with(settings, |_| {});
        let reads: Vec<&str> = events.iter().map(String::as_str).collect();
        deployment.http.next(Reply::reads(&reads));
        let response = ask(&deployment, &customer, model, false);
        assert_eq!(
            outcome(&response, false),
            (text.repeat(2), "stop".to_owned())
        );
        assert_eq!(
            last_provider_request(&deployment)["stream"],
            true,
            "{model}"
        );
    }
}

#[test]
fn workers_ai_answers_a_response_format_whole() {
    let deployment = Deployment::with_providers(OTHER_WIRES);
    let customer = deployment.customer();
    deployment
        .http
        .next(Reply::json(200, r#"{"response":{"a":1},"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}}"#));
    let messages = [json!({"role": "user", "content": "Hi"})];
    let body = json!({"model": "@cf/unknown", "messages": messages,
        "response_format": {"type": "json_object"}});
    let response = deployment.chat(&customer, &body);
    assert_eq!(response.status, 200, "{}", response.body);
    assert_ne!(last_provider_request(&deployment)["stream"], true);
}

#[test]
fn a_whole_answer_is_requested_whole_without_a_quota_or_with_a_limit() {
    let (deployment, customer) = tenant(Override::Unlimited);
    deployment.http.next(completion_reply("Hello."));
    ask(&deployment, &customer, "known", false);
    assert_ne!(last_provider_request(&deployment)["stream"], true);
    let (deployment, customer) = with_tokens(100_000);
    deployment.http.next(completion_reply("Hello."));
    let messages = [json!({"role": "user", "content": "Hi"})];
    let body = json!({"model": "known", "max_tokens": 9000, "messages": messages});
    assert_eq!(deployment.chat(&customer, &body).status, 200);
    let sent = last_provider_request(&deployment);
    assert_ne!(sent["stream"], true);
}
