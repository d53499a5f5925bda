//! A repeated request makes one call, one charge and one turn, and gets the same response.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use std::rc::Rc;

use clawless_core::Millis;
use clawless_core::ledger::Period;
use clawless_core::time::{Clock, Timer};
use clawless_gateway::housekeeping;
use clawless_testkit::Fault;
use clawless_testkit::provider::{Reply, Step};
use futures_util::future::{Either, join, join_all, select};
use serde_json::{Value, json};
use support::{
    Customer, Deployment, Response, chat_request, completion_reply, delta, end,
    streamed_chat_request,
};

/// Headers of a request with this idempotency key, in this session.
struct Headers {
    bearer: String,
    key: String,
    session: Option<String>,
}

impl Headers {
    fn of(customer: &Customer, key: &str) -> Self {
        Self {
            bearer: format!("Bearer {}", customer.key),
            key: key.to_owned(),
            session: None,
        }
    }

    fn in_session(mut self, session: &str) -> Self {
        self.session = Some(session.to_owned());
        self
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        let mut pairs = vec![
            ("authorization", self.bearer.as_str()),
            ("idempotency-key", self.key.as_str()),
        ];
        pairs.extend(self.session.as_deref().map(|id| ("x-session-id", id)));
        pairs
    }

    fn send(&self, deployment: &Rc<Deployment>, body: &Value) -> Response {
        deployment.chat_with(&self.pairs(), &body.to_string())
    }
}

fn is_replay(response: &Response) -> bool {
    response
        .headers
        .get("idempotent-replayed")
        .map(String::as_str)
        == Some("true")
}

fn booked(deployment: &Deployment, customer: &Customer) -> u64 {
    let runtime = deployment.runtime(&customer.tenant);
    let statement = runtime.read(|machine| machine.statement(Period::of(deployment.time.now())));
    assert_eq!(statement.open.messages, 0, "nothing is open");
    statement.closed.used().messages
}

#[test]
fn attack_46_a_repeated_request_gets_the_same_bytes_for_one_call_and_one_charge() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let headers = Headers::of(&customer, "order-1").in_session("s");
    deployment.http.next(completion_reply("Hello."));
    let first = headers.send(&deployment, &chat_request("Hi"));
    let second = headers.send(&deployment, &chat_request("Hi"));
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(first.body, second.body);
    assert!(!is_replay(&first) && is_replay(&second));
    assert_eq!(second.headers["x-session-id"], "s");
    assert_eq!(deployment.http.requests().len(), 1);
    assert_eq!(booked(&deployment, &customer), 1);
    assert_eq!(deployment.sql.count("SELECT count(*) FROM turns"), 1);
}

#[test]
fn a_repeated_stream_has_the_same_id_content_tool_calls_end_and_usage() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let headers = Headers::of(&customer, "order-1");
    let call = |function: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":0,{function}}}]}},\"finish_reason\":null}}]}}\n\n"
        )
    };
    deployment.http.next(Reply::reads(&[
        &delta("Hel"),
        &delta("lo"),
        &call(r#""id":"call_1","type":"function","function":{"name":"look","arguments":"{\"a\""}"#),
        &call(r#""function":{"arguments":":1}"}"#),
        &end(),
    ]));
    let mut body = streamed_chat_request("Hi");
    body["stream_options"] = json!({"include_usage": true});
    body["tools"] = json!([{"type": "function", "function": {"name": "look"}}]);
    let (first, second) = (
        headers.send(&deployment, &body),
        headers.send(&deployment, &body),
    );
    assert!(first.is_done() && second.is_done(), "{}", second.body);
    assert!(is_replay(&second));
    let content = |response: &Response| {
        let events = response.events();
        let arguments: String = events
            .iter()
            .filter_map(|event| {
                event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str()
            })
            .collect();
        let named = events.iter().find_map(|event| {
            event["choices"][0]["delta"]["tool_calls"][0]["id"]
                .as_str()
                .map(str::to_owned)
        });
        let reason = events.iter().find_map(|event| {
            event["choices"][0]["finish_reason"]
                .as_str()
                .map(str::to_owned)
        });
        let usage = events.last().expect("events")["usage"].clone();
        let (id, created) = (events[0]["id"].clone(), events[0]["created"].clone());
        (
            response.text(),
            arguments,
            named,
            reason,
            usage,
            id,
            created,
        )
    };
    assert_eq!(content(&first), content(&second));
    assert_eq!(content(&second).1, r#"{"a":1}"#);
    assert_eq!(deployment.http.requests().len(), 1);
}

#[test]
fn another_body_or_session_under_the_same_key_is_refused() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let headers = Headers::of(&customer, "order-1");
    deployment.http.always(completion_reply("Hello."));
    headers.send(&deployment, &chat_request("Hi"));
    let refused = headers.send(&deployment, &chat_request("Ho"));
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (422, "idempotency_key_reused")
    );
    let elsewhere = Headers::of(&customer, "order-1").in_session("s");
    assert_eq!(elsewhere.send(&deployment, &chat_request("Hi")).status, 422);
    assert_eq!(deployment.http.requests().len(), 1);
}

