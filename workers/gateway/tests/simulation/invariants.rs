//! The invariants at the end of a simulated world.

use std::collections::{BTreeMap, BTreeSet};

use clawless_core::ledger::Period;
use clawless_core::time::Clock;
use serde_json::Value;

use super::provider::answer_to;
use super::world::World;

/// A stored turn with the texts of its messages.
struct Turn {
    tenant: usize,
    session: String,
    request: String,
    status: String,
    tokens: (u64, u64),
    messages: Vec<String>,
}

/// Checks a world.
pub fn check(world: &World) {
    let turns = turns(world);
    no_turn_is_interleaved_or_stored_twice(&turns);
    every_complete_response_is_stored(world, &turns);
    every_turn_had_the_history_before_it(world, &turns);
    one_key_has_one_answer(world);
    every_token_is_charged_once(world, &turns);
}

fn text(row: &Value, column: &str) -> String {
    row[column].as_str().unwrap_or_default().to_owned()
}

fn number(row: &Value, column: &str) -> u64 {
    row[column].as_u64().expect("a number")
}

fn turns(world: &World) -> Vec<Turn> {
    let sql = &world.deployment.sql;
    let rows = sql.rows("SELECT * FROM turns ORDER BY tenant_id, session_id, seq");
    let message_rows =
        sql.rows("SELECT * FROM messages ORDER BY tenant_id, session_id, seq, position");
    let place = |row: &Value| {
        (
            text(row, "tenant_id"),
            text(row, "session_id"),
            number(row, "seq"),
        )
    };
    let mut messages: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for message in &message_rows {
        let content: Value = serde_json::from_str(&text(message, "content")).expect("JSON");
        messages
            .entry(place(message))
            .or_default()
            .push(text(&content, "content"));
    }
    let mut expected: BTreeMap<(String, String), u64> = BTreeMap::new();
    let turn = |row: &Value| {
        let at = place(row);
        let seq = expected.entry((at.0.clone(), at.1.clone())).or_default();
        *seq += 1;
        assert_eq!(at.2, *seq, "the places of a session's turns have no gaps");
        let is_of = |customer: &&std::rc::Rc<_>| tenant_of(customer) == at.0;
        Turn {
            tenant: world
                .customers
                .iter()
                .position(|customer| is_of(&customer))
                .expect("a tenant"),
            session: at.1.clone(),
            request: text(row, "request_id"),
            status: text(row, "status"),
            tokens: (
                number(row, "prompt_tokens"),
                number(row, "completion_tokens"),
            ),
            messages: messages.remove(&at).unwrap_or_default(),
        }
    };
    let turns = rows.iter().map(turn).collect();
    assert!(messages.is_empty(), "every message belongs to a turn");
    turns
}

fn tenant_of(customer: &crate::support::Customer) -> &str {
    customer.tenant.as_str()
}

/// Each turn is one question of its own tenant and its answer. No question is stored twice.
fn no_turn_is_interleaved_or_stored_twice(turns: &[Turn]) {
    let mut questions = BTreeSet::new();
    for turn in turns {
        let (question, answer) = turn.messages.split_first().expect("a question");
        assert!(
            question.starts_with(&format!("t{}-", turn.tenant)),
            "{question} belongs to another tenant"
        );
        assert!(
            questions.insert(question.clone()),
            "{question} is stored twice"
        );
        let whole = answer_to(question);
        match answer {
            [answer] if turn.status == "complete" => assert_eq!(*answer, whole),
            [part] => assert!(whole.starts_with(part.as_str()), "{part} of {whole}"),
            other => panic!("{question} has the answers {other:?}"),
        }
    }
}

