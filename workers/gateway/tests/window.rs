//! Conversations that exceed the model's context window.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use clawless_core::limits::{LimitOverrides, Override};
use clawless_core::routing::Fallback;
use clawless_core::session::Change;
use clawless_core::tenant::TenantSettings;
use clawless_testkit::provider::Reply;
use serde_json::{Value, json};
use support::{Customer, Deployment, chat_request, completion_reply};

/// The messages of the last request to the provider.
fn provider_messages(deployment: &Deployment) -> Vec<Value> {
    let requests = deployment.http.requests();
    let body = &requests.last().expect("a request").body;
    let body: Value = serde_json::from_slice(body).expect("JSON");
    body["messages"].as_array().expect("messages").clone()
}

fn customer(deployment: &Deployment) -> Customer {
    let settings = TenantSettings {
        system_prompt: Some("Be brief.".to_owned()),
        limits: LimitOverrides {
            burst: Override::Unlimited,
            ..LimitOverrides::default()
        },
        ..TenantSettings::default()
    };
    deployment.customer_with(settings, |_| {})
}

#[test]
fn the_oldest_turns_are_left_out_and_a_header_has_their_number() {
    let deployment = Deployment::new();
    let customer = customer(&deployment);
    // An estimated 750 tokens a turn; the window of `small` is 8192.
    let long = "word ".repeat(400);
    for turn in 0..16 {
        deployment.http.next(completion_reply("Yes."));
        let response = deployment.chat_in_session(&customer, "chat", &format!("{turn} {long}"));
        assert_eq!(response.status, 200, "{}", response.body);
        let messages = provider_messages(&deployment);
        assert_eq!(messages[0]["content"], "Be brief.", "the prompt stays");
        let content = messages[messages.len() - 1]["content"]
            .as_str()
            .expect("text");
        assert!(content.starts_with(&turn.to_string()));
        let dropped = response.headers.get("x-clawless-history-dropped");
        let dropped: usize = dropped.map_or(0, |count| count.parse().expect("a count"));
        assert_eq!(messages.len() + dropped, 2 + 2 * turn, "turn {turn}");
        assert_eq!(dropped > 0, turn > 5, "turn {turn} left out {dropped}");
    }
}

/// A model with a wide window, and one with a narrow one to fall back to.
const WIDE_AND_NARROW: &str = r#"[
    {"name": "one", "kind": "openai", "base_url": "https://one.example/v1",
     "models": [{"id": "small", "context": 32000}]},
    {"name": "two", "kind": "openai", "base_url": "https://two.example/v1",
     "models": [{"id": "narrow", "context": 4000}]}
]"#;

/// The models that were called.
fn called_models(deployment: &Deployment) -> Vec<String> {
    let requests = deployment.http.requests();
    let model = |body: &[u8]| -> String {
        let body: Value = serde_json::from_slice(body).expect("JSON");
        body["model"].as_str().expect("a model").to_owned()
    };
    requests
        .iter()
        .map(|request| model(&request.body))
        .collect()
}

#[test]
fn a_fallback_whose_window_is_too_narrow_is_not_called() {
    // About 6 and 3000 tokens of history.
    for (length, is_called) in [(2, true), (2000, false)] {
        let deployment = Deployment::with_providers(WIDE_AND_NARROW);
        let settings = TenantSettings {
            fallback: Fallback::All(vec!["narrow".to_owned()]),
            ..TenantSettings::default()
        };
        let customer = deployment.customer_with(settings, |_| {});
        deployment.http.next(completion_reply("Yes."));
        let content = "word ".repeat(length);
        assert_eq!(
            deployment.chat_in_session(&customer, "s", &content).status,
            200
        );
        deployment.http.always(Reply::json(500, "{}"));
        let response = deployment.chat_in_session(&customer, "s", "and now?");
        assert!(response.status >= 500, "{}", response.body);
        let called_models = called_models(&deployment);
        assert_eq!(
            called_models.contains(&"narrow".to_owned()),
            is_called,
            "{called_models:?}"
        );
    }
}

#[test]
fn a_request_that_does_not_fit_without_history_is_refused_before_the_provider_is_called() {
    let long = "word ".repeat(12_000);
    for in_session in [false, true] {
        let deployment = Deployment::with_providers(WIDE_AND_NARROW);
        let settings = TenantSettings {
            system_prompt: (!in_session).then(|| long.clone()),
            ..TenantSettings::default()
        };
        let customer = deployment.customer_with(settings, |_| {});
        let mut body = chat_request("Hi");
        body["session_id"] = json!("s");
        if in_session {
            deployment.http.next(completion_reply("Yes."));
            assert_eq!(deployment.chat(&customer, &body).status, 200);
            let prompt = Change {
                system_prompt: Some(Some(long.clone())),
                ..Change::default()
            };
            deployment.change_session(&customer, "s", &prompt);
        }
        let before = deployment.http.requests().len();
        body["model"] = json!("narrow");
        let refused = deployment.chat(&customer, &body);
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert_eq!(refused.code(), "context_length_exceeded");
        assert_eq!(refused.json()["error"]["param"], "messages");
        assert_eq!(deployment.http.requests().len(), before);
        // The same fits a wider window.
        deployment.http.next(completion_reply("Yes."));
        body["model"] = json!("small");
        assert_eq!(deployment.chat(&customer, &body).status, 200);
    }
}
