//! `sessions_send`: what one session says to another, whatever dies, comes twice or goes in circles.

use std::rc::Rc;

use clawless_core::ledger::{Input, Period, RESERVATION_TTL};
use clawless_core::sending::SendJob;
use clawless_core::time::Timer;
use clawless_core::{Clock, Millis, Scope};
use clawless_gateway::sends::deliver::{Verdict, deliver, give_up};
use clawless_gateway::sends::maintenance::clean;
use clawless_testkit::provider::{Reply, Step};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Customer, Deployment, answers};
use crate::{asked, calls, customer, recorded, told};

const TOOLS: &[&str] = &["sessions_send"];

/// A tenant with two sessions that have been used, `a` and `b`.
fn pair(deployment: &Rc<Deployment>) -> Customer {
    let customer = customer(deployment, TOOLS);
    for session in ["a", "b"] {
        deployment.http.next(answers("Hello."));
        deployment.say(&customer, session, "Hello.");
    }
    customer
}

/// The model's next answer is a call of the tool.
fn will_send(deployment: &Deployment, arguments: &Value) {
    let arguments = arguments.to_string();
    let call = [("c", "sessions_send", arguments.as_str())];
    deployment.http.next(calls(None, &call));
}

/// Has `from` send to `to` without waiting; gives the receipt.
fn send(
    deployment: &Rc<Deployment>,
    customer: &Customer,
    from: &str,
    to: &str,
    text: &str,
) -> Value {
    let arguments = json!({"session_id": to, "message": text, "timeout_seconds": 0});
    let told = try_send(deployment, customer, from, &arguments);
    serde_json::from_str(&told).expect("a receipt")
}

/// What a model in `from` is told of a call.
fn try_send(
    deployment: &Rc<Deployment>,
    customer: &Customer,
    from: &str,
    arguments: &Value,
) -> String {
    will_send(deployment, arguments);
    deployment.http.next(answers("Sent."));
    let response = deployment.say(customer, from, "Tell them.");
    assert_eq!(response.status, 200, "{}", response.body);
    told(deployment).last().expect("a result").clone()
}

/// The messages as they stand, oldest first: `state reason tries`.
fn states(deployment: &Deployment) -> Vec<String> {
    let rows = deployment.sql.rows(
        "SELECT state || coalesce(' ' || reason, '') || ' ' || tries AS it FROM sends
         ORDER BY created_at, rowid",
    );
    rows.iter()
        .map(|row| row["it"].as_str().expect("a text").to_owned())
        .collect()
}

/// What users said in a session, as it is stored.
fn said(deployment: &Deployment, session: &str) -> Vec<String> {
    let rows = deployment.sql.rows(&format!(
        "SELECT json_extract(content, '$.content') AS text FROM messages
         WHERE session_id = '{session}' AND role = 'user' ORDER BY seq, position"
    ));
    rows.iter()
        .map(|row| row["text"].as_str().expect("a text").to_owned())
        .collect()
}

/// How many calls have been booked; nothing may be open.
fn booked(deployment: &Deployment, customer: &Customer) -> u64 {
    let runtime = deployment.runtime(&customer.tenant);
    let statement = runtime.read(|machine| machine.statement(Period::of(deployment.time.now())));
    assert_eq!(statement.open.messages, 0, "nothing is open");
    statement.closed.used().messages
}

fn pass(deployment: &Rc<Deployment>, secs: u64) {
    deployment.run(deployment.time.sleep(Millis::from_secs(secs)));
}

