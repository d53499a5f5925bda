//! One idempotency key is one call and one answer, within a tenant, key and route.

use clawless_core::{Clock, KeyId, Millis, RequestId, TenantId};
use clawless_store::idempotency::{self, Bid, Claim, ClaimKey, KEPT_FOR, Kept, MAX_ANSWER_BYTES};
use clawless_store::turns::{self, NewTurn};
use clawless_testkit::block_on;

use crate::world::World;

struct Desk {
    world: World,
    key: KeyId,
    route: &'static str,
}

impl Desk {
    fn new() -> Self {
        let world = World::new();
        let key = KeyId::generate(world.clock.now(), &world.entropy);
        Self {
            world,
            key,
            route: "/v1/chat/completions",
        }
    }

    fn request(&self) -> RequestId {
        RequestId::generate(self.world.clock.now(), &self.world.entropy)
    }

    fn place(&self) -> ClaimKey<'_> {
        ClaimKey {
            key: &self.key,
            route: self.route,
            idempotency_key: "order-1",
        }
    }

    fn claim(&self, tenant: &TenantId, body: char, request: &RequestId) -> Claim {
        self.bid(tenant, body, request, None)
    }

    fn bid(
        &self,
        tenant: &TenantId,
        body: char,
        request: &RequestId,
        dead: Option<&RequestId>,
    ) -> Claim {
        let (now, digest) = (self.world.clock.now(), body.to_string().repeat(64));
        let bid = Bid {
            body_digest: &digest,
            request,
            now,
            deadline: now.plus(Millis::from_secs(60)),
            dead,
        };
        let claim = idempotency::claim(&self.world.database, tenant, self.place(), bid);
        block_on(claim).expect("runs")
    }

    fn ours(&self, body: char, request: &RequestId) -> Claim {
        self.claim(&self.world.ours, body, request)
    }

    fn finish(&self, request: &RequestId, answer: &str) {
        let (sql, ours) = (&self.world.database, &self.world.ours);
        let kept = self.kept(answer);
        block_on(idempotency::finish(sql, ours, request, &kept)).expect("runs");
    }

    fn kept(&self, answer: &str) -> Kept {
        Kept {
            key: self.key.clone(),
            route: self.route.to_owned(),
            idempotency_key: "order-1".to_owned(),
            answer: answer.to_owned(),
        }
    }
}

#[test]
fn the_first_runs_and_the_second_waits_for_its_answer() {
    let desk = Desk::new();
    let (first, second) = (desk.request(), desk.request());
    assert_eq!(desk.ours('a', &first), Claim::Granted);
    assert_eq!(
        desk.ours('a', &first),
        Claim::Granted,
        "asked again after a lost answer"
    );
    let running = Claim::Running {
        request: first.clone(),
        since: desk.world.clock.now(),
    };
    desk.world.clock.advance(Millis::from_secs(1));
    assert_eq!(desk.ours('a', &second), running);
    desk.finish(&first, "{\"id\":1}");
    let answered = Claim::Answered {
        request: first,
        answer: "{\"id\":1}".to_owned(),
    };
    assert_eq!(desk.ours('a', &second), answered);
}

#[test]
fn another_body_is_refused() {
    let desk = Desk::new();
    let (first, second) = (desk.request(), desk.request());
    desk.ours('a', &first);
    assert_eq!(desk.ours('b', &second), Claim::OtherBody);
    desk.finish(&first, "x");
    assert_eq!(desk.ours('b', &second), Claim::OtherBody);
}

#[test]
fn attack_19_the_same_key_of_two_tenants_is_independent() {
    let desk = Desk::new();
    let (first, second) = (desk.request(), desk.request());
    assert_eq!(desk.ours('a', &first), Claim::Granted);
    assert_eq!(desk.claim(&desk.world.theirs, 'b', &second), Claim::Granted);
    desk.finish(&first, "ours");
    let third = desk.request();
    let theirs = desk.claim(&desk.world.theirs, 'b', &third);
    assert!(matches!(theirs, Claim::Running { request, .. } if request == second));
}

