//! A turn is stored under the expected head, completely or not at all.

use clawless_core::chat::{Message, PromptDetails, Role};
use clawless_core::json::Json;
use clawless_core::session::SessionHead;
use clawless_core::{Clock, ErrorCode, SessionId, Tokens};
use clawless_store::SqlError;
use clawless_store::messages::{TurnContent, history, of_turn};
use clawless_store::sessions::{self, NewSession};
use clawless_store::turns::{
    CommitError, MAX_MESSAGE_BYTES, NewMessage, NewTurn, TurnStatus, find_by_request,
};
use clawless_testkit::block_on;

use crate::fixture::{ALL, Fixture, any_room, session_id};

#[test]
fn first_turn_of_a_name_creates_its_session() {
    let fixture = Fixture::new();
    let turn = fixture.turn("chat", 0, "hello");
    let committed = fixture.commit(&fixture.ours, &turn).expect("stored");
    assert_eq!(
        (committed.head, committed.repeated),
        (SessionHead::new(1), false)
    );
    let session = block_on(sessions::find(
        &fixture.database,
        &fixture.ours,
        &session_id("chat"),
        fixture.clock.now(),
    ))
    .expect("succeeds")
    .expect("found");
    assert_eq!(session.head, SessionHead::new(1));
    assert_eq!(session.token_total, Tokens::new(10));
    assert_eq!(fixture.user_texts(&fixture.ours, "chat"), ["hello"]);
}

#[test]
fn session_with_a_generated_id_must_exist() {
    let fixture = Fixture::new();
    let now = fixture.clock.now();
    let id = SessionId::generate(now, &fixture.entropy);
    let turn = fixture.turn(id.as_str(), 0, "hello");
    assert_eq!(
        fixture.commit(&fixture.ours, &turn),
        Err(CommitError::SessionGone)
    );
    assert_eq!(fixture.row_count(), 0);
    let new = NewSession::default();
    let create = sessions::create(&fixture.database, &fixture.ours, &id, &new, now);
    let created = block_on(create).expect("succeeds").expect("created");
    assert_eq!(
        fixture.commit(&fixture.ours, &turn),
        Err(CommitError::Fenced)
    );
    let turn = NewTurn {
        expected: created.head,
        ..turn
    };
    assert!(fixture.commit(&fixture.ours, &turn).is_ok());
}

#[test]
fn late_turn_fails_with_its_whole_batch() {
    let fixture = Fixture::new();
    let zombie = fixture.turn("chat", 0, "late");
    fixture.add_turns(&fixture.ours, "chat", &["one", "two"]);
    let before = fixture.row_count();
    assert_eq!(
        fixture.commit(&fixture.ours, &zombie),
        Err(CommitError::Fenced)
    );
    assert_eq!(fixture.row_count(), before);
    assert_eq!(fixture.user_texts(&fixture.ours, "chat"), ["one", "two"]);
}

#[test]
fn turn_with_a_future_head_is_fenced() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one"]);
    let early = fixture.turn("chat", 5, "early");
    assert_eq!(
        fixture.commit(&fixture.ours, &early),
        Err(CommitError::Fenced)
    );
    assert_eq!(fixture.user_texts(&fixture.ours, "chat"), ["one"]);
}

#[test]
fn second_of_two_turns_on_one_head_is_fenced() {
    let fixture = Fixture::new();
    let (first, second) = (fixture.turn("chat", 0, "a"), fixture.turn("chat", 0, "b"));
    assert!(fixture.commit(&fixture.ours, &first).is_ok());
    assert_eq!(
        fixture.commit(&fixture.ours, &second),
        Err(CommitError::Fenced)
    );
    let again = NewTurn {
        expected: SessionHead::new(1),
        ..second
    };
    assert!(fixture.commit(&fixture.ours, &again).is_ok());
    assert_eq!(fixture.user_texts(&fixture.ours, "chat"), ["a", "b"]);
}

#[test]
fn committing_a_request_twice_stores_one_turn() {
    let fixture = Fixture::new();
    let turn = fixture.turn("chat", 0, "hello");
    fixture.commit(&fixture.ours, &turn).expect("stored");
    fixture
        .commit(&fixture.ours, &fixture.turn("chat", 1, "next"))
        .expect("stored");
    let before = fixture.row_count();
    let again = fixture
        .commit(&fixture.ours, &turn)
        .expect("already stored");
    assert_eq!((again.head, again.repeated), (SessionHead::new(1), true));
    assert_eq!(fixture.row_count(), before);
    let session = block_on(sessions::find(
        &fixture.database,
        &fixture.ours,
        &session_id("chat"),
        fixture.clock.now(),
    ));
    let total = session.expect("succeeds").expect("found").token_total;
    assert_eq!(total, Tokens::new(20), "counted once");
}

#[test]
fn one_request_cannot_store_turns_in_two_sessions() {
    let fixture = Fixture::new();
    let turn = fixture.turn("chat", 0, "hello");
    fixture.commit(&fixture.ours, &turn).expect("stored");
    let other_session = NewTurn {
        session: session_id("other"),
        ..turn.clone()
    };
    assert!(
        fixture
            .commit(&fixture.ours, &other_session)
            .expect("already stored")
            .repeated
    );
    assert!(fixture.user_texts(&fixture.ours, "other").is_empty());
    let found = find_by_request(&fixture.database, &fixture.ours, &turn.request);
    let found = block_on(found).expect("succeeds").expect("found");
    assert_eq!(
        (found.session, found.head),
        (session_id("chat"), SessionHead::new(1))
    );
}