/// The headers that every answer to a request with an idempotency key has: rates, model and tries.
fn report(response: &Response) -> (bool, Option<&str>, Option<&str>) {
    let header = |name: &str| response.headers.get(name).map(String::as_str);
    let limits = ["limit", "remaining", "reset"];
    let rates = limits.map(|name| header(&format!("x-ratelimit-{name}-requests")).is_some());
    let [model, tries] = ["x-clawless-model", "x-clawless-tries"].map(header);
    (rates == [true; 3], model, tries)
}

#[test]
fn every_answer_to_a_keyed_request_has_the_rates_of_this_request_and_the_model() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.always(completion_reply("Hello."));
    for (key, session) in [("stateless", None), ("stored", Some("s"))] {
        let headers = Headers::of(&customer, key);
        let headers = match session {
            Some(session) => headers.in_session(session),
            None => headers,
        };
        let first = headers.send(&deployment, &chat_request("Hi"));
        let (_, model, tries) = report(&first);
        let (model, tries) = (model.map(str::to_owned), tries.map(str::to_owned));
        assert!(model.is_some() && tries.as_deref() == Some("1"));
        if session.is_some() {
            let forget = "UPDATE idempotency SET state = 'running', answer = NULL";
            deployment.sql.run_script(forget);
        }
        let again = headers.send(&deployment, &chat_request("Hi"));
        assert!(is_replay(&again));
        assert_eq!(report(&again), (true, model.as_deref(), Some("0")), "{key}");
        let remaining = |response: &Response| {
            let remaining = response.headers["x-ratelimit-remaining-requests"].parse::<u64>();
            remaining.expect("a number")
        };
        assert!(remaining(&again) < remaining(&first), "{key}");
        let reused = headers.send(&deployment, &chat_request("Ho"));
        assert_eq!(reused.status, 422);
        assert_eq!(
            report(&reused),
            (true, model.as_deref(), Some("0")),
            "{key}"
        );
    }
}

#[test]
fn a_repeated_stream_and_an_answer_that_is_too_long_to_repeat_have_the_headers_too() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let headers = Headers::of(&customer, "stream");
    deployment
        .http
        .next(Reply::reads(&[&delta("Hello."), &end()]));
    let first = headers.send(&deployment, &streamed_chat_request("Hi"));
    let again = headers.send(&deployment, &streamed_chat_request("Hi"));
    assert!(is_replay(&again));
    assert_eq!(report(&again), (true, report(&first).1, Some("0")));

    let headers = Headers::of(&customer, "long");
    deployment
        .http
        .next(completion_reply(&"a".repeat(300 * 1024)));
    let first = headers.send(&deployment, &chat_request("Hi"));
    let again = headers.send(&deployment, &chat_request("Hi"));
    assert_eq!((first.status, again.status), (200, 409), "{}", again.body);
    assert_eq!(report(&again), (true, report(&first).1, Some("0")));
}

#[test]
fn a_key_of_256_characters_and_an_empty_one_are_refused() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.always(completion_reply("Hello."));
    for (key, status) in [
        (String::new(), 400),
        ("k".repeat(256), 400),
        ("k".repeat(255), 200),
    ] {
        let response = Headers::of(&customer, &key).send(&deployment, &chat_request("Hi"));
        assert_eq!(response.status, status, "{}", key.len());
    }
}

#[test]
fn attack_19_one_idempotency_key_of_two_tenants_is_two_requests() {
    let deployment = Deployment::new();
    let (ours, theirs) = (deployment.customer(), deployment.customer());
    deployment.http.next(completion_reply("ours"));
    deployment.http.next(completion_reply("theirs"));
    Headers::of(&ours, "order-1").send(&deployment, &chat_request("Hi"));
    let other = Headers::of(&theirs, "order-1").send(&deployment, &chat_request("Ho"));
    assert!(other.status == 200 && other.body.contains("theirs"));
    assert!(!is_replay(&other));
}

