//! Conversations in sessions, as clients of other services hold them.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use clawless_core::ledger::Period;
use clawless_core::session::Change;
use clawless_core::tenant::TenantSettings;
use clawless_core::time::Clock;
use clawless_testkit::provider::Reply;
use serde_json::{Value, json};
use support::{Customer, Deployment, completion_reply};

/// The messages of the last request to the provider.
fn provider_messages(deployment: &Deployment) -> Value {
    let requests = deployment.http.requests();
    let body = &requests.last().expect("a request").body;
    let body: Value = serde_json::from_slice(body).expect("JSON");
    body["messages"].clone()
}

fn message(role: &str, content: &str) -> Value {
    json!({"role": role, "content": content})
}

fn stored(deployment: &Deployment, role: &str) -> i64 {
    let count = format!("SELECT count(*) FROM messages WHERE role = '{role}'");
    deployment.sql.count(&count)
}

#[test]
fn repeated_system_messages_become_one_and_are_stored_once() {
    let deployment = Deployment::new();
    let settings = TenantSettings {
        system_prompt: Some("Tenant.".to_owned()),
        ..TenantSettings::default()
    };
    let customer = deployment.customer_with(settings, |_| {});
    let turn = |system: &str, text: &str| {
        deployment.http.next(completion_reply("ok"));
        let messages = [message("system", system), message("user", text)];
        let body = json!({"model": "small", "session_id": "s", "messages": messages});
        let response = deployment.chat(&customer, &body);
        assert_eq!(response.status, 200, "{}", response.body);
        provider_messages(&deployment)
    };
    turn("Terse.", "0");
    let session_prompt = Change {
        system_prompt: Some(Some("Session.".to_owned())),
        ..Change::default()
    };
    deployment.change_session(&customer, "s", &session_prompt);
    let ok = message("assistant", "ok");
    assert_eq!(
        turn("Terse.", "1"),
        json!([
            message("system", "Tenant.\n\nSession.\n\nTerse."),
            message("user", "0"),
            ok,
            message("user", "1")
        ])
    );
    assert_eq!(stored(&deployment, "system"), 1);
    let messages = turn("Kind.", "2");
    let system = "Tenant.\n\nSession.\n\nKind.";
    assert_eq!(messages[0], message("system", system));
    assert_eq!(messages.as_array().map(Vec::len), Some(6));
    assert_eq!(stored(&deployment, "system"), 2);
}

#[test]
fn a_message_too_long_to_store_is_rejected_before_admission() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let url = format!("data:image/jpeg;base64,{}", "A".repeat(2_700_000));
    let image = json!({"type": "image_url", "image_url": {"url": url}});
    let photo = json!({"role": "user", "content": [image]});
    let messages = [message("user", "look"), photo];
    let body = json!({"model": "small", "session_id": "s", "messages": messages});
    let response = deployment.chat(&customer, &body);
    assert_eq!(response.status, 400, "{}", response.body);
    assert_eq!(response.json()["error"]["param"], "messages[1].content");
    assert!(deployment.http.requests().is_empty());
    let runtime = deployment.runtime(&customer.tenant);
    let statement = runtime.read(|m| m.statement(Period::of(deployment.time.now())));
    assert_eq!(statement.closed.used().tokens.get(), 0);
}

/// A window that the bytes of the photo exceed, but not its tokens.
const WIDE: &str = r#"[{"name": "scripted", "kind": "openai", "base_url": "https://provider.example/v1",
    "models": [{"id": "small", "context": 131072}]}]"#;