#[test]
fn a_request_that_died_is_taken_over_after_its_deadline_and_cannot_answer_late() {
    let desk = Desk::new();
    let (dead, next) = (desk.request(), desk.request());
    desk.ours('a', &dead);
    desk.world.clock.advance(Millis::from_secs(60));
    assert_eq!(desk.ours('a', &next), Claim::Granted);
    desk.finish(&dead, "late");
    assert!(matches!(desk.ours('a', &dead), Claim::Running { request, .. } if request == next));
}

#[test]
fn an_error_before_the_first_byte_is_not_remembered() {
    let desk = Desk::new();
    let (first, second) = (desk.request(), desk.request());
    desk.ours('a', &first);
    let (sql, ours) = (&desk.world.database, &desk.world.ours);
    block_on(idempotency::release(sql, ours, desk.place(), &first)).expect("runs");
    assert_eq!(desk.ours('b', &second), Claim::Granted);
}

#[test]
fn a_long_answer_is_known_but_not_kept() {
    let desk = Desk::new();
    let first = desk.request();
    desk.ours('a', &first);
    desk.finish(&first, &"x".repeat(MAX_ANSWER_BYTES + 1));
    assert_eq!(desk.ours('a', &desk.request()), Claim::TooLarge);
}

#[test]
fn after_a_day_the_key_is_free_again() {
    let desk = Desk::new();
    let first = desk.request();
    desk.ours('a', &first);
    desk.finish(&first, "x");
    desk.world.clock.advance(KEPT_FOR);
    assert_eq!(desk.ours('b', &desk.request()), Claim::Granted);
    desk.world.clock.advance(KEPT_FOR);
    let now = desk.world.clock.now();
    block_on(idempotency::sweep_across_tenants(&desk.world.database, now)).expect("runs");
    assert_eq!(
        desk.world
            .database
            .count("SELECT count(*) FROM idempotency"),
        0
    );
}

#[test]
fn a_request_that_is_known_to_be_dead_is_taken_over_at_once_and_by_one_only() {
    let desk = Desk::new();
    let (dead, next, other) = (desk.request(), desk.request(), desk.request());
    let ours = &desk.world.ours;
    desk.ours('a', &dead);
    assert_eq!(desk.bid(ours, 'b', &next, Some(&dead)), Claim::OtherBody);
    assert_eq!(desk.bid(ours, 'a', &next, Some(&dead)), Claim::Granted);
    let claim = desk.bid(ours, 'a', &other, Some(&dead));
    assert!(matches!(claim, Claim::Running { request, .. } if request == next));
    desk.finish(&next, "x");
    let claim = desk.bid(ours, 'a', &other, Some(&next));
    assert!(
        matches!(claim, Claim::Answered { .. }),
        "the dead answer nothing"
    );
}

#[test]
fn an_answer_is_kept_with_its_turn_or_not_at_all() {
    let desk = Desk::new();
    let mut turn = desk.world.turn("s", 0, "Hi");
    turn.kept = Some(desk.kept("x"));
    desk.ours('a', &turn.request);
    let late = desk.world.turn("s", 0, "first");
    let (sql, ours) = (&desk.world.database, &desk.world.ours);
    let commit = |turn: &NewTurn| block_on(turns::commit(sql, ours, turn));
    commit(&late).expect("stored");
    commit(&turn).expect_err("fenced");
    let claim = desk.ours('a', &desk.request());
    assert!(matches!(claim, Claim::Running { .. }));
    turn.expected = turn.expected.next();
    commit(&turn).expect("stored");
    let claim = desk.ours('a', &desk.request());
    assert!(matches!(claim, Claim::Answered { .. }));
}

#[test]
fn the_same_body_for_another_session_is_another_request() {
    let digest = idempotency::digest;
    assert_ne!(digest(None, b"{}"), digest(Some("s"), b"{}"));
    assert_ne!(digest(Some("s"), b"{}"), digest(None, b"s\n{}"));
    assert_eq!(digest(None, b"").len(), 64);
}