#[test]
fn the_answer_comes_from_the_other_sessions_own_turn() {
    let deployment = Deployment::new();
    let customer = pair(&deployment);
    deployment.sql.run_script(
        "UPDATE sessions SET model = 'large', system_prompt = 'You are B.', head = head + 1 WHERE id = 'b'",
    );
    let forget = Input::Forget {
        session_id: "b".parse().expect("a name"),
    };
    let runtime = deployment.runtime(&customer.tenant);
    runtime.apply(deployment.time.now(), forget).expect("told");
    will_send(
        &deployment,
        &json!({"session_id": "b", "message": "What\u{7} is\u{0} the plan?"}),
    );
    deployment.http.next(answers("The plan is lunch."));
    deployment.http.next(answers("It is lunch."));
    let response = deployment.say_with_post(&customer, "a", "Ask B.");
    assert_eq!(
        response.json()["choices"][0]["message"]["content"],
        "It is lunch."
    );
    let receipt: Value = serde_json::from_str(&told(&deployment)[0]).expect("a receipt");
    assert_eq!(
        (
            &receipt["status"],
            &receipt["reply"],
            &receipt["session_id"]
        ),
        (&json!("replied"), &json!("The plan is lunch."), &json!("b")),
    );
    let asked = asked(&deployment);
    let theirs = &asked[asked.len() - 2];
    assert_eq!(theirs["model"], "large", "by its own model");
    assert_eq!(theirs["messages"][0]["content"], "You are B.");
    let heard = said(&deployment, "b");
    let expected = "[Message from session `a` of this account]\n\nWhat is the plan?";
    assert_eq!(heard, ["Hello.", expected]);
    assert_eq!(booked(&deployment, &customer), 4, "each turn is charged");
    assert_eq!(states(&deployment), ["replied 1"]);
}

#[test]
fn what_is_not_waited_for_is_delivered_all_the_same() {
    let deployment = Deployment::new();
    let customer = pair(&deployment);
    let receipt = send(&deployment, &customer, "a", "b", "Good morning.");
    assert_eq!(receipt["status"], "queued");
    assert_eq!(said(&deployment, "b"), ["Hello."]);
    deployment.http.next(answers("Good morning to you."));
    assert_eq!(deployment.bring(), [Verdict::Done]);
    assert_eq!(said(&deployment, "b").len(), 2);
    // The wait is bounded, and the run is not.
    will_send(
        &deployment,
        &json!({"session_id": "b", "message": "Take your time.", "timeout_seconds": 2}),
    );
    let slow = answers("At last.").after(Step::Wait(Millis::from_secs(20)));
    deployment.http.next(slow);
    deployment.http.next(answers("They think."));
    deployment.say_with_post(&customer, "a", "Ask B.");
    let asked = asked(&deployment);
    let shown = asked.last().expect("one").to_string();
    assert!(shown.contains(r#"\"status\":\"running\""#), "{shown}");
    assert_eq!(states(&deployment), ["replied 1", "replied 1"]);
}

#[test]
fn brought_twice_at_once_and_in_any_order_each_is_said_once() {
    let deployment = Deployment::new();
    let customer = pair(&deployment);
    for text in ["one", "two", "three"] {
        send(&deployment, &customer, "a", "b", text);
    }
    let posted = deployment.posted.take();
    let before = asked(&deployment).len();
    deployment.http.always(answers("Fine."));
    let mut errands: Vec<SendJob> = posted.iter().rev().chain(&posted).cloned().collect();
    errands.extend(posted.iter().cloned());
    for _ in 0..3 {
        deployment.bring_all(&errands);
        pass(&deployment, 60);
    }
    assert_eq!(deployment.bring_all(&errands), [Verdict::Done; 9]);
    let mut heard = said(&deployment, "b").split_off(1);
    heard.sort();
    let texts: Vec<&str> = heard
        .iter()
        .filter_map(|it| it.rsplit('\n').next())
        .collect();
    assert_eq!(texts, ["one", "three", "two"]);
    assert_eq!(
        asked(&deployment).len(),
        before + 3,
        "no model was asked twice"
    );
    assert_eq!(booked(&deployment, &customer), 2 + 3 + 3);
}

#[test]
fn attack_42_a_circle_ends_after_four_hops_and_each_is_charged() {
    let deployment = Deployment::new();
    let customer = pair(&deployment);
    let to =
        |session: &str| json!({"session_id": session, "message": "Go on.", "timeout_seconds": 60});
    will_send(
        &deployment,
        &json!({"session_id": "b", "message": "Go on.", "timeout_seconds": 0}),
    );
    deployment.http.next(answers("Sent."));
    deployment.say(&customer, "a", "Begin.");
    let begun = deployment.time.now();
    for target in ["a", "b", "a", "b"] {
        will_send(&deployment, &to(target));
        deployment.http.next(answers("Sent."));
        assert_eq!(deployment.bring(), [Verdict::Done]);
    }
    let refusal = told(&deployment).last().expect("one").clone();
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
    assert!(deployment.time.now().since(begun) < Millis::from_secs(60));
}

#[test]
fn two_that_wait_for_each_other_at_once_both_come_to_their_end() {
    let deployment = Deployment::new();
    let customer = pair(&deployment);
    let bearer = format!("Bearer {}", customer.key);
    for to in ["b", "a"] {
        will_send(
            &deployment,
            &json!({"session_id": to, "message": "You first.", "timeout_seconds": 20}),
        );
    }
    deployment.http.always(answers("Then not."));
    let ask = |session: &'static str| {
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
                .send(&headers, crate::support::ask("Go.").to_string())
                .await
        }
    };
    let answers = deployment.run(join_all([ask("a"), ask("b")]));
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(deployment.bring(), [Verdict::Done; 2]);
    assert_eq!(states(&deployment), ["replied 1"; 2]);
    assert_eq!(
        (said(&deployment, "a").len(), said(&deployment, "b").len()),
        (3, 3)
    );
}

