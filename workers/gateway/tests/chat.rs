//! Chat requests from the request head to the end of the response.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use clawless_core::limits::{LimitOverrides, Override};
use clawless_core::tenant::TenantSettings;
use clawless_core::{Millis, Scopes};
use clawless_testkit::provider::{Reply, Step};
use serde_json::{Value, json};
use support::{Deployment, chat_request, completion_reply, delta, end, streamed_chat_request};

/// The body of the last request to the provider.
fn last_provider_request(deployment: &Deployment) -> Value {
    let requests = deployment.http.requests();
    serde_json::from_slice(&requests.last().expect("a request").body).expect("JSON")
}

fn bytes(text: &str) -> Step {
    Step::Bytes(text.as_bytes().to_vec())
}

#[test]
fn a_request_returns_a_completion() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(completion_reply("Hello."));
    let response = deployment.chat(&customer, &chat_request("Hi"));
    assert_eq!(response.status, 200);
    let body = response.json();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["message"]["content"], "Hello.");
    assert_eq!(body["choices"][0]["message"]["refusal"], Value::Null);
    assert_eq!(body["usage"]["total_tokens"], 10);
    assert!(body["id"].as_str().expect("an id").starts_with("chatcmpl-"));
    assert_eq!(response.headers["x-clawless-model"], "small");
    let sent = &deployment.http.requests()[0];
    assert_eq!(sent.header("authorization"), Some("Bearer provider-secret"));
}

#[test]
fn stream_events_have_the_documented_order() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment
        .http
        .next(Reply::reads(&[&delta("Hel"), &delta("lo"), &end()]));
    let mut request = streamed_chat_request("Hi");
    request["stream_options"] = json!({"include_usage": true});
    let response = deployment.chat(&customer, &request);
    assert!(response.is_done(), "{}", response.body);
    assert_eq!(response.text(), "Hello");
    let events = response.events();
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    let (last, others) = events.split_last().expect("events");
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["total_tokens"], 9);
    assert!(
        others
            .iter()
            .all(|event| event["usage"].is_null() && event.get("usage").is_some())
    );
    assert!(events.iter().all(|event| event["id"] == events[0]["id"]));
    assert_eq!(
        others.last().expect("one")["choices"][0]["finish_reason"],
        "stop"
    );
    assert!(
        response
            .body
            .lines()
            .all(|line| line.is_empty() || line.starts_with("data: "))
    );
}

#[test]
fn stream_usage_is_sent_only_on_request() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(Reply::reads(&[&delta("Hi"), &end()]));
    let response = deployment.chat(&customer, &streamed_chat_request("Hi"));
    assert!(!response.body.contains("usage"));
    assert_eq!(
        last_provider_request(&deployment)["stream_options"]["include_usage"],
        true
    );
}

#[test]
fn a_session_remembers_and_a_stateless_call_does_not() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(completion_reply("Hello, Ada."));
    let first = deployment.chat_in_session(&customer, "chat-1", "I am Ada.");
    assert_eq!(first.headers["x-session-id"], "chat-1");
    deployment.http.next(completion_reply("Ada."));
    deployment.chat_in_session(&customer, "chat-1", "Who am I?");
    let contents = |last_provider_request: Value| -> Vec<String> {
        let messages = last_provider_request["messages"]
            .as_array()
            .expect("messages")
            .clone();
        messages
            .iter()
            .map(|m| m["content"].as_str().expect("text").to_owned())
            .collect()
    };
    assert_eq!(
        contents(last_provider_request(&deployment)),
        ["I am Ada.", "Hello, Ada.", "Who am I?"]
    );
    deployment.http.next(completion_reply("?"));
    deployment.chat(&customer, &chat_request("Who am I?"));
    assert_eq!(contents(last_provider_request(&deployment)), ["Who am I?"]);
    assert_eq!(deployment.sql.count("SELECT count(*) FROM turns"), 2);
}

