//! The storage quota and the retention of stored content.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use std::rc::Rc;

use clawless_core::ledger::EndpointClass;
use clawless_core::limits::{Override, StorageOverrides};
use clawless_core::session::Change;
use clawless_core::tenant::TenantSettings;
use clawless_core::time::{Clock, Millis, Timer};
use clawless_core::{Scope, Storage};
use clawless_edge::http::{Params, RequestHead};
use clawless_gateway::http::service::Access;
use clawless_gateway::http::sessions;
use clawless_gateway::retention::Cleanup;
use serde_json::json;
use support::{Customer, Deployment, Response, completion_reply};

fn limited(storage: StorageOverrides) -> (Rc<Deployment>, Customer) {
    let deployment = Deployment::new();
    let settings = TenantSettings {
        storage,
        ..TenantSettings::default()
    };
    let customer = deployment.customer_with(settings, |_| {});
    deployment.http.always(completion_reply("Yes."));
    (deployment, customer)
}

/// Calls a route of a session as `method`, with this body.
fn call(
    deployment: &Rc<Deployment>,
    customer: &Customer,
    method: &str,
    id: &str,
    body: &str,
) -> Response {
    let bearer = format!("Bearer {}", customer.key);
    let json = ("content-type", "application/json");
    let head = RequestHead::new(
        method,
        "/v1/sessions",
        [json, ("authorization", bearer.as_str())],
    );
    let params = Params::default().with("id", id);
    let access = Access::Key(Scope::SessionsWrite, EndpointClass::Write);
    let body = body.as_bytes().to_vec();
    deployment.run(
        deployment.call(access, head, params, body, async |call| match method {
            "POST" => sessions::create(call).await,
            "PATCH" => sessions::update(call).await,
            "DELETE" => sessions::delete(call).await,
            "LIST" => sessions::list(call).await,
            "MESSAGES" => sessions::list_messages(call).await,
            _ => sessions::show(call).await,
        }),
    )
}

fn advance(deployment: &Deployment, span: Millis) {
    deployment.time.run(deployment.time.sleep(span));
}

fn used(deployment: &Deployment, customer: &Customer) -> Storage {
    deployment
        .runtime(&customer.tenant)
        .read(|machine| machine.storage().used)
}

fn clean(deployment: &Rc<Deployment>) -> bool {
    let cleanup = Cleanup {
        sql: &deployment.sql,
        kv: &deployment.kv,
        ledger: &**deployment,
        clock: &deployment.time,
    };
    deployment.run(cleanup.run()).expect("the cleanup works")
}

#[test]
fn attack_60_a_used_up_storage_quota_is_refused_before_the_model_is_called() {
    let (deployment, customer) = limited(StorageOverrides {
        messages: Override::Set(4),
        ..StorageOverrides::default()
    });
    for session in ["a", "b"] {
        let response = deployment.chat_in_session(&customer, session, "Hi");
        assert_eq!(response.status, 200, "{}", response.body);
    }
    let refused = deployment.chat_in_session(&customer, "a", "Hi");
    assert_eq!(refused.status, 429, "{}", refused.body);
    assert_eq!(refused.code(), "insufficient_quota");
    for part in [
        "insufficient_quota",
        "4 messages",
        "4 are stored",
        "adds 2",
        "Delete sessions",
    ] {
        assert!(refused.body.contains(part), "{part}: {}", refused.body);
    }
    assert_eq!(deployment.http.requests().len(), 2);
    let stateless = deployment.chat(&customer, &support::chat_request("Hi"));
    assert_eq!(
        stateless.status, 200,
        "nothing is stored: {}",
        stateless.body
    );
    assert_eq!(call(&deployment, &customer, "DELETE", "b", "").status, 200);
    assert_eq!(deployment.chat_in_session(&customer, "a", "Hi").status, 200);
}