#[test]
fn a_try_that_dies_is_followed_by_another_once_the_ledger_knows() {
    let deployment = Deployment::new();
    let customer = pair(&deployment);
    send(&deployment, &customer, "a", "b", "Remember me.");
    let job = deployment.posted.take().remove(0);
    let slow = answers("Never heard.").after(Step::Wait(Millis::from_secs(20)));
    deployment.http.next(slow);
    deployment.kill_in(1, deliver(&deployment, &job));
    assert_eq!(states(&deployment), ["running 1"]);
    // A second delivery leaves the message to the try that may still run.
    let waits = deployment.bring_all(std::slice::from_ref(&job));
    assert!(matches!(waits[..], [Verdict::RetryAfter(_)]));
    pass(&deployment, 60);
    let waits = deployment.bring_all(std::slice::from_ref(&job));
    assert!(
        matches!(waits[..], [Verdict::RetryAfter(_)]),
        "the ledger holds its place"
    );
    deployment.run(deployment.time.sleep(RESERVATION_TTL));
    deployment.ring(&customer.tenant);
    deployment.http.next(answers("Heard."));
    assert_eq!(
        deployment.bring_all(&[job.clone(), job.clone()])[0],
        Verdict::Done
    );
    assert_eq!(deployment.bring_all(&[job]), [Verdict::Done]);
    assert_eq!(states(&deployment), ["replied 2"]);
    assert_eq!(said(&deployment, "b").len(), 2, "said once");
}

#[test]
fn a_turn_that_is_run_again_does_not_send_again() {
    let deployment = Deployment::new();
    let customer = pair(&deployment);
    deployment.http.next(answers("Hello."));
    deployment.say(&customer, "c", "Hello.");
    send(&deployment, &customer, "a", "b", "Tell C.");
    let job = deployment.posted.take().remove(0);
    let onward = json!({"session_id": "c", "message": "From A.", "timeout_seconds": 0});
    will_send(&deployment, &onward);
    let slow = answers("Never stored.").after(Step::Wait(Millis::from_secs(20)));
    deployment.http.next(slow);
    deployment.kill_in(5, deliver(&deployment, &job));
    assert_eq!(states(&deployment), ["running 1", "queued 0"]);
    deployment.run(deployment.time.sleep(RESERVATION_TTL));
    deployment.ring(&customer.tenant);
    will_send(&deployment, &onward);
    deployment.http.next(answers("Told."));
    assert_eq!(deployment.bring_all(&[job]), [Verdict::Done]);
    deployment.http.always(answers("Understood."));
    for _ in 0..2 {
        deployment.bring();
    }
    assert_eq!(states(&deployment), ["replied 2", "replied 1"]);
    assert_eq!(said(&deployment, "c").len(), 2, "C heard it once");
}