#[test]
fn a_session_belongs_to_its_tenant() {
    let deployment = Deployment::new();
    let (mine, other) = (deployment.customer(), deployment.customer());
    deployment.http.always(completion_reply("ok"));
    deployment.chat_in_session(&mine, "shared-name", "my secret");
    deployment.chat_in_session(&other, "shared-name", "what do you know?");
    assert_eq!(
        last_provider_request(&deployment)["messages"]
            .as_array()
            .expect("messages")
            .len(),
        1
    );
    let generated = "ses_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let response = deployment.chat_in_session(&mine, generated, "Hi");
    assert_eq!(
        (response.status, response.code().as_str()),
        (404, "resource_not_found")
    );
}

#[test]
fn messages_reach_the_provider_unchanged() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(completion_reply("ok"));
    let message = r#"{"x_unknown": [1.0], "content":"h\u00e9", "role":"user"}"#;
    let bearer = format!("Bearer {}", customer.key);
    let body = format!(r#"{{"messages":[{message}],"model":"small"}}"#);
    deployment.chat_with(&[("authorization", &bearer)], &body);
    let sent = String::from_utf8(deployment.http.requests()[0].body.clone()).expect("UTF-8");
    assert!(sent.contains(message), "{sent}");
}

#[test]
fn a_broken_stream_ends_with_an_error_and_is_stored_as_broken() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment
        .http
        .next(Reply::steps(vec![bytes(&delta("Half an")), Step::Break]));
    let bearer = format!("Bearer {}", customer.key);
    let response = deployment.chat_with(
        &[("authorization", &bearer), ("x-session-id", "s")],
        &streamed_chat_request("Hi").to_string(),
    );
    assert!(!response.body.contains("[DONE]"));
    assert_eq!(
        response.events().last().expect("one")["error"]["code"],
        "upstream_error"
    );
    let turns = deployment
        .sql
        .rows("SELECT status, incomplete_reason FROM turns");
    assert_eq!(
        turns,
        [json!({"status": "incomplete", "incomplete_reason": "upstream_error"})]
    );
    let stored = deployment
        .sql
        .rows("SELECT content FROM messages WHERE role = 'assistant'");
    assert_eq!(
        stored[0]["content"],
        r#"{"role":"assistant","content":"Half an"}"#
    );
}

#[test]
fn a_failure_before_the_first_byte_is_an_http_error_and_stores_nothing() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let html = Reply::new(200, "text/html", vec![bytes("<html>")]);
    for (reply, status) in [
        (Reply::unreachable(), 502),
        (Reply::json(429, "{}").header("retry-after", "3"), 429),
        (Reply::json(529, "{}"), 503),
        (html, 502),
    ] {
        deployment.http.always(reply);
        let response = deployment.chat_with(
            &[
                ("authorization", &format!("Bearer {}", customer.key)),
                ("x-session-id", "s"),
            ],
            &streamed_chat_request("Hi").to_string(),
        );
        assert_eq!(response.status, status, "{}", response.body);
    }
    assert_eq!(deployment.sql.count("SELECT count(*) FROM turns"), 0);
}

#[test]
fn keep_alive_comments_are_sent_while_the_provider_is_slow() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let pause = Step::Wait(Millis::from_secs(25));
    deployment.http.next(Reply::steps(vec![
        bytes(&delta("a")),
        pause.clone(),
        bytes(&delta("b")),
        pause,
        bytes(&end()),
    ]));
    let response = deployment.chat(&customer, &streamed_chat_request("Hi"));
    assert!(response.is_done());
    assert_eq!(response.text(), "ab");
    assert!(response.body.matches(": keep-alive\n\n").count() >= 2);
}

