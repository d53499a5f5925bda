//! Hot sessions: when a cached copy is used, and when it must not be.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use std::rc::Rc;

use clawless_core::Scope;
use clawless_core::ledger::EndpointClass;
use clawless_core::time::{Clock, Millis, Timer};
use clawless_edge::http::{Params, RequestHead};
use clawless_gateway::http::service::Access;
use clawless_gateway::http::sessions;
use clawless_testkit::provider::{Reply, Step};
use clawless_testkit::{Fault, KvMode};
use serde_json::{Value, json};
use support::{
    Customer, Deployment, Response, chat_request, completion_reply, delta, streamed_chat_request,
};

/// The texts of the messages in the last request to the provider.
fn provider_messages(deployment: &Deployment) -> Vec<String> {
    let requests = deployment.http.requests();
    let body: Value =
        serde_json::from_slice(&requests.last().expect("a request").body).expect("JSON");
    let messages = body["messages"].as_array().expect("messages");
    let text = |message: &Value| message["content"].as_str().expect("text").to_owned();
    messages.iter().map(text).collect()
}

/// A deployment with a customer whose session `s` has one turn: `one` and the answer `Yes.`
fn hot_session() -> (Rc<Deployment>, Customer) {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.always(completion_reply("Yes."));
    assert_eq!(
        deployment.chat_in_session(&customer, "s", "one").status,
        200
    );
    (deployment, customer)
}

/// The number of database calls of a turn with the message `two`.
fn count_queries(deployment: &Rc<Deployment>, customer: &Customer) -> u32 {
    let before = deployment.sql.calls();
    let response = deployment.chat_in_session(customer, "s", "two");
    assert_eq!(response.status, 200, "{}", response.body);
    deployment.sql.calls() - before
}

/// The routes that change a session.
#[derive(Debug, Clone, Copy)]
enum Change {
    Create,
    Update,
    Reset,
    Delete,
    RemoveMessage,
}

async fn change(
    deployment: &Rc<Deployment>,
    customer: &Customer,
    change: Change,
    settings: Value,
) -> Response {
    let bearer = format!("Bearer {}", customer.key);
    let json = ("content-type", "application/json");
    let head = RequestHead::new(
        "POST",
        "/v1/sessions",
        [json, ("authorization", bearer.as_str())],
    );
    let body = settings.to_string().into_bytes();
    let message = match change {
        Change::RemoveMessage => {
            let rows = deployment
                .sql
                .rows("SELECT id FROM messages ORDER BY seq, position LIMIT 1");
            rows[0]["id"].as_str().expect("an id").to_owned()
        }
        _ => String::new(),
    };
    let params = Params::default()
        .with("id", "s")
        .with("message_id", message);
    let access = Access::Key(Scope::SessionsWrite, EndpointClass::Write);
    deployment
        .call(access, head, params, body, async |call| match change {
            Change::Create => sessions::create(call).await,
            Change::Update => sessions::update(call).await,
            Change::Reset => sessions::reset(call).await,
            Change::Delete => sessions::delete(call).await,
            Change::RemoveMessage => sessions::delete_message(call).await,
        })
        .await
}

/// The messages that the model gets in the turn after a change.
fn expected_after(change_kind: Change) -> Vec<&'static str> {
    match change_kind {
        Change::Update => vec!["Be brief.", "one", "Yes.", "two"],
        Change::RemoveMessage => vec!["Yes.", "two"],
        Change::Create | Change::Reset | Change::Delete => vec!["two"],
    }
}

const CHANGES: [Change; 4] = [
    Change::Update,
    Change::Reset,
    Change::Delete,
    Change::RemoveMessage,
];

#[test]
fn fault_18_the_turn_after_a_change_never_uses_a_stale_cache_entry() {
    for change_kind in CHANGES {
        for mode in [
            KvMode::Normal,
            KvMode::Stale,
            KvMode::Failing,
            KvMode::Hanging,
        ] {
            let (deployment, customer) = hot_session();
            deployment.kv.set_mode(mode);
            let settings = json!({"system_prompt": "Be brief."});
            let response = deployment.run(change(&deployment, &customer, change_kind, settings));
            assert_eq!(response.status, 200, "{change_kind:?}: {}", response.body);
            assert_eq!(
                deployment.chat_in_session(&customer, "s", "two").status,
                200
            );
            assert_eq!(
                provider_messages(&deployment),
                expected_after(change_kind),
                "{change_kind:?} {mode:?}"
            );
        }
    }
}

