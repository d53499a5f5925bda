//! `sessions_send`: messages between sessions under crashes, repeated deliveries and cycles.

use std::rc::Rc;

use clawless_core::ledger::{Input, Period, RESERVATION_TTL};
use clawless_core::sending::SendJob;
use clawless_core::time::Timer;
use clawless_core::{Clock, Millis, Scope};
use clawless_gateway::sends::deliver::{Verdict, deliver, give_up};
use clawless_gateway::sends::maintenance::clean;
use clawless_testkit::provider::{Reply, Step};
use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Customer, Deployment, completion_reply};
use crate::{calls, customer, provider_requests, recorded, tool_results};

const TOOLS: &[&str] = &["sessions_send"];

/// A tenant with two sessions, `a` and `b`, of one turn each.
fn tenant_with_two_sessions(deployment: &Rc<Deployment>) -> Customer {
    let customer = customer(deployment, TOOLS);
    for session in ["a", "b"] {
        deployment.http.next(completion_reply("Hello."));
        deployment.chat_in_session(&customer, session, "Hello.");
    }
    customer
}

/// Makes the model's next answer a call of the tool.
fn script_send(deployment: &Deployment, arguments: &Value) {
    let arguments = arguments.to_string();
    let call = [("c", "sessions_send", arguments.as_str())];
    deployment.http.next(calls(None, &call));
}

/// Sends from `from` to `to` without waiting. Returns the result of the tool.
fn send(
    deployment: &Rc<Deployment>,
    customer: &Customer,
    from: &str,
    to: &str,
    text: &str,
) -> Value {
    let arguments = json!({"session_id": to, "message": text, "timeout_seconds": 0});
    let tool_results = try_send(deployment, customer, from, &arguments);
    serde_json::from_str(&tool_results).expect("a receipt")
}

/// Calls the tool in `from` and returns its result as the model gets it.
fn try_send(
    deployment: &Rc<Deployment>,
    customer: &Customer,
    from: &str,
    arguments: &Value,
) -> String {
    script_send(deployment, arguments);
    deployment.http.next(completion_reply("Sent."));
    let response = deployment.chat_in_session(customer, from, "Tell them.");
    assert_eq!(response.status, 200, "{}", response.body);
    tool_results(deployment).last().expect("a result").clone()
}

/// The states of the messages, oldest first: `state reason tries`.
fn states(deployment: &Deployment) -> Vec<String> {
    let rows = deployment.sql.rows(
        "SELECT state || coalesce(' ' || reason, '') || ' ' || tries AS it FROM sends
         ORDER BY created_at, rowid",
    );
    rows.iter()
        .map(|row| row["it"].as_str().expect("a text").to_owned())
        .collect()
}

/// The stored user messages of a session.
fn user_messages(deployment: &Deployment, session: &str) -> Vec<String> {
    let rows = deployment.sql.rows(&format!(
        "SELECT json_extract(content, '$.content') AS text FROM messages
         WHERE session_id = '{session}' AND role = 'user' ORDER BY seq, position"
    ));
    rows.iter()
        .map(|row| row["text"].as_str().expect("a text").to_owned())
        .collect()
}

/// The number of booked calls. Asserts that nothing is reserved.
fn booked(deployment: &Deployment, customer: &Customer) -> u64 {
    let runtime = deployment.runtime(&customer.tenant);
    let statement = runtime.read(|machine| machine.statement(Period::of(deployment.time.now())));
    assert_eq!(statement.open.messages, 0, "nothing is open");
    statement.closed.used().messages
}

fn advance(deployment: &Rc<Deployment>, secs: u64) {
    deployment.run(deployment.time.sleep(Millis::from_secs(secs)));
}

