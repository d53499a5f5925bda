//! A tenant's rows as JSON objects that the database writes itself, for operators: who sees records
//! as they are stored needs no type for each, and a Worker that reads them so stays small.
//!
//! Times are in seconds since 1970. No digest of a key is ever among the members.

use std::fmt;
use std::str::FromStr;

use clawless_core::json::Json;
use clawless_core::{SessionId, TenantId};
use serde::{Deserialize, Serialize, Serializer};
use serde::de::IgnoredAny;

use crate::ports::{Sql, SqlError};
use crate::statement::{SqlText, Statement, statements};

/// A session's record; the settings hold what the tenant's clients said about it.
macro_rules! session {
    () => {
        "json_object('object', 'session', 'id', id, 'title', title, 'metadata', json(metadata),
           'system_prompt', system_prompt, 'model', model, 'thinking_level', thinking_level,
           'tools', json(tools), 'token_total', token_total, 'expires_at', expires_at / 1000,
           'deleted_at', deleted_at / 1000, 'created_at', created_at / 1000,
           'updated_at', updated_at / 1000) AS record"
    };
}

/// A message's record, and beside it the message, byte for byte as it came in.
macro_rules! message {
    () => {
        "json_object('object', 'session.message', 'session_id', session_id, 'id', id, 'turn', seq,
           'position', position, 'role', role) AS record, content AS message"
    };
}

