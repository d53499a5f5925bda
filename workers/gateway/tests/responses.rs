//! The Responses surface: stored responses, what continues them, and what is not stored.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use std::rc::Rc;

use clawless_core::tenant::TenantSettings;
use clawless_testkit::provider::Reply;
use serde_json::{Value, json};
use support::{Customer, Deployment, completion_reply};

/// The texts of the last request to the provider.
fn sent(deployment: &Deployment) -> Vec<String> {
    let requests = deployment.http.requests();
    let body: Value =
        serde_json::from_slice(&requests.last().expect("a request").body).expect("JSON");
    let messages = body["messages"].as_array().expect("messages");
    let texts = messages.iter().map(|message| message["content"].as_str());
    texts.map(|text| text.expect("a text").to_owned()).collect()
}

/// Creates a response to `text` with the members `more`.
fn create(
    deployment: &Rc<Deployment>,
    customer: &Customer,
    text: &str,
    more: &Value,
) -> (Value, Option<String>) {
    deployment.http.next(completion_reply("ok"));
    let mut body = json!({"model": "small", "input": text});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let response = deployment.respond(customer, &body);
    assert_eq!(response.status, 200, "{}", response.body);
    let session = response.headers.get("x-session-id").cloned();
    (response.json(), session)
}

#[test]
fn a_response_is_stored_in_a_session_of_its_own() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let instructions = json!({"instructions": "Terse."});
    let (first, session) = create(&deployment, &customer, "one", &instructions);
    assert_eq!(sent(&deployment), ["Terse.", "one"]);
    let (_, other) = create(&deployment, &customer, "two", &json!({}));
    assert_ne!(session, other);
    assert_eq!(deployment.sql.count("SELECT count(*) FROM sessions"), 2);
    assert_eq!(
        deployment
            .sql
            .count("SELECT count(*) FROM messages WHERE role = 'system'"),
        0,
        "instructions apply to their request alone"
    );
    assert_eq!(first["output"][0]["content"][0]["text"], "ok");
    assert_eq!(first["instructions"], "Terse.");
}

#[test]
fn the_last_response_is_continued_in_its_session_and_an_earlier_one_in_a_fork() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let (first, session) = create(&deployment, &customer, "one", &json!({}));
    let continued = json!({"previous_response_id": first["id"]});
    let (second, same) = create(&deployment, &customer, "two", &continued);
    assert_eq!(same, session);
    assert_eq!(sent(&deployment), ["one", "ok", "two"]);
    let (_, fork) = create(&deployment, &customer, "other", &continued);
    assert_ne!(fork, session);
    assert_eq!(sent(&deployment), ["one", "ok", "other"]);
    let continued = json!({"previous_response_id": second["id"]});
    create(&deployment, &customer, "three", &continued);
    assert_eq!(sent(&deployment), ["one", "ok", "two", "ok", "three"]);
    let count = |session: &Option<String>| {
        let session = session.as_deref().expect("a session");
        let count = format!("SELECT count(*) FROM messages WHERE session_id = '{session}'");
        deployment.sql.count(&count)
    };
    assert_eq!((count(&session), count(&fork)), (6, 4));
}

#[test]
fn nothing_is_kept_of_a_response_that_is_not_stored() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let (first, _) = create(&deployment, &customer, "one", &json!({}));
    let more = json!({"previous_response_id": first["id"], "store": false});
    let (_, session) = create(&deployment, &customer, "two", &more);
    assert_eq!((session, sent(&deployment).len()), (None, 3));
    let (_, session) = create(&deployment, &customer, "three", &json!({"store": false}));
    assert_eq!(session, None);
    assert_eq!(deployment.sql.count("SELECT count(*) FROM turns"), 1);
    assert_eq!(deployment.sql.count("SELECT count(*) FROM sessions"), 1);
}

#[test]
fn another_tenants_response_does_not_exist() {
    let deployment = Deployment::new();
    let (ours, theirs) = (deployment.customer(), deployment.customer());
    let (first, _) = create(&deployment, &ours, "one", &json!({}));
    let item = &first["output"][0]["id"];
    for (more, param) in [
        (
            json!({"previous_response_id": first["id"]}),
            "previous_response_id",
        ),
        (
            json!({"input": [{"type": "item_reference", "id": item}]}),
            "input[0].id",
        ),
    ] {
        let mut body = json!({"model": "small", "input": "two"});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let response = deployment.respond(&theirs, &body);
        assert_eq!(response.status, 404, "{}", response.body);
        assert_eq!(response.json()["error"]["param"], param);
    }
    let reference = json!({"input": [{"type": "item_reference", "id": item}, {"role": "user", "content": "two"}]});
    create(&deployment, &ours, "", &reference);
    assert_eq!(sent(&deployment), ["ok", "two"]);
}

#[test]
fn only_the_named_server_tools_are_offered() {
    let deployment = Deployment::new();
    let settings = TenantSettings {
        tools: vec!["time_now".to_owned(), "sessions_list".to_owned()],
        ..TenantSettings::default()
    };
    let customer = deployment.customer_with(settings, |_| {});
    let named = |tools: Value| json!({"model": "small", "input": "one", "tools": tools});
    deployment.http.next(completion_reply("ok"));
    let response = deployment.respond(&customer, &named(json!([{"type": "time_now"}])));
    assert_eq!(response.status, 200, "{}", response.body);
    let requests = deployment.http.requests();
    let body: Value = serde_json::from_slice(&requests[0].body).expect("JSON");
    let tools = body["tools"].as_array().expect("tools");
    assert_eq!(tools.len(), 1);
    assert_eq!(tools[0]["function"]["name"], "time_now");
    let response = deployment.respond(&customer, &named(json!([{"type": "sessions_send"}])));
    assert_eq!(response.status, 400, "{}", response.body);
    assert_eq!(response.json()["error"]["param"], "tools");
}

#[test]
fn a_response_replayed_from_its_turn_has_the_same_members() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let answer = json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": "small",
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": "ok", "reasoning_content": "hm"},
        }],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    });
    deployment.http.next(Reply::json(200, &answer.to_string()));
    let body = json!({"model": "small", "input": "one"});
    let send = || deployment.respond_with(&customer, &[("idempotency-key", "a")], &body);
    let first = send().json();
    assert!(first["completed_at"].as_u64() >= first["created_at"].as_u64());
    assert_eq!(first["output"][0]["type"], "reasoning");
    let clear = "UPDATE idempotency SET state = 'running', answer = NULL";
    deployment.sql.run_script(clear);
    let second = send();
    assert_eq!(second.headers["idempotent-replayed"], "true");
    assert_eq!(second.json(), first);
}