#[test]
fn the_reply_comes_from_a_turn_of_the_other_session() {
    let deployment = Deployment::new();
    let customer = tenant_with_two_sessions(&deployment);
    deployment.sql.run_script(
        "UPDATE sessions SET model = 'large', system_prompt = 'You are B.', head = head + 1 WHERE id = 'b'",
    );
    let forget = Input::ForgetAll {
        session_ids: vec!["b".parse().expect("a name")],
    };
    let runtime = deployment.runtime(&customer.tenant);
    runtime
        .apply(deployment.time.now(), forget)
        .expect("the ledger works");
    script_send(
        &deployment,
        &json!({"session_id": "b", "message": "What\u{7} is\u{0} the plan?"}),
    );
    deployment.http.next(completion_reply("The plan is lunch."));
    deployment.http.next(completion_reply("It is lunch."));
    let response = deployment.chat_with_queue(&customer, "a", "Ask B.");
    assert_eq!(
        response.json()["choices"][0]["message"]["content"],
        "It is lunch."
    );
    let receipt: Value = serde_json::from_str(&tool_results(&deployment)[0]).expect("a receipt");
    assert_eq!(
        (
            &receipt["status"],
            &receipt["reply"],
            &receipt["session_id"]
        ),
        (&json!("replied"), &json!("The plan is lunch."), &json!("b")),
    );
    let provider_requests = provider_requests(&deployment);
    let theirs = &provider_requests[provider_requests.len() - 2];
    assert_eq!(theirs["model"], "large", "by its own model");
    assert_eq!(theirs["messages"][0]["content"], "You are B.");
    let received = user_messages(&deployment, "b");
    let expected = "[Message from session `a` of this account]\n\nWhat is the plan?";
    assert_eq!(received, ["Hello.", expected]);
    assert_eq!(booked(&deployment, &customer), 4, "each turn is charged");
    assert_eq!(states(&deployment), ["replied 1"]);
}

