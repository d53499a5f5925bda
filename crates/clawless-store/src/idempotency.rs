//! Requests with an `Idempotency-Key`: who may run, and what was answered.

use clawless_core::{KeyId, Millis, RequestId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ports::{Sql, SqlError, Value};
use crate::statement::{Statement, statements};

statements! {
    /// Takes a free place, one that has expired, or one whose request is believed dead.
    CLAIM = "
        INSERT INTO idempotency (tenant_id, key_id, route, idempotency_key, body_digest, request_id,
                                 state, created_at, deadline, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'running', ?7, ?8, ?9)
        ON CONFLICT (tenant_id, key_id, route, idempotency_key) DO UPDATE SET
          body_digest = excluded.body_digest, request_id = excluded.request_id,
          state = 'running', answer = NULL, created_at = excluded.created_at,
          deadline = excluded.deadline, expires_at = excluded.expires_at
        WHERE idempotency.expires_at <= excluded.created_at
           OR (idempotency.state = 'running' AND idempotency.body_digest = excluded.body_digest
               AND (idempotency.deadline <= excluded.created_at OR idempotency.request_id = ?10))
        RETURNING request_id";
    FIND = "
        SELECT body_digest, request_id, state, answer, created_at FROM idempotency
        WHERE tenant_id = ?1 AND key_id = ?2 AND route = ?3 AND idempotency_key = ?4";
    FINISH = "
        UPDATE idempotency SET state = ?6, answer = ?7
        WHERE tenant_id = ?1 AND key_id = ?2 AND route = ?3 AND idempotency_key = ?4
          AND request_id = ?5 AND state = 'running'";
    RELEASE = "
        DELETE FROM idempotency
        WHERE tenant_id = ?1 AND key_id = ?2 AND route = ?3 AND idempotency_key = ?4
          AND request_id = ?5 AND state = 'running'";
    SWEEP_ACROSS_TENANTS = "DELETE FROM idempotency WHERE expires_at <= ?1";
}

/// How long an answer is kept.
pub const KEPT_FOR: Millis = Millis::from_secs(24 * 60 * 60);

/// The longest answer that is kept, in bytes.
pub const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// What an idempotency key counts within, beside the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimKey<'a> {
    /// The API key that asks.
    pub key: &'a KeyId,
    /// The route that is asked.
    pub route: &'a str,
    /// What the client sent as `Idempotency-Key`.
    pub idempotency_key: &'a str,
}

/// Who may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// This request: the place is taken for it.
    Granted,
    /// Another request with the same body runs, or died without a word.
    Running {
        /// The request that has the place.
        request: RequestId,
        /// Since when it has it.
        since: Timestamp,
    },
    /// The same body was answered before, by this request and with this.
    Answered {
        /// The request that was answered.
        request: RequestId,
        /// What was kept of it.
        answer: String,
    },
    /// The same body was answered before, with more than is kept.
    TooLarge,
    /// The key was used before, with another body.
    OtherBody,
}

#[derive(Deserialize)]
struct Row {
    body_digest: String,
    request_id: RequestId,
    state: State,
    answer: Option<String>,
    created_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Running,
    Answered,
    TooLarge,
}

/// Who asks for a place, and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bid<'a> {
    /// The SHA-256 of what is asked, in hexadecimal: see [`digest`].
    pub body_digest: &'a str,
    /// The request that asks.
    pub request: &'a RequestId,
    /// When.
    pub now: Timestamp,
    /// Until when it will run at most.
    pub deadline: Timestamp,
    /// A request that had the place and is known to be dead.
    pub dead: Option<&'a RequestId>,
}

/// What tells the same request from another: the body as it was sent, and the session that a header
/// may have named. SHA-256 in hexadecimal.
pub fn digest(session: Option<&str>, body: &[u8]) -> String {
    let mut digest = Sha256::new();
    // No session's name has a line break, so what stands before the first is the name.
    digest.update(session.unwrap_or_default());
    digest.update(b"\n");
    digest.update(body);
    format!("{:x}", digest.finalize())
}