#[test]
fn incomplete_turn_is_stored_with_its_reason() {
    let fixture = Fixture::new();
    let mut turn = fixture.turn("chat", 0, "hello");
    turn.status = TurnStatus::Incomplete(ErrorCode::UpstreamError);
    turn.finish_reason = None;
    fixture.commit(&fixture.ours, &turn).expect("stored");
    let rows = fixture
        .database
        .rows("SELECT status, incomplete_reason, finish_reason, cost_micro_dollars FROM turns");
    let expected = serde_json::json!({
        "status": "incomplete", "incomplete_reason": "upstream_error",
        "finish_reason": null, "cost_micro_dollars": 7,
    });
    assert_eq!(rows, [expected]);
}

#[test]
fn stored_turn_is_found_with_its_usage_and_messages() {
    let fixture = Fixture::new();
    let mut turn = fixture.turn("chat", 0, "hello");
    turn.usage.prompt_tokens_details = Some(PromptDetails {
        cached_tokens: Some(4),
        ..PromptDetails::default()
    });
    fixture.commit(&fixture.ours, &turn).expect("stored");
    let stored = block_on(find_by_request(
        &fixture.database,
        &fixture.ours,
        &turn.request,
    ));
    let stored = stored.expect("succeeds").expect("found");
    assert_eq!(stored.usage, turn.usage);
    assert_eq!(stored.finish_reason, turn.finish_reason);
    assert_eq!(
        (stored.cost, stored.provenance),
        (turn.cost, turn.provenance)
    );
    assert_eq!(stored.incomplete_reason, None);
    let turn_row = stored;
    let content = of_turn(&fixture.database, &fixture.ours, &turn_row, any_room);
    let content = block_on(content).expect("succeeds");
    let stored: Vec<_> = content
        .messages
        .iter()
        .map(|stored| (&stored.id, &stored.message))
        .collect();
    let expected: Vec<_> = turn
        .messages
        .iter()
        .map(|new| (&new.id, &new.message))
        .collect();
    assert_eq!(stored, expected);
    let theirs = of_turn(&fixture.database, &fixture.theirs, &turn_row, any_room);
    assert_eq!(block_on(theirs), Ok(TurnContent::default()));
    let bytes = turn
        .messages
        .iter()
        .map(|it| it.message.raw().as_str().len() as u64);
    assert_eq!(turn_row.stored_bytes, bytes.sum::<u64>());
    let no_room = |_| Err(SqlError::from_message("no room"));
    let refused = of_turn(&fixture.database, &fixture.ours, &turn_row, no_room);
    assert_eq!(block_on(refused), Err(SqlError::from_message("no room")));
}

#[test]
fn pending_turn_survives_serialisation() {
    let fixture = Fixture::new();
    let mut turn = fixture.turn("chat", 0, "h\u{e9}llo");
    turn.status = TurnStatus::Incomplete(ErrorCode::UpstreamTimeout);
    let pending = serde_json::to_string(&turn).expect("serialises");
    let restored: NewTurn = serde_json::from_str(&pending).expect("reads");
    assert_eq!(restored, turn);
    assert!(fixture.commit(&fixture.ours, &restored).is_ok());
}

#[test]
fn message_content_is_preserved_byte_for_byte() {
    let fixture = Fixture::new();
    let raws = [
        r#"{ "content":"h\u00e9 \ud83d\ude00 '\"; DROP TABLE turns; --",  "role":"user" }"#,
        "{\"role\":\"user\",\"content\":\"\u{2028}é\u{1F600}\\u0007\", \"x\":[1.0,1e2,-0]}",
        r#"{"role":"user","content":"a","x_lone":"\ud800"}"#,
    ];
    let mut turn = fixture.turn("chat", 0, "");
    turn.messages = raws
        .iter()
        .map(|raw| NewMessage {
            message: Message::from_stored(
                Role::User,
                Json::parse((*raw).to_owned()).expect("JSON"),
            ),
            ..fixture.message(Role::User, "")
        })
        .collect();
    fixture.commit(&fixture.ours, &turn).expect("stored");
    let chat = session_id("chat");
    let read = history(
        &fixture.database,
        &fixture.ours,
        &chat,
        SessionHead::new(1),
        ALL,
        any_room,
    );
    let messages: Vec<_> = block_on(read).expect("succeeds").into_messages().collect();
    let stored: Vec<_> = messages
        .iter()
        .map(|message| message.raw().as_str())
        .collect();
    assert_eq!(stored, raws);
}

#[test]
fn message_beyond_the_row_limit_is_rejected_before_anything_is_stored() {
    let fixture = Fixture::new();
    let mut turn = fixture.turn("chat", 0, "hello");
    turn.messages
        .push(fixture.message(Role::User, &"x".repeat(MAX_MESSAGE_BYTES)));
    assert_eq!(
        fixture.commit(&fixture.ours, &turn),
        Err(CommitError::TooLarge { position: 2 })
    );
    assert_eq!((fixture.row_count(), fixture.database.calls()), (0, 2));
    let overhead = fixture.message(Role::User, "").message.raw().as_str().len();
    let longest = "x".repeat(MAX_MESSAGE_BYTES - overhead);
    turn.messages = vec![fixture.message(Role::User, &longest)];
    assert!(
        fixture.commit(&fixture.ours, &turn).is_ok(),
        "the longest fits"
    );
}

#[test]
fn messages_of_a_turn_keep_their_order() {
    for count in [0, 1, 7, 8, 9, 16, 300] {
        let fixture = Fixture::new();
        let mut turn = fixture.turn("chat", 0, "");
        let texts: Vec<String> = (0..count).map(|index| format!("message {index}")).collect();
        turn.messages = texts
            .iter()
            .map(|text| fixture.message(Role::User, text))
            .collect();
        fixture.commit(&fixture.ours, &turn).expect("stored");
        assert_eq!(fixture.user_texts(&fixture.ours, "chat"), texts);
    }
}
