//! Messages between sessions: accepted once, claimed by one try, ended with their turn.

use clawless_core::sending::SendState;
use clawless_core::{Clock, Millis, RequestId, SendId, TenantId};
use clawless_store::sends::{self, ClaimedSend, MAX_PENDING, MAX_PER_TURN, NewSend, StoredSend};
use clawless_store::turns::{CommitError, NewTurn, TurnStatus};
use clawless_store::{SqlErrorKind, sessions};
use clawless_testkit::{Fault, block_on};

use crate::fixture::{Fixture, session_id};

/// A tenant with a session `b` that receives messages.
struct Outbox {
    fixture: Fixture,
    key: clawless_core::KeyId,
}

impl Outbox {
    fn new() -> Self {
        let fixture = Fixture::new();
        let key = fixture.key(&fixture.ours).0.id;
        fixture.add_turns(&fixture.ours, "b", &["hello"]);
        fixture.clock.advance(Millis::new(5));
        Self { fixture, key }
    }

    /// Sends a text for the turn that answers `origin`.
    fn send(&self, origin: &str, text: &str) -> Option<SendId> {
        let id = SendId::generate(self.fixture.now(), &self.fixture.entropy);
        let new = NewSend {
            id: &id,
            session: &session_id("b"),
            key: &self.key,
            origin,
            path: &[session_id("a")],
            hops: 1,
            message: text,
        };
        let fixture = &self.fixture;
        block_on(sends::accept(
            &fixture.database,
            &fixture.ours,
            new,
            fixture.now(),
        ))
        .expect("succeeds")
    }

    fn find(&self, id: &SendId) -> StoredSend {
        let found = sends::find(&self.fixture.database, &self.fixture.ours, id);
        block_on(found).expect("succeeds").expect("found")
    }

    fn claim(
        &self,
        id: &SendId,
        by: &RequestId,
        aborted: Option<&RequestId>,
    ) -> Option<ClaimedSend> {
        self.claim_of(&self.fixture.ours, id, by, aborted)
    }

    fn claim_of(
        &self,
        tenant: &TenantId,
        id: &SendId,
        by: &RequestId,
        aborted: Option<&RequestId>,
    ) -> Option<ClaimedSend> {
        let now = self.fixture.now();
        let claim = sends::claim(&self.fixture.database, tenant, id, by, aborted, now);
        block_on(claim).expect("succeeds")
    }

    /// The turn of a try that answers a message.
    fn turn(&self, id: &SendId, by: &RequestId, expected: u64) -> NewTurn {
        NewTurn {
            request: by.clone(),
            send: Some(id.clone()),
            ..self.fixture.turn("b", expected, "the message")
        }
    }

    fn request(&self) -> RequestId {
        RequestId::generate(self.fixture.clock.now(), &self.fixture.entropy)
    }
}

#[test]
fn repeated_message_is_not_sent_twice_and_limits_apply() {
    let outbox = Outbox::new();
    let first = outbox.send("req_1", "hello");
    assert!(first.is_some());
    assert_eq!(outbox.send("req_1", "hello"), first, "the same message");
    assert_ne!(outbox.send("req_2", "hello"), first, "of another turn");
    for number in 1..MAX_PER_TURN {
        assert!(outbox.send("req_1", &number.to_string()).is_some());
    }
    assert_eq!(outbox.send("req_1", "one too many"), None);
    assert_eq!(outbox.send("req_1", "hello"), first, "already accepted");
    for number in MAX_PER_TURN + 1..MAX_PENDING {
        assert!(outbox.send(&format!("req_x{number}"), "hello").is_some());
    }
    assert_eq!(outbox.send("req_y", "hello"), None, "too many pending");
}

#[test]
fn message_is_accepted_once_if_the_response_is_lost() {
    let outbox = Outbox::new();
    let id = SendId::generate(outbox.fixture.now(), &outbox.fixture.entropy);
    let session = session_id("b");
    let new = NewSend {
        id: &id,
        session: &session,
        key: &outbox.key,
        origin: "req_1",
        path: &[],
        hops: 1,
        message: "hello",
    };
    let (database, ours, now) = (
        &outbox.fixture.database,
        &outbox.fixture.ours,
        outbox.fixture.now(),
    );
    database.inject([Some(Fault::After(Fault::CONNECTION_LOST))]);
    assert!(block_on(sends::accept(database, ours, new, now)).is_err());
    let repeated = block_on(sends::accept(database, ours, new, now));
    assert_eq!(repeated, Ok(Some(id.clone())));
    assert_eq!(database.count("SELECT count(*) FROM sends"), 1);
    // A message to a session that does not exist is rejected.
    let nowhere = session_id("nowhere");
    let fresh = SendId::generate(now, &outbox.fixture.entropy);
    let lost = NewSend {
        id: &fresh,
        session: &nowhere,
        ..new
    };
    let refused = block_on(sends::accept(database, ours, lost, now)).expect_err("refused");
    assert!(matches!(refused.kind, SqlErrorKind::Constraint(_)));
}

