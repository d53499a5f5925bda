//! Messages between sessions: accepted once, tried by one at a time, ended with their turn.

use clawless_core::sending::SendState;
use clawless_core::{Clock, Millis, RequestId, SendId, TenantId};
use clawless_store::sends::{self, Claimed, MAX_A_TURN, MAX_UNDER_WAY, NewSend, StoredSend};
use clawless_store::turns::{CommitError, NewTurn, TurnStatus};
use clawless_store::{SqlErrorKind, sessions};
use clawless_testkit::{Fault, block_on};

use crate::world::{World, name};

/// A tenant's session `b`, to which messages go.
struct Post {
    world: World,
    key: clawless_core::KeyId,
}

impl Post {
    fn new() -> Self {
        let world = World::new();
        let key = world.key(&world.ours).0.id;
        world.converse(&world.ours, "b", &["hello"]);
        world.clock.advance(Millis::new(5));
        Self { world, key }
    }

    /// Sends a text on behalf of what `origin` names.
    fn send(&self, origin: &str, text: &str) -> Option<SendId> {
        let id = SendId::generate(self.world.now(), &self.world.entropy);
        let new = NewSend {
            id: &id,
            session: &name("b"),
            key: &self.key,
            origin,
            path: &[name("a")],
            hops: 1,
            message: text,
        };
        let world = &self.world;
        block_on(sends::accept(
            &world.database,
            &world.ours,
            new,
            world.now(),
        ))
        .expect("runs")
    }

    fn found(&self, id: &SendId) -> StoredSend {
        let found = sends::find(&self.world.database, &self.world.ours, id);
        block_on(found).expect("runs").expect("there")
    }

    fn claim(&self, id: &SendId, by: &RequestId, dead: Option<&RequestId>) -> Option<Claimed> {
        self.claim_of(&self.world.ours, id, by, dead)
    }

    fn claim_of(
        &self,
        tenant: &TenantId,
        id: &SendId,
        by: &RequestId,
        dead: Option<&RequestId>,
    ) -> Option<Claimed> {
        let now = self.world.now();
        let claim = sends::claim(&self.world.database, tenant, id, by, dead, now);
        block_on(claim).expect("runs")
    }

    /// The turn with which a try answers a message.
    fn turn(&self, id: &SendId, by: &RequestId, expected: u64) -> NewTurn {
        NewTurn {
            request: by.clone(),
            send: Some(id.clone()),
            ..self.world.turn("b", expected, "the message")
        }
    }

    fn request(&self) -> RequestId {
        RequestId::generate(self.world.clock.now(), &self.world.entropy)
    }
}

#[test]
fn what_was_said_before_is_not_said_again_and_no_turn_says_too_much() {
    let post = Post::new();
    let first = post.send("req_1", "hello");
    assert!(first.is_some());
    assert_eq!(post.send("req_1", "hello"), first, "the same message");
    assert_ne!(post.send("req_2", "hello"), first, "another turn's");
    for number in 1..MAX_A_TURN {
        assert!(post.send("req_1", &number.to_string()).is_some());
    }
    assert_eq!(post.send("req_1", "one too many"), None);
    assert_eq!(post.send("req_1", "hello"), first, "what stands, stands");
    for number in MAX_A_TURN + 1..MAX_UNDER_WAY {
        assert!(post.send(&format!("req_x{number}"), "hello").is_some());
    }
    assert_eq!(post.send("req_y", "hello"), None, "too many under way");
}

#[test]
fn a_message_is_accepted_once_though_the_answer_was_lost() {
    let post = Post::new();
    let id = SendId::generate(post.world.now(), &post.world.entropy);
    let session = name("b");
    let new = NewSend {
        id: &id,
        session: &session,
        key: &post.key,
        origin: "req_1",
        path: &[],
        hops: 1,
        message: "hello",
    };
    let (database, ours, now) = (&post.world.database, &post.world.ours, post.world.now());
    database.plan([Some(Fault::After(Fault::LOST))]);
    assert!(block_on(sends::accept(database, ours, new, now)).is_err());
    let repeated = block_on(sends::accept(database, ours, new, now));
    assert_eq!(repeated, Ok(Some(id.clone())));
    assert_eq!(database.count("SELECT count(*) FROM sends"), 1);
    // Nor is there one to a session that is not there.
    let nowhere = name("nowhere");
    let fresh = SendId::generate(now, &post.world.entropy);
    let lost = NewSend {
        id: &fresh,
        session: &nowhere,
        ..new
    };
    let refused = block_on(sends::accept(database, ours, lost, now)).expect_err("refused");
    assert!(matches!(refused.kind, SqlErrorKind::Constraint(_)));
}