#[test]
fn a_session_that_is_busy_gets_its_message_later() {
    let deployment = Deployment::new();
    let customer = pair(&deployment);
    send(&deployment, &customer, "a", "b", "When you can.");
    let job = deployment.posted.take().remove(0);
    let slow = answers("Done thinking.").after(Step::Wait(Millis::from_secs(25)));
    deployment.http.next(slow);
    deployment.http.always(answers("Now."));
    let bearer = format!("Bearer {}", customer.key);
    let headers = [("authorization", bearer.as_str()), ("x-session-id", "b")];
    let long = deployment.send(&headers, crate::support::ask("Think.").to_string());
    let brought = async {
        deployment.time.sleep(Millis::from_secs(1)).await;
        deliver(&deployment, &job).await
    };
    let (_, verdict) = deployment.run(futures_util::future::join(long, brought));
    assert_eq!(verdict, Verdict::RetryAfter(Millis::from_secs(5)));
    assert_eq!(states(&deployment), ["queued session_busy 1"]);
    assert_eq!(deployment.bring_all(&[job]), [Verdict::Done]);
    assert_eq!(states(&deployment), ["replied 2"]);
}

#[test]
fn what_cannot_be_delivered_says_why() {
    let deployment = Deployment::new();
    // A provider that stays down.
    let customer = pair(&deployment);
    send(&deployment, &customer, "a", "b", "Hello?");
    let job = deployment.posted.take().remove(0);
    deployment.http.always(Reply::json(500, "{}"));
    let mut verdicts = Vec::new();
    while verdicts.last() != Some(&Verdict::Done) {
        verdicts.extend(deployment.bring_all(std::slice::from_ref(&job)));
        pass(&deployment, 60);
    }
    assert_eq!(verdicts.len(), 6);
    assert_eq!(states(&deployment), ["failed upstream_error 6"]);
    deployment.http.always(answers("Yes."));
    // A key that was revoked after it sent.
    send(&deployment, &customer, "a", "b", "One more.");
    let key = deployment.sql.rows("SELECT id FROM api_keys")[0]["id"].clone();
    let key_id = serde_json::from_value(key).expect("an id");
    let runtime = deployment.runtime(&customer.tenant);
    runtime
        .apply(deployment.time.now(), Input::Revoke { key_id })
        .expect("told");
    assert_eq!(deployment.bring(), [Verdict::Done]);
    assert_eq!(states(&deployment)[1], "failed invalid_api_key 1");
    assert_eq!(said(&deployment, "b"), ["Hello."]);
    let left = "SELECT count(*) FROM sends WHERE message IS NOT NULL";
    assert_eq!(deployment.sql.count(left), 0, "nothing is kept of them");
}

#[test]
fn a_session_that_was_deleted_meanwhile_gets_nothing_nor_does_its_successor() {
    let deployment = Deployment::new();
    let customer = pair(&deployment);
    for text in ["one", "two"] {
        send(&deployment, &customer, "a", "b", text);
    }
    let posted = deployment.posted.take();
    let (id, now) = ("b".parse().expect("a name"), deployment.time.now());
    let deleted = clawless_store::sessions::delete(&deployment.sql, &customer.tenant, &id, now);
    assert_eq!(deployment.time.run(deleted), Ok(true));
    assert_eq!(deployment.bring_all(&posted[..1]), [Verdict::Done]);
    pass(&deployment, 1);
    deployment.http.always(answers("I am new."));
    let forget = Input::Forget { session_id: id };
    let runtime = deployment.runtime(&customer.tenant);
    runtime.apply(deployment.time.now(), forget).expect("told");
    deployment.say(&customer, "b", "Who are you?");
    assert_eq!(deployment.bring_all(&posted[1..]), [Verdict::Done]);
    assert_eq!(states(&deployment), ["failed resource_not_found 1"; 2]);
    assert_eq!(said(&deployment, "b"), ["Who are you?"]);
}

