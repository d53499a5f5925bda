//! What tools did is stored with the turn in which they did it, or not at all.

use clawless_core::tool::{ToolExecution, ToolOutcome};
use clawless_core::{Clock, Millis, SessionId, TenantId, ToolCall, ToolExecutionId};
use clawless_store::sessions;
use clawless_store::tool_executions::{list, record};
use clawless_store::turns::{CommitError, NewTurn};
use clawless_testkit::block_on;

use crate::world::{World, name};

fn execution(world: &World, turn: &NewTurn, result: &str) -> ToolExecution {
    let now = world.clock.now();
    ToolExecution {
        id: ToolExecutionId::generate(now, &world.entropy),
        tenant_id: world.ours.clone(),
        session_id: Some(turn.session.clone()),
        request_id: turn.request.clone(),
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

fn results(world: &World, tenant: &TenantId, session: &SessionId) -> Vec<String> {
    let found = block_on(list(&world.database, tenant, session, None, 100)).expect("runs");
    found.into_iter().map(|it| it.result).collect()
}

#[test]
fn executions_are_stored_with_their_turn_and_come_back_as_they_were() {
    let world = World::new();
    let mut turn = world.turn("chat", 0, "hello");
    let done = execution(&world, &turn, "{\"utc\":\"now\"}");
    turn.executions = vec![done.clone()];
    world.commit(&world.ours, &turn).expect("stored");
    let chat = name("chat");
    let found = list(&world.database, &world.ours, &chat, None, 100);
    assert_eq!(block_on(found), Ok(vec![done]));
    assert!(results(&world, &world.theirs, &chat).is_empty());
    assert!(world.commit(&world.ours, &turn).expect("known").repeated);
    assert_eq!(results(&world, &world.ours, &chat).len(), 1, "stored once");
}

#[test]
fn many_executions_are_one_statement_and_very_long_ones_are_a_few() {
    let world = World::new();
    let mut turn = world.turn("chat", 0, "hello");
    let many: Vec<ToolExecution> = (0..144)
        .map(|number| execution(&world, &turn, &format!("{number}: \"quoted\" \u{1f600}\n")))
        .collect();
    turn.executions.clone_from(&many);
    let before = world.database.statements();
    world.commit(&world.ours, &turn).expect("stored");
    assert!(
        world.database.statements() - before < 10,
        "in few statements"
    );
    let chat = name("chat");
    let mut found = block_on(list(&world.database, &world.ours, &chat, None, 200)).expect("runs");
    let mut expected = many;
    found.sort_by(|one, other| one.id.cmp(&other.id));
    expected.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(found, expected);

    // Each as long as it may be, of what JSON escapes: more than one text of D1 holds.
    let mut turn = world.turn("chat", 1, "hello");
    turn.executions = (0..16)
        .map(|_| execution(&world, &turn, &"\u{1}".repeat(64 * 1024)))
        .collect();
    world.commit(&world.ours, &turn).expect("stored");
    assert_eq!(results(&world, &world.ours, &chat).len(), 100, "a page");
    let count = "SELECT count(*) FROM tool_executions WHERE length(result) = 65536";
    assert_eq!(world.database.count(count), 16);
}

#[test]
fn a_nul_does_not_cut_a_record_short() {
    let world = World::new();
    let mut turn = world.turn("chat", 0, "hello");
    turn.executions = vec![execution(&world, &turn, "before\0after")];
    world.commit(&world.ours, &turn).expect("stored");
    let told = results(&world, &world.ours, &name("chat"));
    assert_eq!(told, ["before\u{fffd}after"]);
}

#[test]
fn a_fenced_turn_leaves_no_execution_behind() {
    let world = World::new();
    let mut zombie = world.turn("chat", 0, "late");
    zombie.executions = vec![execution(&world, &zombie, "late")];
    world.converse(&world.ours, "chat", &["one"]);
    assert_eq!(world.commit(&world.ours, &zombie), Err(CommitError::Fenced));
    assert!(results(&world, &world.ours, &name("chat")).is_empty());
}

#[test]
fn pages_go_from_the_newest_to_the_oldest() {
    let world = World::new();
    let mut turn = world.turn("chat", 0, "hello");
    for number in 0..5 {
        world.clock.advance(Millis::new(1));
        let done = execution(&world, &turn, &number.to_string());
        turn.executions.push(done);
    }
    world.commit(&world.ours, &turn).expect("stored");
    let chat = name("chat");
    let page = |before: Option<&ToolExecutionId>| {
        block_on(list(&world.database, &world.ours, &chat, before, 2)).expect("runs")
    };
    let first = page(None);
    let second = page(first.last().map(|it| &it.id));
    let shown: Vec<_> = first.iter().chain(&second).map(|it| &it.result).collect();
    assert_eq!(shown, ["4", "3", "2", "1"]);
}

#[test]
fn what_was_done_without_a_session_is_recorded_too() {
    let world = World::new();
    let turn = world.turn("chat", 0, "hello");
    let done = ToolExecution {
        session_id: None,
        ..execution(&world, &turn, "x")
    };
    block_on(record(&world.database, &world.ours, &[done])).expect("stored");
    let count = "SELECT count(*) FROM tool_executions WHERE session_id IS NULL";
    assert_eq!(world.database.count(count), 1);
}

#[test]
fn a_reset_forgets_what_was_done_as_well_as_what_was_said() {
    let world = World::new();
    let mut turn = world.turn("chat", 0, "hello");
    turn.executions = vec![execution(&world, &turn, "a secret")];
    world.commit(&world.ours, &turn).expect("stored");
    let chat = name("chat");
    let reset = sessions::reset(&world.database, &world.ours, &chat, world.clock.now());
    assert_eq!(block_on(reset), Ok(true));
    assert!(results(&world, &world.ours, &chat).is_empty());
}