/// A client that received the end of an answer can rely on it.
fn every_complete_response_is_stored(world: &World, turns: &[Turn]) {
    for response in &world.responses {
        let whole = answer_to(&response.question);
        assert!(whole.starts_with(&response.text), "{response:?}");
        assert!(!response.is_whole || response.text == whole, "{response:?}");
        let stored = turns.iter().find(|turn| turn.request == response.request);
        match (response.session, stored) {
            (None, stored) => assert!(stored.is_none(), "a stateless call stores nothing"),
            (Some(session), Some(turn)) => {
                assert_eq!(
                    (turn.tenant, turn.session.as_str()),
                    (response.tenant, session)
                );
                assert_eq!(
                    turn.messages,
                    [response.question.clone(), response.text.clone()]
                );
                // Where the database lost its answer and the ledger failed too, a stored turn may
                // have ended with an error; the reverse is a defect.
                assert!(
                    turn.status == "complete" || !response.is_whole,
                    "{response:?}"
                );
            }
            // An error at the end of a stream promises nothing.
            (Some(_), None) => assert!(!response.is_whole, "{response:?} is lost"),
        }
    }
}

/// The history of every model call is exactly the turns that are stored before its turn.
fn every_turn_had_the_history_before_it(world: &World, turns: &[Turn]) {
    let log = world.provider.log.borrow();
    let mut before: BTreeMap<(usize, &str), Vec<String>> = BTreeMap::new();
    for turn in turns {
        let history = before
            .entry((turn.tenant, turn.session.as_str()))
            .or_default();
        let question = &turn.messages[0];
        let mut calls = log.iter().filter(|call| call.question == *question);
        let is_shown = calls.any(|call| call.history == *history);
        assert!(is_shown, "{question} was not answered after {history:?}");
        history.extend(turn.messages.iter().cloned());
    }
}

/// All clients with the same key received the same answer.
fn one_key_has_one_answer(world: &World) {
    let mut answers: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for response in &world.responses {
        let answer = (response.request.as_str(), response.text.as_str());
        let first = answers.entry(&response.question).or_insert(answer);
        assert_eq!(*first, answer, "{}", response.question);
    }
}

/// Nothing is reserved, and every call has one receipt that matches the provider's log.
fn every_token_is_charged_once(world: &World, turns: &[Turn]) {
    let deployment = &world.deployment;
    let receipts = deployment.sql.rows("SELECT * FROM receipts");
    for customer in &world.customers {
        let runtime = deployment.runtime(&customer.tenant);
        let now = deployment.time.now();
        let (statement, receipts_left, parked) = runtime.read(|machine| {
            let statement = machine.statement(Period::of(now));
            (
                statement,
                machine.receipts().count(),
                machine.parked_turns().count(),
            )
        });
        assert_eq!((statement.open.messages, receipts_left, parked), (0, 0, 0));
        let own = receipts
            .iter()
            .filter(|row| text(row, "tenant_id") == customer.tenant.as_str());
        let charged: u64 = own.map(|row| number(row, "charged_tokens")).sum();
        assert_eq!(statement.closed.used().tokens.get(), charged);
    }
    let log = world.provider.log.borrow();
    let mut charged_once = BTreeSet::new();
    for receipt in receipts
        .iter()
        .filter(|row| text(row, "provenance") == "provider")
    {
        let tokens = (number(receipt, "tokens_in"), number(receipt, "tokens_out"));
        assert!(charged_once.insert(tokens), "{tokens:?} is charged twice");
        let mut calls = log.iter();
        assert!(calls.any(|call| (call.prompt_tokens, call.completion_tokens) == tokens));
    }
    let by_request: BTreeMap<String, &Value> = receipts
        .iter()
        .map(|row| (text(row, "request_id"), row))
        .collect();
    for turn in turns {
        let receipt = by_request
            .get(&turn.request)
            .expect("a stored turn is charged");
        let charged = (number(receipt, "tokens_in"), number(receipt, "tokens_out"));
        assert_eq!(charged, turn.tokens, "{}", turn.request);
    }
    for response in &world.responses {
        let receipt = by_request
            .get(&response.request)
            .expect("a client that got an answer is charged");
        assert!(
            number(receipt, "charged_tokens") > 0,
            "{response:?} was free"
        );
    }
}
