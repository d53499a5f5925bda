//! System prompts as templates: what the provider receives, and what is reserved for it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use std::collections::BTreeMap;
use std::rc::Rc;

use clawless_core::Tokens;
use clawless_core::limits::Override;
use clawless_core::session::Change;
use clawless_core::tenant::TenantSettings;
use clawless_core::time::{Millis, Timer};
use serde_json::{Value, json};
use support::{Customer, Deployment, chat_request, completion_reply};

fn settings(prompt: &str) -> TenantSettings {
    TenantSettings {
        system_prompt: Some(prompt.to_owned()),
        ..TenantSettings::default()
    }
}

/// Sends a chat request with these members. Returns the first message that the provider received.
fn first_message(deployment: &Rc<Deployment>, customer: &Customer, members: &Value) -> Value {
    deployment.http.next(completion_reply("ok"));
    let mut body = chat_request("Hi");
    let members = members.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(members);
    let response = deployment.chat(customer, &body);
    assert_eq!(response.status, 200, "{}", response.body);
    let requests = deployment.http.requests();
    let sent: Value = serde_json::from_slice(&requests.last().expect("sent").body).expect("JSON");
    sent["messages"][0].clone()
}

fn system(text: &str) -> Value {
    json!({"role": "system", "content": text})
}

fn advance(deployment: &Deployment, span: Millis) {
    deployment.time.run(deployment.time.sleep(span));
}

#[test]
fn variables_of_tenant_session_and_request_are_inserted_as_text() {
    let deployment = Deployment::new();
    let prompt = "{{tenant.name}} {{date}} {{time_zone}} [{{session.title}}] [{{user}}]";
    let customer = deployment.customer_with(settings(prompt), |_| {});
    let members = json!({"user": "ada {{date}}"});
    assert_eq!(
        first_message(&deployment, &customer, &members),
        system("Customer 2026-01-01 UTC [] [ada {{date}}]")
    );
    let members = json!({"session_id": "s", "safety_identifier": "hash"});
    let text = "Customer 2026-01-01 UTC [] [hash]";
    assert_eq!(
        first_message(&deployment, &customer, &members),
        system(text)
    );
    let change = Change {
        title: Some(Some("{{user}}".to_owned())),
        metadata: Some(BTreeMap::from([(
            "plan".to_owned(),
            "\\{{gold}}".to_owned(),
        )])),
        system_prompt: Some(Some(
            r"Plan: {{session.metadata.plan}}, \{{user}}".to_owned(),
        )),
        time_zone: Some("-05:00".parse().ok()),
        ..Change::default()
    };
    deployment.change_session(&customer, "s", &change);
    let members = json!({"session_id": "s", "user": "ada"});
    let text = "Customer 2025-12-31 UTC-05:00 [{{user}}] [ada]\n\nPlan: \\{{gold}}, {{user}}";
    assert_eq!(
        first_message(&deployment, &customer, &members),
        system(text)
    );
}

#[test]
fn prompt_changes_once_a_day_so_that_providers_can_cache_it() {
    let deployment = Deployment::new();
    let customer = deployment.customer_with(settings("Today is {{date}}."), |_| {});
    let members = json!({"session_id": "s"});
    let first = first_message(&deployment, &customer, &members);
    for _ in 0..3 {
        advance(&deployment, Millis::from_secs(7 * 60 * 60));
        assert_eq!(first_message(&deployment, &customer, &members), first);
    }
    advance(&deployment, Millis::from_secs(3 * 60 * 60));
    assert_eq!(
        first_message(&deployment, &customer, &members),
        system("Today is 2026-01-02.")
    );
}

#[test]
fn unknown_variables_of_older_prompts_stay_literal() {
    let deployment = Deployment::new();
    let prompt = "Fill in {{name}} and {{#if x}} on {{date}}; {{";
    let customer = deployment.customer_with(settings(prompt), |_| {});
    assert_eq!(
        first_message(&deployment, &customer, &json!({})),
        system("Fill in {{name}} and {{#if x}} on 2026-01-01; {{")
    );
}

#[test]
fn values_are_reserved_like_any_text() {
    let deployment = Deployment::new();
    let prompt = "{{user}} ".repeat(20);
    let mut settings = settings(&prompt);
    settings.quotas.tokens_per_month = Override::Set(Tokens::new(1500));
    let customer = deployment.customer_with(settings, |_| {});
    let mut body = chat_request("Hi");
    body["user"] = json!("word ".repeat(100));
    let denied = deployment.chat(&customer, &body);
    assert_eq!(denied.code(), "insufficient_quota", "{}", denied.body);
    assert!(deployment.http.requests().is_empty());
    first_message(&deployment, &customer, &json!({"user": "a"}));
}

#[test]
fn prompt_that_its_values_make_too_long_is_refused_before_the_provider_is_called() {
    let deployment = Deployment::new();
    let prompt = "{{user}}".repeat(2000);
    let customer = deployment.customer_with(settings(&prompt), |_| {});
    let mut body = chat_request("Hi");
    body["user"] = json!("x".repeat(512));
    let refused = deployment.chat(&customer, &body);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (400, "invalid_value")
    );
    assert!(refused.body.contains("262144 bytes"), "{}", refused.body);
    assert_eq!(deployment.ledger_calls(), 0);
    assert!(deployment.http.requests().is_empty());
}