#[test]
fn a_message_without_a_wait_is_delivered() {
    let deployment = Deployment::new();
    let customer = tenant_with_two_sessions(&deployment);
    let receipt = send(&deployment, &customer, "a", "b", "Good morning.");
    assert_eq!(receipt["status"], "queued");
    assert_eq!(user_messages(&deployment, "b"), ["Hello."]);
    deployment
        .http
        .next(completion_reply("Good morning to you."));
    assert_eq!(deployment.deliver_posted(), [Verdict::Done]);
    assert_eq!(user_messages(&deployment, "b").len(), 2);
    // The wait is limited; the turn is not.
    script_send(
        &deployment,
        &json!({"session_id": "b", "message": "Take your time.", "timeout_seconds": 2}),
    );
    let slow = completion_reply("At last.").after(Step::Wait(Millis::from_secs(20)));
    deployment.http.next(slow);
    deployment.http.next(completion_reply("They think."));
    deployment.chat_with_queue(&customer, "a", "Ask B.");
    let provider_requests = provider_requests(&deployment);
    let shown = provider_requests.last().expect("one").to_string();
    assert!(shown.contains(r#"\"status\":\"running\""#), "{shown}");
    assert_eq!(states(&deployment), ["replied 1", "replied 1"]);
}

#[test]
fn repeated_concurrent_and_reordered_deliveries_run_each_message_once() {
    let deployment = Deployment::new();
    let customer = tenant_with_two_sessions(&deployment);
    for text in ["one", "two", "three"] {
        send(&deployment, &customer, "a", "b", text);
    }
    let posted = deployment.posted.take();
    let before = provider_requests(&deployment).len();
    deployment.http.always(completion_reply("Fine."));
    let mut jobs: Vec<SendJob> = posted.iter().rev().chain(&posted).cloned().collect();
    jobs.extend(posted.iter().cloned());
    for _ in 0..3 {
        deployment.deliver_all(&jobs);
        advance(&deployment, 60);
    }
    assert_eq!(deployment.deliver_all(&jobs), [Verdict::Done; 9]);
    let mut received = user_messages(&deployment, "b").split_off(1);
    received.sort();
    let texts: Vec<&str> = received
        .iter()
        .filter_map(|it| it.rsplit('\n').next())
        .collect();
    assert_eq!(texts, ["one", "three", "two"]);
    assert_eq!(
        provider_requests(&deployment).len(),
        before + 3,
        "no model was called twice"
    );
    assert_eq!(booked(&deployment, &customer), 2 + 3 + 3);
}

#[test]
fn attack_42_a_cycle_of_messages_ends_after_four_hops_and_each_is_charged() {
    let deployment = Deployment::new();
    let customer = tenant_with_two_sessions(&deployment);
    let to =
        |session: &str| json!({"session_id": session, "message": "Go on.", "timeout_seconds": 60});
    script_send(
        &deployment,
        &json!({"session_id": "b", "message": "Go on.", "timeout_seconds": 0}),
    );
    deployment.http.next(completion_reply("Sent."));
    deployment.chat_in_session(&customer, "a", "Begin.");
    let start = deployment.time.now();
    for target in ["a", "b", "a", "b"] {
        script_send(&deployment, &to(target));
        deployment.http.next(completion_reply("Sent."));
        assert_eq!(deployment.deliver_posted(), [Verdict::Done]);
    }
    let refusal = tool_results(&deployment).last().expect("one").clone();
    assert!(refusal.contains("4 hops"), "{refusal}");
    assert!(deployment.posted.borrow().is_empty(), "nothing goes on");
    assert_eq!(states(&deployment), vec!["replied 1"; 4]);
    let refused = recorded(&deployment)
        .iter()
        .filter(|it| it.ends_with("refused"))
        .count();
    assert_eq!(refused, 1);
    assert_eq!(booked(&deployment, &customer), 2 + 1 + 4);
    // No turn waited for a session that waits for it.
    assert!(deployment.time.now().since(start) < Millis::from_secs(60));
}

#[test]
fn two_sessions_that_wait_for_each_other_both_finish() {
    let deployment = Deployment::new();
    let customer = tenant_with_two_sessions(&deployment);
    let bearer = format!("Bearer {}", customer.key);
    for to in ["b", "a"] {
        script_send(
            &deployment,
            &json!({"session_id": to, "message": "You first.", "timeout_seconds": 20}),
        );
    }
    deployment.http.always(completion_reply("Then not."));
    let send_from = |session: &'static str| {
        let headers = [
            ("authorization", bearer.clone()),
            ("x-session-id", session.to_owned()),
        ];
        let deployment = deployment.clone();
        async move {
            let headers: Vec<(&str, &str)> = headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            deployment
                .send(&headers, crate::support::chat_request("Go.").to_string())
                .await
        }
    };
    let answers = deployment.run(join_all(
        ["a", "b"].map(|from| send_from(from).boxed_local()),
    ));
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(deployment.deliver_posted(), [Verdict::Done; 2]);
    assert_eq!(states(&deployment), ["replied 1"; 2]);
    assert_eq!(
        (
            user_messages(&deployment, "a").len(),
            user_messages(&deployment, "b").len()
        ),
        (3, 3)
    );
}

#[test]
fn a_dead_try_is_retried_once_the_ledger_has_swept_it() {
    let deployment = Deployment::new();
    let customer = tenant_with_two_sessions(&deployment);
    send(&deployment, &customer, "a", "b", "Remember me.");
    let job = deployment.posted.take().remove(0);
    let slow = completion_reply("Never received.").after(Step::Wait(Millis::from_secs(20)));
    deployment.http.next(slow);
    deployment.kill_in(1, deliver(&deployment, &job));
    assert_eq!(states(&deployment), ["running 1"]);
    // A second delivery does not take the message from a try that may still run.
    let waits = deployment.deliver_all(std::slice::from_ref(&job));
    assert!(matches!(waits[..], [Verdict::RetryAfter(_)]));
    advance(&deployment, 60);
    let waits = deployment.deliver_all(std::slice::from_ref(&job));
    assert!(
        matches!(waits[..], [Verdict::RetryAfter(_)]),
        "the ledger still holds the reservation"
    );
    deployment.run(deployment.time.sleep(RESERVATION_TTL));
    deployment.run_alarm(&customer.tenant);
    deployment.http.next(completion_reply("Heard."));
    assert_eq!(
        deployment.deliver_all(&[job.clone(), job.clone()])[0],
        Verdict::Done
    );
    assert_eq!(deployment.deliver_all(&[job]), [Verdict::Done]);
    assert_eq!(states(&deployment), ["replied 2"]);
    assert_eq!(user_messages(&deployment, "b").len(), 2, "delivered once");
}

#[test]
fn a_repeated_turn_does_not_send_its_messages_again() {
    let deployment = Deployment::new();
    let customer = tenant_with_two_sessions(&deployment);
    deployment.http.next(completion_reply("Hello."));
    deployment.chat_in_session(&customer, "c", "Hello.");
    send(&deployment, &customer, "a", "b", "Tell C.");
    let job = deployment.posted.take().remove(0);
    let onward = json!({"session_id": "c", "message": "From A.", "timeout_seconds": 0});
    script_send(&deployment, &onward);
    let slow = completion_reply("Never stored.").after(Step::Wait(Millis::from_secs(20)));
    deployment.http.next(slow);
    deployment.kill_in(5, deliver(&deployment, &job));
    assert_eq!(states(&deployment), ["running 1", "queued 0"]);
    deployment.run(deployment.time.sleep(RESERVATION_TTL));
    deployment.run_alarm(&customer.tenant);
    script_send(&deployment, &onward);
    deployment.http.next(completion_reply("Told."));
    assert_eq!(deployment.deliver_all(&[job]), [Verdict::Done]);
    deployment.http.always(completion_reply("Understood."));
    for _ in 0..2 {
        deployment.deliver_posted();
    }
    assert_eq!(states(&deployment), ["replied 2", "replied 1"]);
    assert_eq!(
        user_messages(&deployment, "c").len(),
        2,
        "C received it once"
    );
}

#[test]
fn a_busy_session_gets_its_message_later() {
    let deployment = Deployment::new();
    let customer = tenant_with_two_sessions(&deployment);
    send(&deployment, &customer, "a", "b", "When you can.");
    let job = deployment.posted.take().remove(0);
    let slow = completion_reply("Done thinking.").after(Step::Wait(Millis::from_secs(25)));
    deployment.http.next(slow);
    deployment.http.always(completion_reply("Now."));
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str()), ("x-session-id", "b")];
    let long = deployment.send(&headers, crate::support::chat_request("Think.").to_string());
    let delivery = async {
        deployment.time.sleep(Millis::from_secs(1)).await;
        deliver(&deployment, &job).await
    };
    let (_, verdict) = deployment.run(futures_util::future::join(long, delivery));
    assert_eq!(verdict, Verdict::RetryAfter(Millis::from_secs(5)));
    assert_eq!(states(&deployment), ["queued session_busy 1"]);
    assert_eq!(deployment.deliver_all(&[job]), [Verdict::Done]);
    assert_eq!(states(&deployment), ["replied 2"]);
}