#[test]
fn concurrent_requests_with_one_key_make_one_call_and_get_the_same_response() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(Reply::steps(vec![
        Step::Wait(Millis::from_secs(25)),
        Step::Bytes(delta("Hello").into_bytes()),
        Step::Bytes(end().into_bytes()),
    ]));
    let headers = Headers::of(&customer, "order-1").in_session("s");
    let pairs = headers.pairs();
    let all =
        deployment.run(join_all((0..8).map(|_| {
            deployment.send(&pairs, streamed_chat_request("Hi").to_string())
        })));
    assert!(all.iter().all(Response::is_done));
    assert_eq!(all.iter().filter(|one| !is_replay(one)).count(), 1);
    assert!(all.iter().all(|one| one.text() == "Hello"));
    assert_eq!(deployment.http.requests().len(), 1);
    assert_eq!(booked(&deployment, &customer), 1);
}

#[test]
fn a_retry_after_a_disconnect_gets_the_stored_response() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(Reply::steps(vec![
        Step::Bytes(delta("Hello").into_bytes()),
        Step::Wait(Millis::from_secs(5)),
        Step::Bytes(end().into_bytes()),
    ]));
    let headers = Headers::of(&customer, "order-1");
    let pairs = headers.pairs();
    let body = streamed_chat_request("Hi").to_string();
    let again = deployment.run(async {
        let leaving = deployment.time.sleep(Millis::from_secs(1));
        let first = Box::pin(deployment.send(&pairs, body.clone()));
        match select(first, Box::pin(leaving)).await {
            Either::Right(((), first)) => drop(first),
            Either::Left(_) => panic!("the answer came too soon"),
        }
        deployment.send(&pairs, body.clone()).await
    });
    assert!(again.is_done() && is_replay(&again));
    assert_eq!(again.text(), "Hello");
    assert_eq!(deployment.http.requests().len(), 1);
    assert_eq!(booked(&deployment, &customer), 1);
}

#[test]
fn an_error_before_the_first_byte_is_not_stored() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let headers = Headers::of(&customer, "order-1");
    deployment.http.next(Reply::json(400, "{}"));
    assert_eq!(headers.send(&deployment, &chat_request("Hi")).status, 400);
    deployment.http.next(completion_reply("Hello."));
    let second = headers.send(&deployment, &chat_request("Hi"));
    assert!(second.status == 200 && !is_replay(&second));
}

#[test]
fn a_request_that_waits_for_a_failing_one_runs_itself() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let headers = Headers::of(&customer, "order-1");
    let slow = Reply::json(400, "{}").after(Step::Wait(Millis::from_secs(3)));
    deployment.http.next(slow);
    deployment.http.next(completion_reply("Hello."));
    let (pairs, body) = (headers.pairs(), chat_request("Hi").to_string());
    let (first, second) = deployment.run(join(
        deployment.send(&pairs, body.clone()),
        deployment.send(&pairs, body.clone()),
    ));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[test]
fn a_broken_stream_is_replayed_with_its_error() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let headers = Headers::of(&customer, "order-1").in_session("s");
    deployment.http.next(Reply::steps(vec![
        Step::Bytes(delta("Some words").into_bytes()),
        Step::Break,
    ]));
    let first = headers.send(&deployment, &streamed_chat_request("Hi"));
    let second = headers.send(&deployment, &streamed_chat_request("Hi"));
    assert!(!first.is_done() && !second.is_done());
    assert_eq!(first.text(), second.text());
    assert_eq!(first.events().last(), second.events().last());
    assert_eq!(deployment.http.requests().len(), 1);
    assert_eq!(deployment.sql.count("SELECT count(*) FROM turns"), 1);
}

#[test]
fn a_response_of_more_than_256_kib_is_not_replayed_and_the_error_has_the_reason() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let headers = Headers::of(&customer, "order-1");
    deployment
        .http
        .next(completion_reply(&"x".repeat(256 * 1024)));
    assert_eq!(headers.send(&deployment, &chat_request("Hi")).status, 200);
    let second = headers.send(&deployment, &chat_request("Hi"));
    assert_eq!((second.status, second.code().as_str()), (409, "conflict"));
    assert!(second.body.contains("256 KiB"));
    assert_eq!(second.headers["x-should-retry"], "false");
    assert_eq!(deployment.http.requests().len(), 1);
}

#[test]
fn after_a_crash_the_request_runs_again_once_the_ledger_has_swept_it() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let headers = Headers::of(&customer, "order-1").in_session("s");
    deployment.http.next(Reply::steps(vec![Step::Hang]));
    deployment.abandon_with(&headers.pairs(), &chat_request("Hi"));
    deployment.time.advance(Millis::from_secs(661));
    deployment.run_alarm(&customer.tenant);
    deployment.http.next(completion_reply("Hello."));
    let second = headers.send(&deployment, &chat_request("Hi"));
    assert!(
        second.status == 200 && !is_replay(&second),
        "{}",
        second.body
    );
    assert_eq!(deployment.sql.count("SELECT count(*) FROM turns"), 1);
    assert!(is_replay(&headers.send(&deployment, &chat_request("Hi"))));
}