#[test]
fn attack_60_sessions_and_their_settings_count() {
    let (deployment, customer) = limited(StorageOverrides {
        sessions: Override::Set(2),
        bytes: Override::Set(1000),
        ..StorageOverrides::default()
    });
    let create =
        |body: serde_json::Value| call(&deployment, &customer, "POST", "", &body.to_string());
    let long = create(json!({"id": "long", "system_prompt": "x".repeat(1001)}));
    assert_eq!(long.status, 429, "{}", long.body);
    assert!(long.body.contains("1000 bytes"), "{}", long.body);
    assert_eq!(
        create(json!({"id": "one", "system_prompt": "x".repeat(600)})).status,
        200
    );
    let taken = create(json!({"id": "one", "title": "again"}));
    assert_eq!(taken.status, 409, "{}", taken.body);
    assert_eq!(
        used(&deployment, &customer).sessions,
        1,
        "a failed creation is taken back"
    );
    let prompt = json!({"system_prompt": "x".repeat(1001)}).to_string();
    let grown = call(&deployment, &customer, "PATCH", "one", &prompt);
    assert_eq!(grown.status, 429, "{}", grown.body);
    let shrunk = call(
        &deployment,
        &customer,
        "PATCH",
        "one",
        r#"{"system_prompt":null}"#,
    );
    assert_eq!(shrunk.status, 200, "{}", shrunk.body);
    assert_eq!(used(&deployment, &customer).bytes, 0);
    assert_eq!(
        deployment.chat_in_session(&customer, "two", "Hi").status,
        200
    );
    assert_eq!(create(json!({"id": "three"})).status, 429);
    let third = deployment.chat_in_session(&customer, "three", "Hi");
    assert_eq!(third.status, 429, "{}", third.body);
    assert!(third.body.contains("2 sessions"), "{}", third.body);
    assert_eq!(deployment.http.requests().len(), 1);
    assert_eq!(
        deployment.chat_in_session(&customer, "two", "Hi").status,
        200
    );
}

#[test]
fn fault_37_the_amounts_agree_with_the_database_after_crashes() {
    let (deployment, customer) = limited(StorageOverrides::default());
    for text in ["one", "two"] {
        assert_eq!(deployment.chat_in_session(&customer, "s", text).status, 200);
    }
    let exact = used(&deployment, &customer);
    assert_eq!((exact.sessions, exact.messages), (1, 4));
    let counted = clawless_store::storage::count(&deployment.sql, &customer.tenant);
    assert_eq!(deployment.time.run(counted), Ok((exact, true)));
    // The settlement is lost: the sweep finds the turn, but not what it stored.
    let calls = deployment.ledger_calls();
    assert_eq!(
        deployment.chat_in_session(&customer, "s", "three").status,
        200
    );
    let per_turn = deployment.ledger_calls() - calls;
    deployment.silence_ledger_after(per_turn - 1);
    assert_eq!(
        deployment.chat_in_session(&customer, "s", "four").status,
        200
    );
    deployment.silence_ledger_after(u32::MAX);
    assert_eq!(
        used(&deployment, &customer).messages,
        6,
        "of the four turns, three are known"
    );
    advance(&deployment, Millis::from_secs(20 * 60));
    deployment.run_alarm(&customer.tenant);
    advance(&deployment, Millis::from_secs(60 * 60));
    deployment.run_alarm(&customer.tenant);
    let counted = clawless_store::storage::count(&deployment.sql, &customer.tenant);
    assert_eq!(
        deployment.time.run(counted),
        Ok((used(&deployment, &customer), true))
    );
    assert_eq!(used(&deployment, &customer).messages, 8);
}