#[test]
fn a_change_during_a_turn_applies_to_the_next_turn() {
    for change_kind in CHANGES {
        for breaks in [false, true] {
            let (deployment, customer) = hot_session();
            let wait = Step::Wait(Millis::from_secs(5));
            let slow = if breaks {
                Reply::json(400, "{}").after(wait)
            } else {
                completion_reply("Slow.").after(wait)
            };
            deployment.http.next(slow);
            let bearer = format!("Bearer {}", customer.key);
            let headers = [("authorization", bearer.as_str()), ("x-session-id", "s")];
            let settings = json!({"system_prompt": "Be brief."});
            deployment.run(futures_util::future::join(
                deployment.send(&headers, chat_request("during").to_string()),
                async {
                    let time = &deployment.time;
                    time.sleep(Millis::from_secs(1)).await;
                    let response = change(&deployment, &customer, change_kind, settings).await;
                    assert_eq!(response.status, 200, "{change_kind:?}: {}", response.body);
                },
            ));
            assert_eq!(
                deployment.chat_in_session(&customer, "s", "two").status,
                200
            );
            let mut expected = expected_after(change_kind);
            let kept = matches!(change_kind, Change::Update | Change::RemoveMessage) && !breaks;
            if kept {
                let end = expected.len() - 1;
                expected.splice(end..end, ["during", "Slow."]);
            }
            assert_eq!(
                provider_messages(&deployment),
                expected,
                "{change_kind:?} {breaks}"
            );
        }
    }
}

#[test]
fn a_change_whose_database_response_is_lost_applies_to_the_next_turn() {
    for change_kind in CHANGES {
        let (deployment, customer) = hot_session();
        // The look-ups succeed; the change is committed, and its response is lost.
        let look_ups = match change_kind {
            Change::Create | Change::Update => 1,
            Change::Reset | Change::Delete | Change::RemoveMessage => 2,
        };
        let lost = std::iter::once(Some(Fault::After(Fault::CONNECTION_LOST)));
        let plan = std::iter::repeat_n(None, look_ups).chain(lost);
        deployment.sql.inject(plan);
        let settings = json!({"system_prompt": "Be brief."});
        let response = deployment.run(change(&deployment, &customer, change_kind, settings));
        assert_eq!(response.status, 503, "{change_kind:?}: {}", response.body);
        assert_eq!(
            deployment.chat_in_session(&customer, "s", "two").status,
            200
        );
        assert_eq!(
            provider_messages(&deployment),
            expected_after(change_kind),
            "{change_kind:?}"
        );
    }
}

#[test]
fn a_change_followed_by_a_ledger_failure_applies_to_the_next_turn() {
    for change_kind in CHANGES {
        let (deployment, customer) = hot_session();
        // The ledger is notified before the change, and fails after it.
        deployment.silence_ledger_after(2);
        let settings = json!({"system_prompt": "Be brief."});
        let response = deployment.run(change(&deployment, &customer, change_kind, settings));
        assert_eq!(response.status, 503, "{change_kind:?}: {}", response.body);
        deployment.silence_ledger_after(u32::MAX);
        assert_eq!(
            deployment.chat_in_session(&customer, "s", "two").status,
            200
        );
        assert_eq!(
            provider_messages(&deployment),
            expected_after(change_kind),
            "{change_kind:?}"
        );
    }
}

#[test]
fn a_session_created_during_the_first_turn_of_its_name_keeps_its_settings() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let wait = Step::Wait(Millis::from_secs(5));
    deployment.http.next(completion_reply("Yes.").after(wait));
    deployment.http.always(completion_reply("Yes."));
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str()), ("x-session-id", "s")];
    let settings = json!({"id": "s", "system_prompt": "Be brief."});
    deployment.run(futures_util::future::join(
        deployment.send(&headers, chat_request("one").to_string()),
        async {
            deployment.time.sleep(Millis::from_secs(1)).await;
            let response = change(&deployment, &customer, Change::Create, settings).await;
            assert_eq!(response.status, 200, "{}", response.body);
        },
    ));
    // Two turns, because the second could use a copy that the first one cached.
    for text in ["two", "three"] {
        assert_eq!(deployment.chat_in_session(&customer, "s", text).status, 200);
        assert_eq!(provider_messages(&deployment)[..2], ["Be brief.", "one"]);
    }
}