#[test]
fn a_failed_delivery_has_its_reason() {
    let deployment = Deployment::new();
    // The provider fails every time.
    let customer = tenant_with_two_sessions(&deployment);
    send(&deployment, &customer, "a", "b", "Hello?");
    let job = deployment.posted.take().remove(0);
    deployment.http.always(Reply::json(500, "{}"));
    let mut verdicts = Vec::new();
    while verdicts.last() != Some(&Verdict::Done) {
        verdicts.extend(deployment.deliver_all(std::slice::from_ref(&job)));
        advance(&deployment, 60);
    }
    assert_eq!(verdicts.len(), 6);
    assert_eq!(states(&deployment), ["failed upstream_error 6"]);
    deployment.http.always(completion_reply("Yes."));
    // The key is revoked after the send.
    send(&deployment, &customer, "a", "b", "One more.");
    let key = deployment.sql.rows("SELECT id FROM api_keys")[0]["id"].clone();
    let key_id = serde_json::from_value(key).expect("an id");
    let runtime = deployment.runtime(&customer.tenant);
    runtime
        .apply(deployment.time.now(), Input::Revoke { key_id })
        .expect("the ledger works");
    assert_eq!(deployment.deliver_posted(), [Verdict::Done]);
    assert_eq!(states(&deployment)[1], "failed invalid_api_key 1");
    assert_eq!(user_messages(&deployment, "b"), ["Hello."]);
    let left = "SELECT count(*) FROM sends WHERE message IS NOT NULL";
    assert_eq!(deployment.sql.count(left), 0, "their texts are deleted");
}

