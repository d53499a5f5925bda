//! Requests with an `Idempotency-Key`: claims and stored responses.

use clawless_core::{KeyId, Millis, RequestId, TenantId, Timestamp};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ports::{Sql, SqlError, Statement, Value};
use crate::statements::{has_expired, statements};

statements! {
    /// Claims a free or expired key, one whose request is past its deadline or known to have ended without a response, or
    /// one whose answer belongs to an expired session.
    CLAIM = concat!("
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
           OR EXISTS (
             SELECT 1 FROM sessions WHERE tenant_id = ?1 AND deleted_at IS NULL AND id = (
               SELECT session_id FROM turns
               WHERE tenant_id = ?1 AND request_id = idempotency.request_id)
             AND ", has_expired!("?7"), ")
        RETURNING request_id");
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

/// The TTL of a claim and its response.
pub const RESPONSE_TTL: Millis = Millis::from_secs(24 * 60 * 60);

/// The longest response that is stored, in bytes.
pub const MAX_RESPONSE_BYTES: usize = 256 * 1024;

/// The scope of an idempotency key within its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimKey<'a> {
    /// The API key of the request.
    pub key: &'a KeyId,
    /// The requested route.
    pub route: &'a str,
    /// The client's `Idempotency-Key`.
    pub idempotency_key: &'a str,
}

/// The outcome of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// This request has the claim and may run.
    Granted,
    /// Another request with the same body runs, or has ended without a response.
    Running {
        /// The request that has the claim.
        request: RequestId,
        /// When it got the claim.
        since: Timestamp,
    },
    /// An earlier request with the same body was answered.
    Answered {
        /// The earlier request.
        request: RequestId,
        /// Its stored response.
        response: String,
    },
    /// An earlier request with the same body was answered with more than [`MAX_RESPONSE_BYTES`].
    TooLarge,
    /// The key was used before with another body.
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

/// A request for a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimRequest<'a> {
    /// The request's [`digest`].
    pub body_digest: &'a str,
    /// The request.
    pub request: &'a RequestId,
    /// The current time.
    pub now: Timestamp,
    /// The time by which the request has ended.
    pub deadline: Timestamp,
    /// A request that had the claim and is known to have ended without a response.
    pub abandoned: Option<&'a RequestId>,
}

/// The SHA-256 of a request, in hexadecimal: of the session that a header may name, of the header with
/// the features that it uses, and of the body.
pub fn digest(session: Option<&str>, features: Option<&str>, body: &[u8]) -> String {
    let mut digest = Sha256::new();
    // Session names and headers have neither tabs nor line breaks, so the first one ends them.
    digest.update(session.unwrap_or_default());
    if let Some(features) = features {
        digest.update(b"\t");
        digest.update(features);
    }
    digest.update(b"\n");
    digest.update(body);
    format!("{:x}", digest.finalize())
}

/// Claims an idempotency key. Idempotent: the request that has the claim is granted it again.
pub async fn claim(
    sql: &impl Sql,
    tenant: &TenantId,
    claim_key: ClaimKey<'_>,
    new: ClaimRequest<'_>,
) -> Result<Claim, SqlError> {
    let [tenant_param, key, route, idempotency_key] = params(tenant, claim_key);
    let (body_digest, request) = (new.body_digest, new.request);
    let claim = CLAIM.with([
        tenant_param,
        key,
        route,
        idempotency_key,
        body_digest.into(),
        request.into(),
        new.now.into(),
        new.deadline.into(),
        new.now.plus(RESPONSE_TTL).into(),
        new.abandoned.into(),
    ]);
    let claimed: Vec<IgnoredAny> = sql.query(claim).await?;
    if !claimed.is_empty() {
        return Ok(Claim::Granted);
    }
    let rows: Vec<Row> = sql.query(FIND.with(params(tenant, claim_key))).await?;
    // Released in between: the client's next request gets the claim.
    let Some(row) = rows.into_iter().next() else {
        return Ok(Claim::Running {
            request: request.clone(),
            since: new.now,
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
        (State::Answered, Some(response)) => Claim::Answered {
            request: row.request_id,
            response,
        },
        (State::Answered | State::TooLarge, _) => Claim::TooLarge,
    })
}

/// A response to store for repeated requests. Serialises as part of a pending turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredResponse {
    /// The API key of the request.
    pub key: KeyId,
    /// The requested route.
    pub route: String,
    /// The client's `Idempotency-Key`.
    pub idempotency_key: String,
    /// The response. One longer than [`MAX_RESPONSE_BYTES`] is recorded without its text.
    #[serde(rename = "answer")]
    pub response: String,
}

impl StoredResponse {
    /// The statement that stores the response of a request. Does nothing if another request has the
    /// claim by now.
    pub(crate) fn finish_statement(&self, tenant: &TenantId, request: &RequestId) -> Statement {
        let claim_key = ClaimKey {
            key: &self.key,
            route: &self.route,
            idempotency_key: &self.idempotency_key,
        };
        let (state, response) = if self.response.len() <= MAX_RESPONSE_BYTES {
            ("answered", Some(self.response.as_str()))
        } else {
            ("too_large", None)
        };
        let [tenant, key, route, idempotency_key] = params(tenant, claim_key);
        FINISH.with([
            tenant,
            key,
            route,
            idempotency_key,
            request.into(),
            state.into(),
            response.into(),
        ])
    }
}

/// Stores the response of the request that has the claim. A request that stores a turn stores its
/// response with the turn instead.
pub async fn finish(
    sql: &impl Sql,
    tenant: &TenantId,
    request: &RequestId,
    response: &StoredResponse,
) -> Result<(), SqlError> {
    sql.batch(vec![response.finish_statement(tenant, request)])
        .await
}

/// Releases a claim: the request failed before its first byte, so it may be repeated.
pub async fn release(
    sql: &impl Sql,
    tenant: &TenantId,
    claim_key: ClaimKey<'_>,
    request: &RequestId,
) -> Result<(), SqlError> {
    let [tenant, key, route, idempotency_key] = params(tenant, claim_key);
    let release = RELEASE.with([tenant, key, route, idempotency_key, request.into()]);
    sql.batch(vec![release]).await
}

/// Deletes expired claims and responses.
pub async fn sweep_across_tenants(sql: &impl Sql, now: Timestamp) -> Result<(), SqlError> {
    sql.batch(vec![SWEEP_ACROSS_TENANTS.with([now.into()])])
        .await
}

fn params(tenant: &TenantId, claim_key: ClaimKey<'_>) -> [Value; 4] {
    [
        tenant.into(),
        claim_key.key.into(),
        claim_key.route.into(),
        claim_key.idempotency_key.into(),
    ]
}