statements! {
    /// Newest first.
    SESSIONS_BY_AGE = concat!("
        SELECT json_array(created_at, id) AS place, ", session!(), "
        FROM sessions WHERE tenant_id = ?1 AND deleted_at IS NULL AND (created_at, id) <
          (json_extract(?2, '$[0]'), json_extract(?2, '$[1]'))
        ORDER BY created_at DESC, id DESC LIMIT ?3");
    SESSION = concat!("
        SELECT id AS place, ", session!(), "
        FROM sessions WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL");
    MESSAGES_OF_SESSION = concat!("
        SELECT json_array(seq, position) AS place, ", message!(), "
        FROM messages WHERE tenant_id = ?1 AND session_id = ?4 AND (seq, position) >
          (json_extract(?2, '$[0]'), json_extract(?2, '$[1]'))
        ORDER BY seq, position LIMIT ?3");
    TENANT = "
        SELECT id AS place,
               json_object('object', 'tenant', 'id', id, 'name', name, 'tier', tier,
                 'status', status, 'settings', json(settings), 'version', version,
                 'created_at', created_at / 1000, 'updated_at', updated_at / 1000) AS record
        FROM tenants WHERE id = ?1 AND id > ?2 LIMIT ?3";
    API_KEYS = "
        SELECT id AS place,
               json_object('object', 'api_key', 'id', id, 'kind', kind, 'name', name,
                 'scopes', json(scopes), 'allowed_origins', json(allowed_origins),
                 'expires_at', expires_at / 1000, 'revoked_at', revoked_at / 1000,
                 'successor_id', successor_id, 'last_used_at', last_used_at / 1000,
                 'created_at', created_at / 1000) AS record
        FROM api_keys WHERE tenant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    SESSIONS = concat!("
        SELECT id AS place, ", session!(), "
        FROM sessions WHERE tenant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3");
    TURNS = "
        SELECT json_array(session_id, seq) AS place,
               json_object('object', 'turn', 'session_id', session_id, 'turn', seq,
                 'request_id', request_id, 'key_id', key_id, 'status', status,
                 'incomplete_reason', incomplete_reason, 'finish_reason', finish_reason,
                 'model', model, 'provider', provider,
                 'usage', json_object('prompt_tokens', prompt_tokens,
                   'completion_tokens', completion_tokens, 'cached_tokens', cached_tokens,
                   'reasoning_tokens', reasoning_tokens, 'micro_dollars', cost_micro_dollars,
                   'provenance', provenance),
                 'created_at', created_at / 1000) AS record
        FROM turns WHERE tenant_id = ?1 AND
          (session_id, seq) > (json_extract(?2, '$[0]'), json_extract(?2, '$[1]'))
        ORDER BY session_id, seq LIMIT ?3";
    MESSAGES = concat!("
        SELECT json_array(session_id, seq, position) AS place, ", message!(), "
        FROM messages WHERE tenant_id = ?1 AND (session_id, seq, position) >
          (json_extract(?2, '$[0]'), json_extract(?2, '$[1]'), json_extract(?2, '$[2]'))
        ORDER BY session_id, seq, position LIMIT ?3");
    TOOL_EXECUTIONS = "
        SELECT id AS place,
               json_object('object', 'tool_execution', 'id', id, 'session_id', session_id,
                 'request_id', request_id, 'call_id', call_id, 'tool', tool,
                 'arguments', arguments, 'status', outcome, 'result', result,
                 'created_at', started_at / 1000, 'duration_ms', duration_ms) AS record
        FROM tool_executions WHERE tenant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    /// Messages that sessions send each other.
    SENDS = "
        SELECT id AS place,
               json_object('object', 'send', 'id', id, 'session_id', session_id, 'key_id', key_id,
                 'origin', origin, 'path', json(path), 'hops', hops, 'content', message,
                 'state', state, 'reason', reason, 'request_id', request_id, 'tries', tries,
                 'created_at', created_at / 1000, 'updated_at', updated_at / 1000,
                 'ended_at', ended_at / 1000) AS record
        FROM sends WHERE tenant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    /// Answers that are kept for whoever asks the same again.
    IDEMPOTENCY = "
        SELECT json_array(key_id, route, idempotency_key) AS place,
               json_object('object', 'kept_answer', 'key_id', key_id, 'route', route,
                 'idempotency_key', idempotency_key, 'request_id', request_id, 'state', state,
                 'answer', answer, 'created_at', created_at / 1000,
                 'expires_at', expires_at / 1000) AS record
        FROM idempotency WHERE tenant_id = ?1 AND (key_id, route, idempotency_key) >
          (json_extract(?2, '$[0]'), json_extract(?2, '$[1]'), json_extract(?2, '$[2]'))
        ORDER BY key_id, route, idempotency_key LIMIT ?3";
    RECEIPTS = "
        SELECT request_id AS place,
               json_object('object', 'receipt', 'request_id', request_id, 'key_id', key_id,
                 'session_id', session_id, 'model', model, 'period', period,
                 'granted_at', granted_at / 1000, 'closed_at', closed_at / 1000,
                 'reserved', json_object('messages', reserved_messages,
                   'tokens', reserved_tokens, 'micro_dollars', reserved_micro_dollars),
                 'charged', json_object('messages', charged_messages,
                   'tokens', charged_tokens, 'micro_dollars', charged_micro_dollars),
                 'tokens_in', tokens_in, 'tokens_out', tokens_out,
                 'provenance', provenance) AS record
        FROM receipts WHERE tenant_id = ?1 AND request_id > ?2 ORDER BY request_id LIMIT ?3";
    AUDIT_LOG = "
        SELECT id AS place,
               json_object('object', 'audit_entry', 'id', id, 'at', at / 1000, 'actor', actor,
                 'action', action, 'target', target, 'before', json(before_json),
                 'after', json(after_json), 'request_id', request_id) AS record
        FROM audit_log WHERE tenant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
}

/// How many rows are read at once where each may have 2 MB.
const AT_ONCE: u32 = 8;

/// What an export holds, in its order: a list's name, its statement, what sorts before its first
/// place, and how many rows are read at once: few where a row can be long.
const LISTS: [(&str, SqlText, &str, u32); 10] = [
    ("tenant", TENANT, "", 1),
    ("api_keys", API_KEYS, "", 200),
    ("sessions", SESSIONS, "", 16),
    ("turns", TURNS, r#"["",0]"#, 200),
    ("messages", MESSAGES, r#"["",0,0]"#, AT_ONCE),
    ("tool_executions", TOOL_EXECUTIONS, "", 16),
    ("sends", SENDS, "", 16),
    ("kept_answers", IDEMPOTENCY, r#"["","",""]"#, AT_ONCE),
    ("receipts", RECEIPTS, "", 200),
    ("audit_log", AUDIT_LOG, "", 16),
];

/// How much one page of an export asks of the database and of memory: queries, and bytes that may
/// be passed by the rows of one query.
const MAX_QUERIES: u32 = 30;
const MAX_BYTES: usize = 2_000_000;

/// A row, and where it stands in its list. Serialises as the row alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What sorts as the rows of the list do.
    pub place: String,
    /// The row.
    pub json: Json,
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(to)
    }
}

/// A [`Record::place`] that was handed out, and comes back from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl FromStr for Key {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        // SQLite reads it as JSON, and what is none would look like a fault of the database.
        match serde_json::from_str::<Vec<IgnoredAny>>(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(InvalidPlace),
        }
    }
}

#[derive(Deserialize)]
struct Row {
    place: String,
    record: String,
    message: Option<String>,
}

impl TryFrom<Row> for Record {
    type Error = SqlError;

    fn try_from(mut row: Row) -> Result<Self, SqlError> {
        if let Some(message) = row.message {
            // Not in SQL: with what stands around it, a text may be longer than D1 lets one be.
            row.record.pop();
            row.record.extend([r#","message":"#, &message, "}"]);
        }
        let json = Json::parse(row.record);
        Ok(Self {
            place: row.place,
            json: json.map_err(|error| SqlError::corrupt(format!("a record: {error}")))?,
        })
    }
}

/// Where an export goes on: after a row of one of its lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordPosition {
    list: usize,
    after: String,
}

/// A text names no place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a place in a list")]
pub struct InvalidPlace;

impl FromStr for RecordPosition {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        let (name, after) = text.split_once(':').ok_or(InvalidPlace)?;
        let list = LISTS.iter().position(|(known, ..)| *known == name);
        let list = list.ok_or(InvalidPlace)?;
        let is_array = LISTS.get(list).is_some_and(|(_, _, start, _)| !start.is_empty());
        if is_array {
            after.parse::<Key>()?;
        }
        let after = after.to_owned();
        Ok(Self { list, after })
    }
}

impl fmt::Display for RecordPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, ..) = LISTS.get(self.list).ok_or(fmt::Error)?;
        write!(f, "{name}:{}", self.after)
    }
}

/// A page of all that is stored of a tenant, and where the next one begins: a few thousand rows at
/// most, and so many bytes that a Worker can hold them.
pub async fn export(
    sql: &impl Sql,
    tenant: &TenantId,
    from: RecordPosition,
) -> Result<(Vec<Record>, Option<RecordPosition>), SqlError> {
    let (mut records, mut bytes) = (Vec::new(), 0);
    let RecordPosition { list: first, mut after } = from;
    let mut queries = 0;
    for (list, (_, text, start, rows)) in LISTS.into_iter().enumerate().skip(first) {
        if after.is_empty() {
            start.clone_into(&mut after);
        }
        loop {
            if queries == MAX_QUERIES || bytes >= MAX_BYTES {
                return Ok((records, Some(RecordPosition { list, after })));
            }
            let read = text.with([tenant.into(), after.as_str().into(), rows.into()]);
            let found = run(sql, read).await?;
            queries += 1;
            let is_last = found.len() < rows as usize;
            bytes += size(&found);
            records.extend(found);
            if is_last {
                break;
            }
            if let Some(last) = records.last() {
                last.place.clone_into(&mut after);
            }
        }
        after.clear();
    }
    Ok((records, None))
}

/// Sorts after the place of every session.
const NEWEST: &str = "[9007199254740991,\"\"]";
/// Sorts before the place of every message.
const EARLIEST: &str = "[0,0]";

/// A tenant's sessions, newest first: at most `limit` of those after `after`. Those that have
/// expired are among them until somebody looks them up.
pub async fn sessions(
    sql: &impl Sql,
    tenant: &TenantId,
    after: Option<&Key>,
    limit: u32,
) -> Result<Vec<Record>, SqlError> {
    let after = after.map_or(NEWEST, |Key(place)| place);
    let read = SESSIONS_BY_AGE.with([tenant.into(), after.into(), limit.into()]);
    run(sql, read).await
}

/// The session, if the tenant has one of this name.
pub async fn session(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
) -> Result<Option<Record>, SqlError> {
    let found = run(sql, SESSION.with([tenant.into(), id.into()])).await?;
    Ok(found.into_iter().next())
}

/// What was said in a session, earliest first: at most `limit` messages of those after `after`, and
/// whether there are more. Of long messages there are fewer, so that a Worker can hold them.
pub async fn messages(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    after: Option<&Key>,
    limit: u32,
) -> Result<(Vec<Record>, bool), SqlError> {
    let (mut records, mut bytes): (Vec<Record>, _) = (Vec::new(), 0);
    let mut after = after.map_or(EARLIEST, |Key(place)| place).to_owned();
    let mut left = limit;
    while left > 0 && bytes < MAX_BYTES {
        // One more than is wanted tells whether there are more.
        let piece = left.min(AT_ONCE);
        let rows = (piece + 1).into();
        let params = [tenant.into(), after.as_str().into(), rows, session.into()];
        let mut found = run(sql, MESSAGES_OF_SESSION.with(params)).await?;
        let is_last = found.len() <= piece as usize;
        found.truncate(piece as usize);
        if let Some(last) = found.last() {
            last.place.clone_into(&mut after);
        }
        left -= piece;
        bytes += size(&found);
        records.extend(found);
        if is_last {
            return Ok((records, false));
        }
    }
    Ok((records, true))
}

fn size(records: &[Record]) -> usize {
    records.iter().map(|record| record.json.as_str().len()).sum()
}

async fn run(sql: &impl Sql, statement: Statement) -> Result<Vec<Record>, SqlError> {
    let rows: Vec<Row> = sql.query(statement).await?;
    rows.into_iter().map(Record::try_from).collect()
}
