//! An idempotency key is claimed by one request and has one response, within a tenant, key and
//! route.

use clawless_core::{Clock, KeyId, Millis, RequestId, TenantId};
use clawless_store::idempotency::{
    self, Claim, ClaimKey, ClaimRequest, MAX_RESPONSE_BYTES, RESPONSE_TTL, StoredResponse,
};
use clawless_store::turns::{self, NewTurn};
use clawless_testkit::block_on;

use crate::fixture::Fixture;

struct ClaimFixture {
    fixture: Fixture,
    key: KeyId,
    route: &'static str,
}

impl ClaimFixture {
    fn new() -> Self {
        let fixture = Fixture::new();
        let key = KeyId::generate(fixture.clock.now(), &fixture.entropy);
        Self {
            fixture,
            key,
            route: "/v1/chat/completions",
        }
    }

    fn request(&self) -> RequestId {
        RequestId::generate(self.fixture.clock.now(), &self.fixture.entropy)
    }

    fn claim_key(&self) -> ClaimKey<'_> {
        ClaimKey {
            key: &self.key,
            route: self.route,
            idempotency_key: "order-1",
        }
    }

    fn claim(&self, tenant: &TenantId, body: char, request: &RequestId) -> Claim {
        self.claim_after(tenant, body, request, None)
    }

    fn claim_after(
        &self,
        tenant: &TenantId,
        body: char,
        request: &RequestId,
        abandoned: Option<&RequestId>,
    ) -> Claim {
        let (now, digest) = (self.fixture.clock.now(), body.to_string().repeat(64));
        let new = ClaimRequest {
            body_digest: &digest,
            request,
            now,
            deadline: now.plus(Millis::from_secs(60)),
            abandoned,
        };
        let claim = idempotency::claim(&self.fixture.database, tenant, self.claim_key(), new);
        block_on(claim).expect("succeeds")
    }

    fn ours(&self, body: char, request: &RequestId) -> Claim {
        self.claim(&self.fixture.ours, body, request)
    }

    fn finish(&self, request: &RequestId, response: &str) {
        let (sql, ours) = (&self.fixture.database, &self.fixture.ours);
        let response = self.response(response);
        block_on(idempotency::finish(sql, ours, request, &response)).expect("succeeds");
    }

    fn response(&self, response: &str) -> StoredResponse {
        StoredResponse {
            key: self.key.clone(),
            route: self.route.to_owned(),
            idempotency_key: "order-1".to_owned(),
            response: response.to_owned(),
        }
    }
}

#[test]
fn first_request_runs_and_repeated_request_gets_its_response() {
    let claims = ClaimFixture::new();
    let (first, second) = (claims.request(), claims.request());
    assert_eq!(claims.ours('a', &first), Claim::Granted);
    assert_eq!(
        claims.ours('a', &first),
        Claim::Granted,
        "repeated after a lost response"
    );
    let running = Claim::Running {
        request: first.clone(),
        since: claims.fixture.clock.now(),
    };
    claims.fixture.clock.advance(Millis::from_secs(1));
    assert_eq!(claims.ours('a', &second), running);
    claims.finish(&first, "{\"id\":1}");
    let answered = Claim::Answered {
        request: first,
        response: "{\"id\":1}".to_owned(),
    };
    assert_eq!(claims.ours('a', &second), answered);
}

#[test]
fn other_body_with_the_same_key_is_rejected() {
    let claims = ClaimFixture::new();
    let (first, second) = (claims.request(), claims.request());
    claims.ours('a', &first);
    assert_eq!(claims.ours('b', &second), Claim::OtherBody);
    claims.finish(&first, "x");
    assert_eq!(claims.ours('b', &second), Claim::OtherBody);
}

#[test]
fn attack_19_equal_keys_of_two_tenants_are_independent() {
    let claims = ClaimFixture::new();
    let (first, second) = (claims.request(), claims.request());
    assert_eq!(claims.ours('a', &first), Claim::Granted);
    assert_eq!(
        claims.claim(&claims.fixture.theirs, 'b', &second),
        Claim::Granted
    );
    claims.finish(&first, "ours");
    let third = claims.request();
    let theirs = claims.claim(&claims.fixture.theirs, 'b', &third);
    assert!(matches!(theirs, Claim::Running { request, .. } if request == second));
}