#[test]
fn attack_61_no_request_reaches_an_expired_session_and_the_cleanup_deletes_it() {
    let (deployment, customer) = limited(StorageOverrides::default());
    assert_eq!(
        deployment
            .chat_in_session(&customer, "s", "a secret")
            .status,
        200
    );
    assert_eq!(
        deployment.chat_in_session(&customer, "kept", "Hi").status,
        200
    );
    let minute = Millis::from_secs(60);
    let expires_at = Some(Some(deployment.time.now().plus(minute)));
    let change = Change {
        expires_at,
        ..Change::default()
    };
    for session in ["s", "untouched"] {
        let turn = deployment.chat_in_session(&customer, session, "a secret");
        assert_eq!(turn.status, 200, "{}", turn.body);
        deployment.change_session(&customer, session, &change);
    }
    let turn = deployment.chat_in_session(&customer, "s", "Still here?");
    assert_eq!(turn.status, 200);
    let requests = "SELECT request_id FROM turns WHERE session_id = 's'";
    let requests = deployment.sql.rows(requests);
    let request = requests[0]["request_id"].as_str().expect("text");
    advance(&deployment, minute);
    let resumed = deployment.resume(&customer, "application/json", "s", request);
    assert_eq!(deployment.run(resumed).status, 404);
    for method in ["GET", "MESSAGES", "PATCH", "DELETE"] {
        let response = call(&deployment, &customer, method, "s", "{}");
        assert_eq!(response.status, 404, "{method}: {}", response.body);
        let unknown = call(&deployment, &customer, method, "never-used", "{}");
        assert_eq!(response.body, unknown.body, "{method}");
    }
    let listed = call(&deployment, &customer, "LIST", "", "");
    assert!(
        listed.body.contains("kept") && !listed.body.contains("\"s\""),
        "{}",
        listed.body
    );
    assert!(clean(&deployment));
    let rows = "SELECT count(*) FROM turns WHERE session_id IN ('s', 'untouched')";
    assert_eq!(deployment.sql.count(rows), 0);
    assert_eq!(
        deployment
            .chat_in_session(&customer, "s", "Anything?")
            .status,
        200
    );
    let last = deployment
        .http
        .requests()
        .last()
        .expect("a request")
        .body
        .clone();
    assert!(!String::from_utf8_lossy(&last).contains("a secret"));
    advance(&deployment, minute);
    deployment.run_alarm(&customer.tenant);
    let counted = clawless_store::storage::count(&deployment.sql, &customer.tenant);
    assert_eq!(
        deployment.time.run(counted),
        Ok((used(&deployment, &customer), true))
    );
}

#[test]
fn attack_61_a_retention_deletes_older_turns_and_unused_sessions() {
    let day = Millis::from_secs(24 * 60 * 60);
    let deployment = Deployment::new();
    let settings = TenantSettings {
        retention_days: Some(2),
        ..TenantSettings::default()
    };
    let customer = deployment.customer_with(settings, |_| {});
    let forever = deployment.customer();
    deployment.http.always(completion_reply("Yes."));
    for customer in [&customer, &forever] {
        for session in ["unused", "used"] {
            assert_eq!(
                deployment.chat_in_session(customer, session, "old").status,
                200
            );
        }
    }
    advance(&deployment, day);
    assert_eq!(
        deployment.chat_in_session(&customer, "used", "new").status,
        200
    );
    advance(&deployment, day);
    assert_eq!(
        call(&deployment, &customer, "GET", "unused", "").status,
        404
    );
    assert_eq!(call(&deployment, &customer, "GET", "used", "").status, 200);
    advance(&deployment, Millis::from_secs(1));
    assert!(clean(&deployment));
    assert!(clean(&deployment), "and again");
    let texts = |tenant: &clawless_core::TenantId| {
        deployment.sql.count(&format!(
            "SELECT count(*) FROM messages WHERE tenant_id = '{tenant}' AND role = 'user'"
        ))
    };
    assert_eq!((texts(&customer.tenant), texts(&forever.tenant)), (1, 2));
    assert_eq!(
        deployment
            .chat_in_session(&customer, "used", "newest")
            .status,
        200
    );
    let last = deployment
        .http
        .requests()
        .last()
        .expect("a request")
        .body
        .clone();
    let last = String::from_utf8_lossy(&last).into_owned();
    assert!(last.contains("new") && !last.contains("old"), "{last}");
}

#[test]
fn a_message_that_a_session_cannot_store_is_named_before_the_model_is_called() {
    let (deployment, customer) = limited(StorageOverrides::default());
    let long = "x".repeat(2_000_000);
    let refused = deployment.chat_in_session(&customer, "s", &long);
    assert_eq!(refused.status, 400, "{}", refused.body);
    for part in ["messages[0]", "1999000 bytes", "20000"] {
        assert!(refused.body.contains(part), "{part}: {}", refused.body);
    }
    assert!(deployment.http.requests().is_empty());
}
