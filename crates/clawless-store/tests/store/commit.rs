//! A turn is stored whole and in its place, or not at all.

use clawless_core::chat::{Message, PromptDetails, Role};
use clawless_core::json::Json;
use clawless_core::session::SessionHead;
use clawless_core::{Clock, ErrorCode, SessionId, Tokens};
use clawless_store::messages::{history, of_turn};
use clawless_store::sessions::{self, NewSession};
use clawless_store::turns::{
    CommitError, MAX_MESSAGE_BYTES, NewMessage, NewTurn, TurnStatus, find_by_request,
};
use clawless_testkit::block_on;

use crate::world::{ALL, World, name};

#[test]
fn the_first_turn_of_a_name_makes_its_session() {
    let world = World::new();
    let turn = world.turn("chat", 0, "hello");
    let committed = world.commit(&world.ours, &turn).expect("stored");
    assert_eq!(
        (committed.head, committed.repeated),
        (SessionHead::new(1), false)
    );
    let session = block_on(sessions::find(
        &world.database,
        &world.ours,
        &name("chat"),
        world.clock.now(),
    ))
    .expect("runs")
    .expect("there");
    assert_eq!(session.head, SessionHead::new(1));
    assert_eq!(session.token_total, Tokens::new(10));
    assert_eq!(world.said(&world.ours, "chat"), ["hello"]);
}

#[test]
fn a_session_with_a_generated_id_must_be_there() {
    let world = World::new();
    let now = world.clock.now();
    let id = SessionId::generate(now, &world.entropy);
    let turn = world.turn(id.as_str(), 0, "hello");
    assert_eq!(
        world.commit(&world.ours, &turn),
        Err(CommitError::SessionGone)
    );
    assert_eq!(world.rows(), 0);
    let new = NewSession::default();
    let create = sessions::create(&world.database, &world.ours, &id, &new, now);
    let created = block_on(create).expect("runs").expect("free");
    assert_eq!(world.commit(&world.ours, &turn), Err(CommitError::Fenced));
    let turn = NewTurn {
        expected: created.head,
        ..turn
    };
    assert!(world.commit(&world.ours, &turn).is_ok());
}

#[test]
fn a_late_turn_fails_with_its_whole_batch_and_leaves_nothing() {
    let world = World::new();
    let zombie = world.turn("chat", 0, "late");
    world.converse(&world.ours, "chat", &["one", "two"]);
    let before = world.rows();
    assert_eq!(world.commit(&world.ours, &zombie), Err(CommitError::Fenced));
    assert_eq!(world.rows(), before);
    assert_eq!(world.said(&world.ours, "chat"), ["one", "two"]);
}

#[test]
fn a_turn_from_the_future_is_fenced_too() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["one"]);
    let early = world.turn("chat", 5, "early");
    assert_eq!(world.commit(&world.ours, &early), Err(CommitError::Fenced));
    assert_eq!(world.said(&world.ours, "chat"), ["one"]);
}

#[test]
fn of_two_turns_on_one_head_the_first_is_stored_and_the_second_is_told() {
    let world = World::new();
    let (first, second) = (world.turn("chat", 0, "a"), world.turn("chat", 0, "b"));
    assert!(world.commit(&world.ours, &first).is_ok());
    assert_eq!(world.commit(&world.ours, &second), Err(CommitError::Fenced));
    let again = NewTurn {
        expected: SessionHead::new(1),
        ..second
    };
    assert!(world.commit(&world.ours, &again).is_ok());
    assert_eq!(world.said(&world.ours, "chat"), ["a", "b"]);
}

#[test]
fn one_request_is_one_row_however_often_it_is_stored() {
    let world = World::new();
    let turn = world.turn("chat", 0, "hello");
    world.commit(&world.ours, &turn).expect("stored");
    world
        .commit(&world.ours, &world.turn("chat", 1, "next"))
        .expect("stored");
    let before = world.rows();
    let again = world.commit(&world.ours, &turn).expect("stored already");
    assert_eq!((again.head, again.repeated), (SessionHead::new(1), true));
    assert_eq!(world.rows(), before);
    let session = block_on(sessions::find(
        &world.database,
        &world.ours,
        &name("chat"),
        world.clock.now(),
    ));
    let total = session.expect("runs").expect("there").token_total;
    assert_eq!(total, Tokens::new(20), "counted once");
}

#[test]
fn one_request_cannot_leave_turns_in_two_sessions() {
    let world = World::new();
    let turn = world.turn("chat", 0, "hello");
    world.commit(&world.ours, &turn).expect("stored");
    let elsewhere = NewTurn {
        session: name("other"),
        ..turn.clone()
    };
    assert!(
        world
            .commit(&world.ours, &elsewhere)
            .expect("known")
            .repeated
    );
    assert!(world.said(&world.ours, "other").is_empty());
    let at = find_by_request(&world.database, &world.ours, &turn.request);
    let at = block_on(at).expect("runs").expect("there");
    assert_eq!((at.session, at.head), (name("chat"), SessionHead::new(1)));
}