#[test]
fn claim_is_taken_over_after_its_deadline_and_a_late_response_is_ignored() {
    let claims = ClaimFixture::new();
    let (abandoned, next) = (claims.request(), claims.request());
    claims.ours('a', &abandoned);
    claims.fixture.clock.advance(Millis::from_secs(60));
    assert_eq!(claims.ours('a', &next), Claim::Granted);
    claims.finish(&abandoned, "late");
    assert!(
        matches!(claims.ours('a', &abandoned), Claim::Running { request, .. } if request == next)
    );
}

#[test]
fn released_claim_is_free() {
    let claims = ClaimFixture::new();
    let (first, second) = (claims.request(), claims.request());
    claims.ours('a', &first);
    let (sql, ours) = (&claims.fixture.database, &claims.fixture.ours);
    block_on(idempotency::release(sql, ours, claims.claim_key(), &first)).expect("succeeds");
    assert_eq!(claims.ours('b', &second), Claim::Granted);
}

#[test]
fn long_response_is_recorded_without_its_text() {
    let claims = ClaimFixture::new();
    let first = claims.request();
    claims.ours('a', &first);
    claims.finish(&first, &"x".repeat(MAX_RESPONSE_BYTES + 1));
    assert_eq!(claims.ours('a', &claims.request()), Claim::TooLarge);
}

#[test]
fn key_is_free_after_a_day() {
    let claims = ClaimFixture::new();
    let first = claims.request();
    claims.ours('a', &first);
    claims.finish(&first, "x");
    claims.fixture.clock.advance(RESPONSE_TTL);
    assert_eq!(claims.ours('b', &claims.request()), Claim::Granted);
    claims.fixture.clock.advance(RESPONSE_TTL);
    let now = claims.fixture.clock.now();
    block_on(idempotency::sweep_across_tenants(
        &claims.fixture.database,
        now,
    ))
    .expect("succeeds");
    assert_eq!(
        claims
            .fixture
            .database
            .count("SELECT count(*) FROM idempotency"),
        0
    );
}

#[test]
fn claim_of_a_dead_request_is_taken_over_at_once_and_only_once() {
    let claims = ClaimFixture::new();
    let (abandoned, next, other) = (claims.request(), claims.request(), claims.request());
    let ours = &claims.fixture.ours;
    claims.ours('a', &abandoned);
    assert_eq!(
        claims.claim_after(ours, 'b', &next, Some(&abandoned)),
        Claim::OtherBody
    );
    assert_eq!(
        claims.claim_after(ours, 'a', &next, Some(&abandoned)),
        Claim::Granted
    );
    let claim = claims.claim_after(ours, 'a', &other, Some(&abandoned));
    assert!(matches!(claim, Claim::Running { request, .. } if request == next));
    claims.finish(&next, "x");
    let claim = claims.claim_after(ours, 'a', &other, Some(&next));
    assert!(
        matches!(claim, Claim::Answered { .. }),
        "a completed claim is not taken over"
    );
}

#[test]
fn response_is_stored_in_the_transaction_of_its_turn() {
    let claims = ClaimFixture::new();
    let mut turn = claims.fixture.turn("s", 0, "Hi");
    turn.response = Some(claims.response("x"));
    claims.ours('a', &turn.request);
    let late = claims.fixture.turn("s", 0, "first");
    let (sql, ours) = (&claims.fixture.database, &claims.fixture.ours);
    let commit = |turn: &NewTurn| block_on(turns::commit(sql, ours, turn));
    commit(&late).expect("stored");
    commit(&turn).expect_err("fenced");
    let claim = claims.ours('a', &claims.request());
    assert!(matches!(claim, Claim::Running { .. }));
    turn.expected = turn.expected.next();
    commit(&turn).expect("stored");
    let claim = claims.ours('a', &claims.request());
    assert!(matches!(claim, Claim::Answered { .. }));
}

#[test]
fn digest_includes_the_session() {
    let digest = idempotency::digest;
    assert_ne!(digest(None, None, b"{}"), digest(Some("s"), None, b"{}"));
    assert_ne!(digest(Some("s"), None, b"{}"), digest(None, None, b"s\n{}"));
    assert_ne!(digest(None, None, b"{}"), digest(None, Some("f"), b"{}"));
    assert_ne!(
        digest(Some("f"), None, b"{}"),
        digest(None, Some("f"), b"{}")
    );
    assert_eq!(digest(None, None, b"").len(), 64);
}