#[test]
fn a_photo_counts_as_an_image_in_the_window_of_its_session() {
    let deployment = Deployment::with_providers(WIDE);
    let customer = deployment.customer();
    let url = format!("data:image/jpeg;base64,{}", "A".repeat(800_000));
    let photo = json!([{"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": url}}]);
    let turns = [
        json!("My name is Ada."),
        photo,
        json!("What is my name?"),
        json!("What is my name?"),
    ];
    for (position, content) in turns.iter().enumerate() {
        deployment.http.next(completion_reply("ok"));
        let messages = [json!({"role": "user", "content": content})];
        let body = json!({"model": "small", "session_id": "s", "messages": messages});
        let response = deployment.chat(&customer, &body);
        assert_eq!(response.status, 200, "{}", response.body);
        let seen = provider_messages(&deployment);
        let seen = seen.as_array().expect("messages");
        assert_eq!(seen.len(), 2 * position + 1);
        for (turn, content) in turns.iter().take(position + 1).enumerate() {
            assert_eq!(seen[2 * turn]["content"], *content);
        }
    }
}

/// Sends a request whose body names a session, with these messages.
fn send(
    deployment: &std::rc::Rc<Deployment>,
    customer: &Customer,
    header: Option<&str>,
    messages: &Value,
) -> support::Response {
    deployment.http.next(completion_reply("ok"));
    let bearer = format!("Bearer {}", customer.key);
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(header.map(|session| ("x-session-id", session)));
    let body = json!({"model": "small", "session_id": "chat-1", "messages": messages});
    let response = deployment.chat_with(&headers, &body.to_string());
    assert_eq!(response.status, 200, "{}", response.body);
    response
}

#[test]
fn a_client_that_sends_the_whole_history_does_not_double_it() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let mut conversation = vec![message("system", "Terse.")];
    for turn in 0..4 {
        conversation.push(message("user", &format!("turn {turn}")));
        let messages = Value::from(conversation.clone());
        let response = send(&deployment, &customer, None, &messages);
        assert_eq!(response.headers["x-session-id"], "chat-1");
        assert_eq!(provider_messages(&deployment), messages);
        let answer = response.json()["choices"][0]["message"].clone();
        conversation.push(answer);
        // The provider gets no `refusal` that it did not send.
        let last = conversation.last_mut().and_then(Value::as_object_mut);
        last.expect("a message").remove("refusal");
    }
    assert_eq!(stored(&deployment, "user"), 4);
    assert_eq!(stored(&deployment, "assistant"), 4);
}

#[test]
fn a_tenant_can_make_the_bodys_session_id_a_label() {
    let deployment = Deployment::new();
    let settings = TenantSettings {
        ignore_body_session_id: true,
        ..TenantSettings::default()
    };
    let customer = deployment.customer_with(settings, |_| {});
    let one = json!([message("user", "one")]);
    let response = send(&deployment, &customer, None, &one);
    assert_eq!(response.headers["x-clawless-dropped"], "session_id");
    assert!(!response.headers.contains_key("x-session-id"));
    let two = json!([message("user", "two")]);
    send(&deployment, &customer, None, &two);
    assert_eq!(provider_messages(&deployment), two);
    assert_eq!(deployment.sql.count("SELECT count(*) FROM turns"), 0);
    // The header still names a session, whatever the label.
    for text in ["three", "four"] {
        let messages = json!([message("user", text)]);
        let response = send(&deployment, &customer, Some("other"), &messages);
        assert_eq!(response.headers["x-session-id"], "other");
    }
    assert_eq!(
        provider_messages(&deployment),
        json!([
            message("user", "three"),
            message("assistant", "ok"),
            message("user", "four")
        ])
    );
}