#[test]
fn a_retry_while_the_first_request_may_still_run_gets_a_retry_after() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let headers = Headers::of(&customer, "order-1");
    deployment.http.next(Reply::steps(vec![Step::Hang]));
    deployment.abandon_with(&headers.pairs(), &chat_request("Hi"));
    let second = headers.send(&deployment, &chat_request("Hi"));
    assert_eq!(
        (second.status, second.code().as_str()),
        (409, "request_in_progress")
    );
    assert!(second.headers.contains_key("retry-after"));
    assert_eq!(deployment.http.requests().len(), 1);
}

#[test]
fn a_turn_stored_without_its_response_is_replayed_from_the_turn() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let headers = Headers::of(&customer, "order-1").in_session("s");
    deployment.http.always(completion_reply("Hello."));
    let first = headers.send(&deployment, &chat_request("Hi"));
    deployment
        .sql
        .run_script("UPDATE idempotency SET state = 'running', answer = NULL");
    let second = headers.send(&deployment, &chat_request("Hi"));
    assert_eq!((second.json(), true), (first.json(), is_replay(&second)));
    assert_eq!(deployment.http.requests().len(), 1);
}

#[test]
fn a_parked_turn_keeps_its_response() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.next(completion_reply("One."));
    deployment.chat_in_session(&customer, "s", "first");
    let headers = Headers::of(&customer, "order-1").in_session("s");
    deployment.http.next(completion_reply("Hello."));
    // The claim succeeds; the session is read from the cache.
    let broken = || Some(Fault::Before(Fault::CONNECTION_LOST));
    deployment
        .sql
        .inject(std::iter::once(None).chain(std::iter::repeat_with(broken).take(5)));
    let first = headers.send(&deployment, &chat_request("Hi"));
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(deployment.sql.count("SELECT count(*) FROM turns"), 1);
    deployment.run_alarm(&customer.tenant);
    let second = headers.send(&deployment, &chat_request("Hi"));
    assert_eq!((&first.body, true), (&second.body, is_replay(&second)));
    assert_eq!(deployment.http.requests().len(), 2);
}

#[test]
fn a_request_without_the_header_makes_no_additional_database_calls() {
    let calls = |key: Option<&str>| {
        let deployment = Deployment::new();
        let customer = deployment.customer();
        deployment.http.always(completion_reply("Hello."));
        deployment.chat(&customer, &chat_request("warm"));
        let before = deployment.sql.calls();
        match key {
            Some(key) => Headers::of(&customer, key).send(&deployment, &chat_request("Hi")),
            None => deployment.chat(&customer, &chat_request("Hi")),
        };
        deployment.sql.calls() - before
    };
    assert_eq!((calls(None), calls(Some("k"))), (0, 2));
}

#[test]
fn a_stored_response_expires_after_a_day_and_its_row_is_deleted() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let headers = Headers::of(&customer, "order-1");
    deployment.http.always(completion_reply("Hello."));
    headers.send(&deployment, &chat_request("Hi"));
    let clean = || {
        let now = deployment.time.now();
        let cleaned = deployment.run(housekeeping::clean(&deployment.sql, &*deployment, now));
        cleaned.expect("cleaned");
        deployment.sql.count("SELECT count(*) FROM idempotency")
    };
    let day = Millis::from_secs(24 * 60 * 60);
    deployment.time.advance(Millis::new(day.get() - 1));
    assert_eq!(clean(), 1);
    assert!(is_replay(&headers.send(&deployment, &chat_request("Hi"))));
    deployment.time.advance(Millis::new(1));
    assert_eq!(clean(), 0);
    assert!(!is_replay(&headers.send(&deployment, &chat_request("Hi"))));
}

#[test]
fn a_part_of_the_housekeeping_that_fails_skips_no_other() {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.always(completion_reply("Hello."));
    Headers::of(&customer, "order-1").send(&deployment, &chat_request("Hi"));
    deployment.time.advance(Millis::from_secs(24 * 60 * 60));
    let broken = Some(Fault::Before(Fault::CONNECTION_LOST));
    deployment.sql.inject([broken, broken]);
    let now = deployment.time.now();
    let cleaned = deployment.run(housekeeping::clean(&deployment.sql, &*deployment, now));
    assert!(cleaned.is_err());
    assert_eq!(deployment.sql.count("SELECT count(*) FROM idempotency"), 0);
}