#[test]
fn all_invalid_keys_get_the_same_response() {
    let deployment = Deployment::new();
    let past = clawless_core::Timestamp::from_millis(1);
    let expired =
        deployment.customer_with(TenantSettings::default(), |key| key.expires_at = Some(past));
    let revoked =
        deployment.customer_with(TenantSettings::default(), |key| key.revoked_at = Some(past));
    let reads = deployment.sql.calls();
    let body = chat_request("Hi").to_string();
    let malformed = deployment.chat_with(&[("authorization", "Bearer cl_sk_' OR 1=1 --")], &body);
    assert_eq!(
        deployment.sql.calls(),
        reads,
        "garbage costs no storage read"
    );
    for customer in [&expired, &revoked] {
        let response = deployment.chat(customer, &chat_request("Hi"));
        assert_eq!((response.status, &response.body), (401, &malformed.body));
    }
    for headers in [&[][..], &[("authorization", "Basic eDp5")]] {
        assert_eq!(deployment.chat_with(headers, &body).status, 401);
    }
    assert!(deployment.http.requests().is_empty());
}

#[test]
fn a_key_without_the_scope_gets_the_name_of_the_missing_scope() {
    let deployment = Deployment::new();
    let reader = deployment.customer_with(TenantSettings::default(), |key| {
        key.scopes = Scopes::default();
    });
    let response = deployment.chat(&reader, &chat_request("Hi"));
    assert_eq!(
        (response.status, response.code().as_str()),
        (403, "permission_denied")
    );
    assert!(response.body.contains("`chat`"));
}

#[test]
fn requests_without_the_scope_count_against_the_rate_limit() {
    let deployment = Deployment::new();
    let limits = LimitOverrides {
        requests_per_minute: Override::Set(60),
        burst: Override::Set(2),
        ..LimitOverrides::default()
    };
    let settings = TenantSettings {
        limits,
        ..TenantSettings::default()
    };
    let reader = deployment.customer_with(settings, |key| key.scopes = Scopes::default());
    let statuses: Vec<u16> = (0..3)
        .map(|_| deployment.chat(&reader, &chat_request("Hi")).status)
        .collect();
    assert_eq!(statuses, [403, 403, 429]);
}

#[test]
fn the_tenants_settings_set_model_and_system_prompt() {
    let deployment = Deployment::new();
    let settings = TenantSettings {
        default_model: Some("large".to_owned()),
        allowed_models: Some(vec!["large".to_owned()]),
        system_prompt: Some("Be brief.".to_owned()),
        ..TenantSettings::default()
    };
    let customer = deployment.customer_with(settings, |_| {});
    deployment.http.always(completion_reply("ok"));
    let mut request = chat_request("Hi");
    assert_eq!(
        deployment.chat(&customer, &request).code(),
        "model_not_found"
    );
    request["model"] = json!("auto");
    assert_eq!(
        deployment.chat(&customer, &request).headers["x-clawless-model"],
        "large"
    );
    assert_eq!(
        last_provider_request(&deployment)["messages"][0],
        json!({"role": "system", "content": "Be brief."})
    );
    assert_eq!(last_provider_request(&deployment)["model"], "large");
}

#[test]
fn concurrent_turns_are_stored_in_the_order_of_their_arrival() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    for (text, secs) in [("A", 3), ("B", 1), ("C", 2)] {
        deployment
            .http
            .next(completion_reply(text).after(Step::Wait(Millis::from_secs(secs))));
    }
    let responses = deployment.chat_concurrently(&customer, "s", &["a", "b", "c"]);
    assert!(responses.iter().all(|response| response.status == 200));
    let stored = deployment
        .sql
        .rows("SELECT seq, content FROM messages ORDER BY seq, position");
    let stored_messages: Vec<_> = stored
        .iter()
        .map(|row| {
            let message = row["content"].as_str().expect("text");
            let message: Value = serde_json::from_str(message).expect("JSON");
            (
                row["seq"].as_u64().expect("a number"),
                message["content"].as_str().expect("text").to_owned(),
            )
        })
        .collect();
    let expected = [(1, "a"), (1, "A"), (2, "b"), (2, "B"), (3, "c"), (3, "C")];
    assert_eq!(
        stored_messages,
        expected.map(|(seq, text)| (seq, text.to_owned()))
    );
}
