//! Tool executions are stored with their turn, or not at all.

use clawless_core::tool::{ToolExecution, ToolOutcome};
use clawless_core::{Clock, KeyId, Millis, SessionId, TenantId, ToolCall, ToolExecutionId};
use clawless_store::sessions;
use clawless_store::tool_executions::{list, record};
use clawless_store::turns::{CommitError, NewTurn};
use clawless_testkit::block_on;

use crate::fixture::{Fixture, session_id};

fn execution(fixture: &Fixture, turn: &NewTurn, result: &str) -> ToolExecution {
    let now = fixture.clock.now();
    ToolExecution {
        id: ToolExecutionId::generate(now, &fixture.entropy),
        tenant_id: fixture.ours.clone(),
        session_id: Some(turn.session.clone()),
        request_id: turn.request.clone(),
        key_id: Some(KeyId::generate(now, &fixture.entropy)),
        call: ToolCall {
            id: "call_1".to_owned(),
            name: "time_now".to_owned(),
            arguments: "{ \"x\": \"'; DROP TABLE turns; --\" }".to_owned(),
            ..ToolCall::default()
        },
        outcome: ToolOutcome::Succeeded,
        result: result.to_owned(),
        started_at: now,
        duration: Millis::new(12),
    }
}

fn results(fixture: &Fixture, tenant: &TenantId, session: &SessionId) -> Vec<String> {
    let found = block_on(list(&fixture.database, tenant, session, None, 100)).expect("succeeds");
    found.into_iter().map(|it| it.result).collect()
}

#[test]
fn executions_are_stored_with_their_turn() {
    let fixture = Fixture::new();
    let mut turn = fixture.turn("chat", 0, "hello");
    let execution = execution(&fixture, &turn, "{\"utc\":\"now\"}");
    turn.executions = vec![execution.clone()];
    fixture.commit(&fixture.ours, &turn).expect("stored");
    let chat = session_id("chat");
    let found = list(&fixture.database, &fixture.ours, &chat, None, 100);
    assert_eq!(block_on(found), Ok(vec![execution]));
    assert!(results(&fixture, &fixture.theirs, &chat).is_empty());
    assert!(
        fixture
            .commit(&fixture.ours, &turn)
            .expect("already stored")
            .repeated
    );
    assert_eq!(
        results(&fixture, &fixture.ours, &chat).len(),
        1,
        "stored once"
    );
}

#[test]
fn executions_take_few_statements() {
    let fixture = Fixture::new();
    let mut turn = fixture.turn("chat", 0, "hello");
    let many: Vec<ToolExecution> = (0..144)
        .map(|number| {
            execution(
                &fixture,
                &turn,
                &format!("{number}: \"quoted\" \u{1f600}\n"),
            )
        })
        .collect();
    turn.executions.clone_from(&many);
    let before = fixture.database.statements();
    fixture.commit(&fixture.ours, &turn).expect("stored");
    assert!(
        fixture.database.statements() - before < 10,
        "in few statements"
    );
    let chat = session_id("chat");
    let mut found =
        block_on(list(&fixture.database, &fixture.ours, &chat, None, 200)).expect("succeeds");
    let mut expected = many;
    found.sort_by(|one, other| one.id.cmp(&other.id));
    expected.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(found, expected);

    // The longest results, of characters that JSON escapes: more than one text of D1 can hold.
    let mut turn = fixture.turn("chat", 1, "hello");
    turn.executions = (0..16)
        .map(|_| execution(&fixture, &turn, &"\u{1}".repeat(64 * 1024)))
        .collect();
    fixture.commit(&fixture.ours, &turn).expect("stored");
    assert_eq!(results(&fixture, &fixture.ours, &chat).len(), 100, "a page");
    let count = "SELECT count(*) FROM tool_executions WHERE length(result) = 65536";
    assert_eq!(fixture.database.count(count), 16);
}

#[test]
fn nul_does_not_truncate_a_text() {
    let fixture = Fixture::new();
    let mut turn = fixture.turn("chat", 0, "hello");
    turn.executions = vec![execution(&fixture, &turn, "before\0after")];
    fixture.commit(&fixture.ours, &turn).expect("stored");
    let stored = results(&fixture, &fixture.ours, &session_id("chat"));
    assert_eq!(stored, ["before\u{fffd}after"]);
}

#[test]
fn fenced_turn_stores_no_executions() {
    let fixture = Fixture::new();
    let mut zombie = fixture.turn("chat", 0, "late");
    zombie.executions = vec![execution(&fixture, &zombie, "late")];
    fixture.add_turns(&fixture.ours, "chat", &["one"]);
    assert_eq!(
        fixture.commit(&fixture.ours, &zombie),
        Err(CommitError::Fenced)
    );
    assert!(results(&fixture, &fixture.ours, &session_id("chat")).is_empty());
}

#[test]
fn executions_are_listed_newest_first_in_pages() {
    let fixture = Fixture::new();
    let mut turn = fixture.turn("chat", 0, "hello");
    for number in 0..5 {
        fixture.clock.advance(Millis::new(1));
        let execution = execution(&fixture, &turn, &number.to_string());
        turn.executions.push(execution);
    }
    fixture.commit(&fixture.ours, &turn).expect("stored");
    let chat = session_id("chat");
    let page = |before: Option<&ToolExecutionId>| {
        block_on(list(&fixture.database, &fixture.ours, &chat, before, 2)).expect("succeeds")
    };
    let first = page(None);
    let second = page(first.last().map(|it| &it.id));
    let listed: Vec<_> = first.iter().chain(&second).map(|it| &it.result).collect();
    assert_eq!(listed, ["4", "3", "2", "1"]);
}

#[test]
fn executions_without_a_session_are_recorded() {
    let fixture = Fixture::new();
    let turn = fixture.turn("chat", 0, "hello");
    let execution = ToolExecution {
        session_id: None,
        ..execution(&fixture, &turn, "x")
    };
    block_on(record(&fixture.database, &fixture.ours, &[execution])).expect("stored");
    let count = "SELECT count(*) FROM tool_executions WHERE session_id IS NULL";
    assert_eq!(fixture.database.count(count), 1);
}

#[test]
fn reset_deletes_executions() {
    let fixture = Fixture::new();
    let mut turn = fixture.turn("chat", 0, "hello");
    turn.executions = vec![execution(&fixture, &turn, "a secret")];
    fixture.commit(&fixture.ours, &turn).expect("stored");
    let chat = session_id("chat");
    let reset = sessions::reset(&fixture.database, &fixture.ours, &chat, fixture.clock.now());
    assert!(block_on(reset).expect("succeeds").is_some());
    assert!(results(&fixture, &fixture.ours, &chat).is_empty());
}

#[test]
fn a_page_of_long_executions_ends_early_and_the_next_one_continues() {
    let fixture = Fixture::new();
    let turn = fixture.turn("chat", 0, "hello");
    fixture.commit(&fixture.ours, &turn).expect("stored");
    let long = "r".repeat(64 * 1024);
    let many: Vec<_> = (0..40).map(|_| execution(&fixture, &turn, &long)).collect();
    block_on(record(&fixture.database, &fixture.ours, &many)).expect("stored");
    let page = |before: Option<&ToolExecutionId>| {
        let chat = session_id("chat");
        let found = list(&fixture.database, &fixture.ours, &chat, before, 100);
        block_on(found).expect("reads")
    };
    let first = page(None);
    assert_eq!(first.len(), 31, "nearly 2 MiB");
    let rest = page(first.last().map(|last| &last.id));
    assert_eq!(rest.len(), 9);
}