#[test]
fn a_broken_turn_is_stored_with_what_had_come_and_the_reason() {
    let world = World::new();
    let mut turn = world.turn("chat", 0, "hello");
    turn.status = TurnStatus::Incomplete(ErrorCode::UpstreamError);
    turn.finish_reason = None;
    world.commit(&world.ours, &turn).expect("stored");
    let rows = world
        .database
        .rows("SELECT status, incomplete_reason, finish_reason, cost_micro_dollars FROM turns");
    let expected = serde_json::json!({
        "status": "incomplete", "incomplete_reason": "upstream_error",
        "finish_reason": null, "cost_micro_dollars": 7,
    });
    assert_eq!(rows, [expected]);
}

#[test]
fn a_stored_turn_says_what_it_was_and_shows_its_messages() {
    let world = World::new();
    let mut turn = world.turn("chat", 0, "hello");
    turn.usage.prompt_tokens_details = Some(PromptDetails {
        cached_tokens: Some(4),
        ..PromptDetails::default()
    });
    world.commit(&world.ours, &turn).expect("stored");
    let stored = block_on(find_by_request(&world.database, &world.ours, &turn.request));
    let stored = stored.expect("runs").expect("there");
    assert_eq!(stored.usage, turn.usage);
    assert_eq!(stored.finish_reason, turn.finish_reason);
    assert_eq!(
        (stored.cost, stored.provenance),
        (turn.cost, turn.provenance)
    );
    assert_eq!(stored.incomplete_reason, None);
    let messages = of_turn(&world.database, &world.ours, &stored.session, stored.head);
    let messages = block_on(messages).expect("runs");
    let stored: Vec<_> = messages
        .iter()
        .map(|stored| (&stored.id, &stored.message))
        .collect();
    let meant: Vec<_> = turn
        .messages
        .iter()
        .map(|new| (&new.id, &new.message))
        .collect();
    assert_eq!(stored, meant);
    let theirs = of_turn(
        &world.database,
        &world.theirs,
        &turn.session,
        SessionHead::new(1),
    );
    assert_eq!(block_on(theirs), Ok(Vec::new()));
}

#[test]
fn a_turn_that_had_to_wait_is_stored_as_it_was() {
    let world = World::new();
    let mut turn = world.turn("chat", 0, "h\u{e9}llo");
    turn.status = TurnStatus::Incomplete(ErrorCode::UpstreamTimeout);
    let parked = serde_json::to_string(&turn).expect("serialises");
    let restored: NewTurn = serde_json::from_str(&parked).expect("reads");
    assert_eq!(restored, turn);
    assert!(world.commit(&world.ours, &restored).is_ok());
}

#[test]
fn content_comes_back_byte_for_byte() {
    let world = World::new();
    let raws = [
        r#"{ "content":"h\u00e9 \ud83d\ude00 '\"; DROP TABLE turns; --",  "role":"user" }"#,
        "{\"role\":\"user\",\"content\":\"\u{2028}é\u{1F600}\\u0007\", \"x\":[1.0,1e2,-0]}",
        r#"{"role":"user","content":"a","x_lone":"\ud800"}"#,
    ];
    let mut turn = world.turn("chat", 0, "");
    turn.messages = raws
        .iter()
        .map(|raw| NewMessage {
            message: Message::from_stored(
                Role::User,
                Json::parse((*raw).to_owned()).expect("JSON"),
            ),
            ..world.message(Role::User, "")
        })
        .collect();
    world.commit(&world.ours, &turn).expect("stored");
    let chat = name("chat");
    let read = history(
        &world.database,
        &world.ours,
        &chat,
        SessionHead::new(1),
        ALL,
    );
    let messages: Vec<_> = block_on(read).expect("runs").into_messages().collect();
    let back: Vec<_> = messages
        .iter()
        .map(|message| message.raw().as_str())
        .collect();
    assert_eq!(back, raws);
}

#[test]
fn a_message_beyond_the_row_limit_is_refused_before_anything_is_stored() {
    let world = World::new();
    let mut turn = world.turn("chat", 0, "hello");
    turn.messages
        .push(world.message(Role::User, &"x".repeat(MAX_MESSAGE_BYTES)));
    assert_eq!(
        world.commit(&world.ours, &turn),
        Err(CommitError::TooLarge { position: 2 })
    );
    assert_eq!((world.rows(), world.database.calls()), (0, 2));
    let overhead = world.message(Role::User, "").message.raw().as_str().len();
    let longest = "x".repeat(MAX_MESSAGE_BYTES - overhead);
    turn.messages = vec![world.message(Role::User, &longest)];
    assert!(world.commit(&world.ours, &turn).is_ok(), "the longest fits");
}

#[test]
fn any_number_of_messages_in_one_turn_keeps_its_order() {
    for count in [0, 1, 7, 8, 9, 16, 300] {
        let world = World::new();
        let mut turn = world.turn("chat", 0, "");
        let texts: Vec<String> = (0..count).map(|index| format!("message {index}")).collect();
        turn.messages = texts
            .iter()
            .map(|text| world.message(Role::User, text))
            .collect();
        world.commit(&world.ours, &turn).expect("stored");
        assert_eq!(world.said(&world.ours, "chat"), texts);
    }
}