#[test]
fn one_try_has_a_message_and_ends_it_with_its_turn() {
    let post = Post::new();
    let id = post.send("req_1", "hello").expect("accepted");
    let (first, second) = (post.request(), post.request());
    let theirs = post.claim_of(&post.world.theirs, &id, &first, None);
    assert_eq!(theirs, None, "another tenant's");
    let claimed = post.claim(&id, &first, None).expect("free");
    assert_eq!(
        (claimed.message.as_str(), claimed.hops, claimed.tries),
        ("hello", 1, 1)
    );
    assert_eq!(claimed.path, [name("a")]);
    assert_eq!(post.claim(&id, &second, None), None, "one at a time");
    assert!(post.claim(&id, &first, None).is_some(), "may be repeated");
    assert_eq!(post.found(&id).state, SendState::Running);
    let turn = post.turn(&id, &first, 1);
    post.world.commit(&post.world.ours, &turn).expect("stored");
    let found = post.found(&id);
    assert_eq!(
        (found.state, found.request_id),
        (SendState::Replied, Some(first))
    );
    assert!(
        post.world
            .commit(&post.world.ours, &turn)
            .expect("known")
            .repeated
    );
    assert_eq!(post.claim(&id, &second, None), None, "it has ended");
    let text = "SELECT count(*) FROM sends WHERE message IS NOT NULL";
    assert_eq!(post.world.database.count(text), 0);
}

#[test]
fn a_try_that_was_taken_for_dead_stores_nothing() {
    let post = Post::new();
    let id = post.send("req_1", "hello").expect("accepted");
    let (zombie, second) = (post.request(), post.request());
    assert!(post.claim(&id, &zombie, None).is_some());
    assert!(post.claim(&id, &second, Some(&zombie)).is_some());
    let (late, ours) = (post.turn(&id, &zombie, 1), &post.world.ours);
    assert_eq!(post.world.commit(ours, &late), Err(CommitError::TakenOver));
    let turn = post.turn(&id, &second, 1);
    post.world.commit(ours, &turn).expect("stored");
    let again = post.turn(&id, &zombie, 2);
    assert_eq!(post.world.commit(ours, &again), Err(CommitError::TakenOver));
    assert_eq!(post.world.said(ours, "b"), ["hello", "the message"]);
    let (now, database) = (post.world.now(), &post.world.database);
    for by in [&zombie, &second] {
        let released = block_on(sends::release(database, ours, &id, by, "x", now));
        let failed = block_on(sends::fail(database, ours, &id, by, "x", now));
        assert_eq!((released, failed), (Ok(false), Ok(false)), "it has ended");
    }
}

#[test]
fn an_answer_that_broke_leaves_the_message_delivered() {
    let post = Post::new();
    let id = post.send("req_1", "hello").expect("accepted");
    let by = post.request();
    post.claim(&id, &by, None);
    let mut turn = post.turn(&id, &by, 1);
    turn.status = TurnStatus::Incomplete(clawless_core::ErrorCode::UpstreamError);
    post.world.commit(&post.world.ours, &turn).expect("stored");
    let found = post.found(&id);
    assert_eq!(found.state, SendState::Delivered);
    assert_eq!(found.reason.as_deref(), Some("upstream_error"));
}

#[test]
fn a_message_is_not_delivered_to_another_session_of_the_same_name() {
    let post = Post::new();
    let id = post.send("req_1", "hello").expect("accepted");
    let by = post.request();
    post.claim(&id, &by, None);
    post.world.clock.advance(Millis::new(5));
    let (database, ours, now) = (&post.world.database, &post.world.ours, post.world.now());
    assert_eq!(
        block_on(sessions::delete(database, ours, &name("b"), now)),
        Ok(true)
    );
    let head = block_on(sessions::look_up(database, ours, &name("b"), now)).expect("runs");
    let sessions::SessionLookup::Free { head } = head else {
        panic!("it is gone");
    };
    let turn = post.turn(&id, &by, head.seq());
    assert_eq!(post.world.commit(ours, &turn), Err(CommitError::TakenOver));
}

#[test]
fn what_waits_too_long_is_found_and_what_has_ended_is_forgotten() {
    let post = Post::new();
    let (database, ours) = (&post.world.database, &post.world.ours);
    let (waits, failed) = (
        post.send("req_1", "x").expect("one"),
        post.send("req_1", "y").expect("two"),
    );
    let by = post.request();
    post.claim(&failed, &by, None);
    let now = post.world.now();
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
    assert_eq!(post.found(&failed).reason.as_deref(), Some("session_busy"));
    let stale = |since| block_on(sends::stale_across_tenants(database, since, 10)).expect("runs");
    assert!(stale(now).is_empty());
    let later = now.plus(Millis::new(1));
    let found: Vec<SendId> = stale(later).into_iter().map(|job| job.send).collect();
    assert_eq!(found, std::slice::from_ref(&waits));
    block_on(sends::purge_across_tenants(database, later)).expect("runs");
    assert_eq!(block_on(sends::find(database, ours, &failed)), Ok(None));
    assert_eq!(post.found(&waits).state, SendState::Queued);
}