#[test]
fn a_message_reaches_neither_a_deleted_session_nor_its_successor() {
    let deployment = Deployment::new();
    let customer = tenant_with_two_sessions(&deployment);
    for text in ["one", "two"] {
        send(&deployment, &customer, "a", "b", text);
    }
    let posted = deployment.posted.take();
    let (id, now) = ("b".parse().expect("a name"), deployment.time.now());
    let deleted = clawless_store::sessions::delete(&deployment.sql, &customer.tenant, &id, now);
    let deleted = deployment.time.run(deleted).expect("the database works");
    assert!(deleted.is_some());
    assert_eq!(deployment.deliver_all(&posted[..1]), [Verdict::Done]);
    advance(&deployment, 1);
    deployment.http.always(completion_reply("I am new."));
    let forget = Input::ForgetAll {
        session_ids: vec![id],
    };
    let runtime = deployment.runtime(&customer.tenant);
    runtime
        .apply(deployment.time.now(), forget)
        .expect("the ledger works");
    deployment.chat_in_session(&customer, "b", "Who are you?");
    assert_eq!(deployment.deliver_all(&posted[1..]), [Verdict::Done]);
    assert_eq!(states(&deployment), ["failed resource_not_found 1"; 2]);
    assert_eq!(user_messages(&deployment, "b"), ["Who are you?"]);
}

#[test]
fn the_cleanup_posts_a_message_that_the_queue_rejected() {
    let deployment = Deployment::new();
    let customer = tenant_with_two_sessions(&deployment);
    deployment.is_queue_down.set(true);
    let receipt = send(&deployment, &customer, "a", "b", "Are you there?");
    assert_eq!(receipt["status"], "queued");
    let sweep = || {
        let now = deployment.time.now();
        let cleaned = clean(&deployment.sql, &*deployment, now);
        deployment.time.run(cleaned).expect("cleaned");
    };
    sweep();
    advance(&deployment, 16 * 60);
    sweep();
    assert!(deployment.posted.borrow().is_empty(), "still down");
    deployment.is_queue_down.set(false);
    sweep();
    deployment.http.next(completion_reply("I am."));
    assert_eq!(deployment.deliver_posted(), [Verdict::Done]);
    assert_eq!(states(&deployment), ["replied 1"]);
    advance(&deployment, 25 * 60 * 60);
    sweep();
    assert!(states(&deployment).is_empty(), "forgotten after a day");
}

#[test]
fn a_dead_lettered_message_fails_with_its_last_reason() {
    let deployment = Deployment::new();
    let customer = tenant_with_two_sessions(&deployment);
    send(&deployment, &customer, "a", "b", "Hello?");
    let job = deployment.posted.take().remove(0);
    deployment.http.next(Reply::json(529, "{}"));
    deployment.deliver_all(std::slice::from_ref(&job));
    let given_up = deployment.run(give_up(&*deployment, &job));
    assert_eq!(given_up, Verdict::Done);
    assert!(
        states(&deployment)[0].starts_with("failed upstream_"),
        "{:?}",
        states(&deployment)
    );
    // A later delivery does not change the failed message.
    assert_eq!(deployment.deliver_all(&[job]), [Verdict::Done]);
    assert_eq!(user_messages(&deployment, "b"), ["Hello."]);
}