#[test]
fn one_try_claims_a_message_and_ends_it_with_its_turn() {
    let outbox = Outbox::new();
    let id = outbox.send("req_1", "hello").expect("accepted");
    let (first, second) = (outbox.request(), outbox.request());
    let theirs = outbox.claim_of(&outbox.fixture.theirs, &id, &first, None);
    assert_eq!(theirs, None, "of another tenant");
    let claimed = outbox.claim(&id, &first, None).expect("created");
    assert_eq!(
        (claimed.message.as_str(), claimed.hops, claimed.tries),
        ("hello", 1, 1)
    );
    assert_eq!(claimed.path, [session_id("a")]);
    assert_eq!(outbox.claim(&id, &second, None), None, "claimed");
    assert!(outbox.claim(&id, &first, None).is_some(), "idempotent");
    assert_eq!(outbox.find(&id).state, SendState::Running);
    let turn = outbox.turn(&id, &first, 1);
    outbox
        .fixture
        .commit(&outbox.fixture.ours, &turn)
        .expect("stored");
    let found = outbox.find(&id);
    assert_eq!(
        (found.state, found.request_id),
        (SendState::Replied, Some(first))
    );
    assert!(
        outbox
            .fixture
            .commit(&outbox.fixture.ours, &turn)
            .expect("already stored")
            .repeated
    );
    assert_eq!(outbox.claim(&id, &second, None), None, "ended");
    let text = "SELECT count(*) FROM sends WHERE message IS NOT NULL";
    assert_eq!(outbox.fixture.database.count(text), 0);
}

#[test]
fn try_that_lost_its_claim_stores_nothing() {
    let outbox = Outbox::new();
    let id = outbox.send("req_1", "hello").expect("accepted");
    let (zombie, second) = (outbox.request(), outbox.request());
    assert!(outbox.claim(&id, &zombie, None).is_some());
    assert!(outbox.claim(&id, &second, Some(&zombie)).is_some());
    let (late, ours) = (outbox.turn(&id, &zombie, 1), &outbox.fixture.ours);
    assert_eq!(
        outbox.fixture.commit(ours, &late),
        Err(CommitError::TakenOver)
    );
    let turn = outbox.turn(&id, &second, 1);
    outbox.fixture.commit(ours, &turn).expect("stored");
    let again = outbox.turn(&id, &zombie, 2);
    assert_eq!(
        outbox.fixture.commit(ours, &again),
        Err(CommitError::TakenOver)
    );
    assert_eq!(
        outbox.fixture.user_texts(ours, "b"),
        ["hello", "the message"]
    );
    let (now, database) = (outbox.fixture.now(), &outbox.fixture.database);
    for by in [&zombie, &second] {
        let released = block_on(sends::release(database, ours, &id, by, "x", now));
        let failed = block_on(sends::fail(database, ours, &id, by, "x", now));
        assert_eq!((released, failed), (Ok(false), Ok(false)), "ended");
    }
}

#[test]
fn incomplete_turn_marks_the_message_as_delivered() {
    let outbox = Outbox::new();
    let id = outbox.send("req_1", "hello").expect("accepted");
    let by = outbox.request();
    outbox.claim(&id, &by, None);
    let mut turn = outbox.turn(&id, &by, 1);
    turn.status = TurnStatus::Incomplete(clawless_core::ErrorCode::UpstreamError);
    outbox
        .fixture
        .commit(&outbox.fixture.ours, &turn)
        .expect("stored");
    let found = outbox.find(&id);
    assert_eq!(found.state, SendState::Delivered);
    assert_eq!(found.reason.as_deref(), Some("upstream_error"));
}

#[test]
fn message_is_not_delivered_to_a_new_session_of_the_same_name() {
    let outbox = Outbox::new();
    let id = outbox.send("req_1", "hello").expect("accepted");
    let by = outbox.request();
    outbox.claim(&id, &by, None);
    outbox.fixture.clock.advance(Millis::new(5));
    let (database, ours, now) = (
        &outbox.fixture.database,
        &outbox.fixture.ours,
        outbox.fixture.now(),
    );
    let deleted = block_on(sessions::delete(database, ours, &session_id("b"), now));
    assert!(deleted.expect("succeeds").is_some());
    let head =
        block_on(sessions::look_up(database, ours, &session_id("b"), now)).expect("succeeds");
    let sessions::SessionLookup::Free { head } = head else {
        panic!("the session is deleted");
    };
    let turn = outbox.turn(&id, &by, head.seq());
    assert_eq!(
        outbox.fixture.commit(ours, &turn),
        Err(CommitError::TakenOver)
    );
}

#[test]
fn stale_messages_are_found_and_ended_ones_are_purged() {
    let outbox = Outbox::new();
    let (database, ours) = (&outbox.fixture.database, &outbox.fixture.ours);
    let (queued, failed) = (
        outbox.send("req_1", "x").expect("one"),
        outbox.send("req_1", "y").expect("two"),
    );
    let by = outbox.request();
    outbox.claim(&failed, &by, None);
    let now = outbox.fixture.now();
    assert_eq!(
        block_on(sends::release(
            database,
            ours,
            &failed,
            &by,
            "session_busy",
            now
        )),
        Ok(true)
    );
    assert_eq!(
        block_on(sends::give_up(database, ours, &failed, "gave_up", now)),
        Ok(true)
    );
    assert_eq!(outbox.find(&failed).reason.as_deref(), Some("session_busy"));
    let stale =
        |since| block_on(sends::stale_across_tenants(database, since, 10)).expect("succeeds");
    assert!(stale(now).is_empty());
    let later = now.plus(Millis::new(1));
    let found: Vec<SendId> = stale(later).into_iter().map(|job| job.send).collect();
    assert_eq!(found, std::slice::from_ref(&queued));
    block_on(sends::purge_across_tenants(database, later)).expect("succeeds");
    assert_eq!(block_on(sends::find(database, ours, &failed)), Ok(None));
    assert_eq!(outbox.find(&queued).state, SendState::Queued);
}