#[test]
fn a_cached_copy_is_used_for_five_minutes() {
    let (deployment, customer) = hot_session();
    deployment.time.advance(Millis::from_secs(299));
    // The key's record, which is cached for half a minute, and the commit.
    assert_eq!(count_queries(&deployment, &customer), 2);
    deployment.time.advance(Millis::from_secs(300));
    assert_eq!(count_queries(&deployment, &customer), 5);
    assert_eq!(
        provider_messages(&deployment),
        ["one", "Yes.", "two", "Yes.", "two"],
        "the same from the database"
    );
}

#[test]
fn an_expired_session_is_not_read_from_the_cache() {
    let (deployment, customer) = hot_session();
    let expiry = json!({"ttl": 60});
    deployment.run(change(&deployment, &customer, Change::Update, expiry));
    deployment.chat_in_session(&customer, "s", "two");
    assert_eq!(count_queries(&deployment, &customer), 1, "it is hot");
    deployment.time.advance(Millis::from_secs(61));
    deployment.chat_in_session(&customer, "s", "again");
    assert_eq!(provider_messages(&deployment), ["again"]);
}

#[test]
fn a_broken_or_parked_turn_is_not_cached() {
    let (deployment, customer) = hot_session();
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str()), ("x-session-id", "s")];
    let writes = deployment.kv.writes();
    deployment.http.next(Reply::reads(&[&delta("Half")]));
    let broken = deployment.chat_with(&headers, &streamed_chat_request("breaks").to_string());
    assert!(!broken.is_done());
    assert_eq!(deployment.kv.writes(), writes);
    // The look-up, the size of the history and the history succeed.
    let refused = std::iter::repeat_n(Some(Fault::Before(Fault::CONNECTION_LOST)), 5);
    let plan = [None; 3].into_iter().chain(refused);
    deployment.sql.inject(plan);
    assert_eq!(
        deployment.chat_in_session(&customer, "s", "waits").status,
        200
    );
    assert_eq!(deployment.kv.writes(), writes);
    deployment.run_alarm(&customer.tenant);
    deployment.chat_in_session(&customer, "s", "two");
    let all = ["one", "Yes.", "breaks", "Half", "waits", "Yes.", "two"];
    assert_eq!(provider_messages(&deployment), all);
    assert_eq!(deployment.kv.writes(), writes + 1);
}

#[test]
fn a_model_with_a_wider_window_gets_the_turns_that_a_narrower_copy_left_out() {
    let providers = r#"[{"name":"scripted","kind":"openai","base_url":"https://provider.example/v1",
        "key":"PROVIDER_KEY","models":[{"id":"small","context":8192},{"id":"large","context":131072}]}]"#;
    let deployment = Deployment::with_providers(providers);
    let customer = deployment.customer();
    deployment.http.always(completion_reply("Yes."));
    // Four times the history that is read for `small`.
    let long = "word ".repeat(1600);
    for _ in 0..12 {
        deployment.chat_in_session(&customer, "s", &long);
        deployment.time.advance(Millis::from_secs(60));
    }
    let copied = deployment.kv.keys().len();
    assert!(copied > 0, "{copied}");
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str()), ("x-session-id", "s")];
    let mut body = chat_request("two");
    body["model"] = json!("large");
    let response = deployment.chat_with(&headers, &body.to_string());
    assert_eq!(response.status, 200, "{}", response.body);
    assert_eq!(provider_messages(&deployment).len(), 25);
    assert!(!response.headers.contains_key("x-clawless-history-dropped"));
}

#[test]
fn fault_18_a_hanging_cache_delays_a_turn_by_at_most_a_second() {
    let (deployment, customer) = hot_session();
    deployment.kv.set_mode(KvMode::Hanging);
    let before = deployment.time.now();
    assert_eq!(count_queries(&deployment, &customer), 4);
    // A second for the read, and one after the answer for the write.
    let waited = deployment.time.now().since(before);
    assert!(waited <= Millis::from_secs(2), "{waited:?}");
    assert_eq!(provider_messages(&deployment), ["one", "Yes.", "two"]);
}
