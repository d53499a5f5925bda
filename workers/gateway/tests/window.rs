//! A conversation that outgrows the model's window.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what is not as expected must stop the test"
)]

mod support;

use clawless_core::limits::{LimitOverrides, Override};
use clawless_core::tenant::TenantSettings;
use serde_json::Value;
use support::{Customer, Deployment, answers};

/// What the provider was shown last.
fn shown(deployment: &Deployment) -> Vec<Value> {
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
fn the_oldest_turns_are_left_out_and_the_answer_says_how_many() {
    let deployment = Deployment::new();
    let customer = customer(&deployment);
    // About 500 tokens a turn; the window of `small` is 8192.
    let long = "word ".repeat(400);
    for turn in 0..16 {
        deployment.http.next(answers("Yes."));
        let response = deployment.say(&customer, "chat", &format!("{turn} {long}"));
        assert_eq!(response.status, 200, "{}", response.body);
        let messages = shown(&deployment);
        assert_eq!(messages[0]["content"], "Be brief.", "the prompt stays");
        let said = messages[messages.len() - 1]["content"]
            .as_str()
            .expect("text");
        assert!(said.starts_with(&turn.to_string()));
        let dropped = response.headers.get("x-clawless-history-dropped");
        let dropped: usize = dropped.map_or(0, |count| count.parse().expect("a count"));
        assert_eq!(messages.len() + dropped, 2 + 2 * turn, "turn {turn}");
        assert_eq!(dropped > 0, turn > 8, "turn {turn} left out {dropped}");
    }
}