#[test]
fn an_expired_link_in_the_history_is_named_by_its_message() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let picture = |number: u32| {
        let url = format!("https://pictures.example/{number}?signature=a%2Fb");
        let image = json!({"type": "image_url", "image_url": {"url": url}});
        json!([{"role": "user", "content": [image]}])
    };
    for number in 0..2 {
        send(&deployment, &customer, None, &picture(number));
    }
    let ids = deployment
        .sql
        .rows("SELECT id FROM messages WHERE role = 'user' ORDER BY seq");
    let names = |response: &support::Response| -> Vec<bool> {
        assert_eq!(response.status, 400, "{}", response.body);
        let error = response.json()["error"].clone();
        assert_eq!(error["param"], "messages");
        let message = error["message"].as_str().expect("a message").to_owned();
        let ids = ids.iter().map(|row| row["id"].as_str().expect("an id"));
        ids.map(|id| message.contains(id)).collect()
    };
    let rejections = [
        ("Failed to download image.", [true, true]),
        (
            "Error while downloading https://pictures.example/1?signature=a%2Fb.",
            [false, true],
        ),
    ];
    for (message, named) in rejections {
        let body = json!({"error": {"message": message, "code": "invalid_image_url"}});
        deployment
            .http
            .next(clawless_testkit::provider::Reply::json(
                400,
                &body.to_string(),
            ));
        let body = json!({"model": "small", "session_id": "chat-1",
            "messages": [message_of("user")]});
        let response = deployment.chat(&customer, &body);
        assert_eq!(names(&response), named, "{}", response.body);
    }
    // Rejections for other reasons are not about the links.
    let body = json!({"error": {"message": "The temperature is too high."}});
    deployment
        .http
        .next(clawless_testkit::provider::Reply::json(
            400,
            &body.to_string(),
        ));
    let body = json!({"model": "small", "session_id": "chat-1", "messages": [message_of("user")]});
    let response = deployment.chat(&customer, &body);
    assert!(!response.body.contains("DELETE"), "{}", response.body);
}

fn message_of(role: &str) -> Value {
    message(role, "And now?")
}

/// A window of which two short turns are read, and a longer one fits.
const NARROW: &str = r#"[{"name": "scripted", "kind": "openai", "base_url": "https://provider.example/v1",
    "models": [{"id": "small", "context": 2048}]}]"#;

#[test]
fn a_history_of_which_only_the_end_is_read_is_recognised_in_the_clients_copy() {
    let deployment = Deployment::with_providers(NARROW);
    let customer = deployment.customer();
    let mut conversation = Vec::new();
    for turn in 0..6 {
        let text = format!("turn {turn} {}", "word ".repeat(380));
        conversation.push(message("user", &text));
        send(
            &deployment,
            &customer,
            None,
            &Value::from(conversation.clone()),
        );
        let last = provider_messages(&deployment);
        let last = last.as_array().expect("messages");
        let same = last.iter().filter(|it| it["content"] == text.as_str());
        assert_eq!(same.count(), 1);
        conversation.push(message("assistant", "ok"));
    }
    assert_eq!(stored(&deployment, "user"), 6);
    assert_eq!(stored(&deployment, "assistant"), 6);
}

#[test]
fn half_an_answer_does_not_double_the_history() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let mut conversation = vec![message("user", "one")];
    send(
        &deployment,
        &customer,
        None,
        &Value::from(conversation.clone()),
    );
    conversation.extend([message("assistant", "ok"), message("user", "two")]);
    let broken = [support::delta("A long "), support::delta("answer")].concat();
    deployment.http.next(Reply::stream(&broken));
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str())];
    let body =
        json!({"model": "small", "session_id": "chat-1", "stream": true, "messages": conversation});
    deployment.chat_with(&headers, &body.to_string());
    assert_eq!(stored(&deployment, "user"), 2);
    // Its client has less of the answer, or none of it.
    for copy in [Some("A long"), None] {
        let mut continued = conversation.clone();
        continued.extend(copy.map(|text| message("assistant", text)));
        continued.push(message("user", "three"));
        send(
            &deployment,
            &customer,
            None,
            &Value::from(continued.clone()),
        );
        let seen = provider_messages(&deployment);
        let seen = seen.as_array().expect("messages");
        let ones = seen.iter().filter(|it| it["content"] == "one").count();
        assert_eq!(ones, 1, "{seen:?}");
        assert_eq!(seen.last(), continued.last());
    }
}