#[test]
fn a_message_that_the_queue_did_not_take_is_found_by_the_housekeeping() {
    let deployment = Deployment::new();
    let customer = pair(&deployment);
    deployment.is_queue_down.set(true);
    let receipt = send(&deployment, &customer, "a", "b", "Are you there?");
    assert_eq!(receipt["status"], "queued");
    let sweep = || {
        let now = deployment.time.now();
        let cleaned = clean(&deployment.sql, &*deployment, now);
        deployment.time.run(cleaned).expect("cleaned");
    };
    sweep();
    pass(&deployment, 16 * 60);
    sweep();
    assert!(deployment.posted.borrow().is_empty(), "still down");
    deployment.is_queue_down.set(false);
    sweep();
    deployment.http.next(answers("I am."));
    assert_eq!(deployment.bring(), [Verdict::Done]);
    assert_eq!(states(&deployment), ["replied 1"]);
    pass(&deployment, 25 * 60 * 60);
    sweep();
    assert!(states(&deployment).is_empty(), "forgotten after a day");
}

#[test]
fn what_the_queue_has_brought_too_often_fails_for_its_last_reason() {
    let deployment = Deployment::new();
    let customer = pair(&deployment);
    send(&deployment, &customer, "a", "b", "Hello?");
    let job = deployment.posted.take().remove(0);
    deployment.http.next(Reply::json(529, "{}"));
    deployment.bring_all(std::slice::from_ref(&job));
    let given_up = deployment.run(give_up(&*deployment, &job));
    assert_eq!(given_up, Verdict::Done);
    assert!(
        states(&deployment)[0].starts_with("failed upstream_"),
        "{:?}",
        states(&deployment)
    );
    // And it stays failed, however late the queue brings it once more.
    assert_eq!(deployment.bring_all(&[job]), [Verdict::Done]);
    assert_eq!(said(&deployment, "b"), ["Hello."]);
}

#[test]
fn attack_18_a_foreign_session_is_told_apart_from_none_by_nothing() {
    let deployment = Deployment::new();
    let (ours, theirs) = (pair(&deployment), customer(&deployment, TOOLS));
    deployment.http.next(answers("Hello."));
    deployment.say(&theirs, "theirs", "A secret.");
    let told = ["theirs", "missing"].map(|to| {
        let arguments = json!({"session_id": to, "message": "Open up.", "timeout_seconds": 60});
        try_send(&deployment, &ours, "a", &arguments)
    });
    assert_eq!(told[0].replace("theirs", "missing"), told[1]);
    assert!(deployment.posted.borrow().is_empty() && states(&deployment).is_empty());
    assert_eq!(said(&deployment, "theirs"), ["A secret."]);
    assert_eq!(
        recorded(&deployment),
        ["sessions_send failed"; 2],
        "and it is on record"
    );
}

#[test]
fn what_may_not_be_sent_is_refused_and_says_why() {
    let deployment = Deployment::new();
    let customer = pair(&deployment);
    let told = |arguments: Value| try_send(&deployment, &customer, "a", &arguments);
    assert!(told(json!({"session_id": "a", "message": "Me."})).contains("itself"));
    assert!(told(json!({"session_id": "b", "message": " \u{1b} "})).contains("nothing"));
    let long = "x".repeat(16_001);
    assert!(told(json!({"session_id": "b", "message": long})).contains("`message`"));
    let patient = json!({"session_id": "b", "message": "x", "timeout_seconds": 61});
    assert!(told(patient).contains("`timeout_seconds`"));
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
    deployment.http.next(answers("Sent."));
    let response = deployment.say(&customer, "a", "Tell them all.");
    assert_eq!(response.status, 200, "{}", response.body);
    let results = crate::told(&deployment);
    let results = results.get(results.len() - 9..).expect("nine");
    let refused = results.iter().filter(|it| it.contains("at most 8")).count();
    assert_eq!((refused, states(&deployment).len()), (1, 8));
}

#[test]
fn a_key_that_may_not_write_sessions_is_not_offered_the_tool() {
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
    deployment.http.next(answers("Hello."));
    deployment.say(&reader, "a", "Hello.");
    assert!(asked(&deployment)[0].get("tools").is_none());
}