#[test]
fn attack_18_a_foreign_session_is_indistinguishable_from_a_missing_one() {
    let deployment = Deployment::new();
    let (ours, theirs) = (
        tenant_with_two_sessions(&deployment),
        customer(&deployment, TOOLS),
    );
    deployment.http.next(completion_reply("Hello."));
    deployment.chat_in_session(&theirs, "theirs", "A secret.");
    let tool_results = ["theirs", "missing"].map(|to| {
        let arguments = json!({"session_id": to, "message": "Open up.", "timeout_seconds": 60});
        try_send(&deployment, &ours, "a", &arguments)
    });
    assert_eq!(
        tool_results[0].replace("theirs", "missing"),
        tool_results[1]
    );
    assert!(deployment.posted.borrow().is_empty() && states(&deployment).is_empty());
    assert_eq!(user_messages(&deployment, "theirs"), ["A secret."]);
    assert_eq!(
        recorded(&deployment),
        ["sessions_send failed"; 2],
        "both calls are recorded"
    );
}

#[test]
fn an_invalid_message_is_refused_with_the_reason() {
    let deployment = Deployment::new();
    let customer = tenant_with_two_sessions(&deployment);
    let tool_results = |arguments: Value| try_send(&deployment, &customer, "a", &arguments);
    assert!(tool_results(json!({"session_id": "a", "message": "Me."})).contains("itself"));
    assert!(tool_results(json!({"session_id": "b", "message": " \u{1b} "})).contains("nothing"));
    for folded in [".", "..", "a/../b", "%2e%2e"] {
        let refused = tool_results(json!({"session_id": folded, "message": "x"}));
        assert!(refused.contains("Invalid `session_id`"), "{refused}");
    }
    let long = "x".repeat(16_001);
    assert!(tool_results(json!({"session_id": "b", "message": long})).contains("`message`"));
    let patient = json!({"session_id": "b", "message": "x", "timeout_seconds": 61});
    assert!(tool_results(patient).contains("`timeout_seconds`"));
    // Nine in one turn, at once.
    let many: Vec<(String, String)> = (0..9)
        .map(|number| {
            let text = format!("{number}");
            let arguments = json!({"session_id": "b", "message": text, "timeout_seconds": 0});
            (text, arguments.to_string())
        })
        .collect();
    let many: Vec<_> = many
        .iter()
        .map(|(id, arguments)| (id.as_str(), "sessions_send", arguments.as_str()))
        .collect();
    deployment.http.next(calls(None, &many));
    deployment.http.next(completion_reply("Sent."));
    let response = deployment.chat_in_session(&customer, "a", "Tell them all.");
    assert_eq!(response.status, 200, "{}", response.body);
    let results = crate::tool_results(&deployment);
    let results = results.get(results.len() - 9..).expect("nine");
    let refused = results.iter().filter(|it| it.contains("at most 8")).count();
    assert_eq!((refused, states(&deployment).len()), (1, 8));
}

#[test]
fn a_key_without_the_write_scope_is_not_offered_the_tool() {
    let deployment = Deployment::new();
    let settings = clawless_core::tenant::TenantSettings {
        tools: vec!["sessions_send".to_owned()],
        ..Default::default()
    };
    let reader = deployment.customer_with(settings, |key| {
        key.scopes = [Scope::Chat, Scope::Tools, Scope::SessionsRead]
            .into_iter()
            .collect();
    });
    deployment.http.next(completion_reply("Hello."));
    deployment.chat_in_session(&reader, "a", "Hello.");
    assert!(provider_requests(&deployment)[0].get("tools").is_none());
}