/// Asks for the place. May be repeated: the request that has the place is granted it again.
pub async fn claim(
    sql: &impl Sql,
    tenant: &TenantId,
    place: ClaimKey<'_>,
    bid: Bid<'_>,
) -> Result<Claim, SqlError> {
    let [tenant_param, key, route, idempotency_key] = params(tenant, place);
    let (body_digest, request) = (bid.body_digest, bid.request);
    let claim = CLAIM.with([
        tenant_param,
        key,
        route,
        idempotency_key,
        body_digest.into(),
        request.into(),
        bid.now.into(),
        bid.deadline.into(),
        bid.now.plus(KEPT_FOR).into(),
        bid.dead.into(),
    ]);
    let taken: Vec<serde::de::IgnoredAny> = sql.query(claim).await?;
    if !taken.is_empty() {
        return Ok(Claim::Granted);
    }
    let rows: Vec<Row> = sql.query(FIND.with(params(tenant, place))).await?;
    // Released in between: the client's next try will get it.
    let Some(row) = rows.into_iter().next() else {
        return Ok(Claim::Running {
            request: request.clone(),
            since: bid.now,
        });
    };
    if row.body_digest != body_digest {
        return Ok(Claim::OtherBody);
    }
    Ok(match (row.state, row.answer) {
        (State::Running, _) if row.request_id == *request => Claim::Granted,
        (State::Running, _) => Claim::Running {
            request: row.request_id,
            since: row.created_at,
        },
        (State::Answered, Some(answer)) => Claim::Answered {
            request: row.request_id,
            answer,
        },
        (State::Answered | State::TooLarge, _) => Claim::TooLarge,
    })
}

/// An answer to be kept, for whoever asks the same again. Serialises, as part of a turn that the
/// database refuses for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The API key that asked.
    pub key: KeyId,
    /// The route that was asked.
    pub route: String,
    /// What the client sent as `Idempotency-Key`.
    pub idempotency_key: String,
    /// The answer; of one longer than [`MAX_ANSWER_BYTES`] only that there was one is kept.
    pub answer: String,
}

impl Kept {
    /// What keeps the answer of this request, as part of a transaction. Does nothing where another
    /// request has taken the place meanwhile.
    pub(crate) fn statement(&self, tenant: &TenantId, request: &RequestId) -> Statement {
        let place = ClaimKey {
            key: &self.key,
            route: &self.route,
            idempotency_key: &self.idempotency_key,
        };
        let (state, answer) = if self.answer.len() <= MAX_ANSWER_BYTES {
            ("answered", Some(self.answer.as_str()))
        } else {
            ("too_large", None)
        };
        let [tenant, key, route, idempotency_key] = params(tenant, place);
        FINISH.with([
            tenant,
            key,
            route,
            idempotency_key,
            request.into(),
            state.into(),
            answer.into(),
        ])
    }
}

/// Keeps the answer of the request that has the place, by itself: the answer of a request that
/// stores a turn is kept together with the turn.
pub async fn finish(
    sql: &impl Sql,
    tenant: &TenantId,
    request: &RequestId,
    kept: &Kept,
) -> Result<(), SqlError> {
    sql.batch(vec![kept.statement(tenant, request)]).await
}

/// Gives the place back: the request failed before its first byte, which is not remembered.
pub async fn release(
    sql: &impl Sql,
    tenant: &TenantId,
    place: ClaimKey<'_>,
    request: &RequestId,
) -> Result<(), SqlError> {
    let [tenant, key, route, idempotency_key] = params(tenant, place);
    let release = RELEASE.with([tenant, key, route, idempotency_key, request.into()]);
    sql.batch(vec![release]).await
}

/// Forgets what is kept no longer.
pub async fn sweep_across_tenants(sql: &impl Sql, now: Timestamp) -> Result<(), SqlError> {
    sql.batch(vec![SWEEP_ACROSS_TENANTS.with([now.into()])])
        .await
}

fn params(tenant: &TenantId, place: ClaimKey<'_>) -> [Value; 4] {
    [
        tenant.into(),
        place.key.into(),
        place.route.into(),
        place.idempotency_key.into(),
    ]
}
