//! The amounts of a tenant's stored content, as a storage quota counts them: sessions, their
//! messages, and the bytes of both. Expired sessions count until they are deleted.

use clawless_core::{RequestId, SessionId, Storage, TenantId, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::page;
use crate::ports::{Sql, SqlError, Statement, Value};
use crate::statements::{has_expired, settings_bytes, statements};

statements! {
    /// In pages, by name.
    SESSIONS = concat!("
        SELECT count(*) AS rows, coalesce(sum(bytes), 0) AS bytes, max(id) AS last FROM (
          SELECT id, ", settings_bytes!(), " AS bytes FROM sessions
          WHERE tenant_id = ?1 AND id > ?2 AND deleted_at IS NULL ORDER BY id LIMIT ?3)");
    /// In pages, by request.
    TURNS = "
        SELECT count(*) AS rows, coalesce(sum(messages), 0) AS messages,
               coalesce(sum(stored_bytes), 0) AS bytes, max(request_id) AS last
        FROM (
          SELECT request_id, stored_bytes, (
            SELECT count(*) FROM messages
            WHERE tenant_id = ?1 AND session_id = turns.session_id AND seq = turns.seq) AS messages
          FROM turns WHERE tenant_id = ?1 AND request_id > ?2 ORDER BY request_id LIMIT ?3)";
    OF_SESSION = concat!("
        SELECT ", settings_bytes!(), " AS settings, (
                 SELECT count(*) FROM messages
                 WHERE tenant_id = ?1 AND session_id = sessions.id) AS messages, (
                 SELECT coalesce(sum(stored_bytes), 0) FROM turns
                 WHERE tenant_id = ?1 AND session_id = sessions.id) AS bytes
        FROM sessions
        WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL AND NOT ", has_expired!("?3"));
}

/// The rows of one query.
const PAGE_ROWS: u32 = 2000;

/// The most queries of one count: 400,000 rows.
const MAX_QUERIES: u32 = 200;

/// The content of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionStorage {
    /// Its messages and their bytes.
    pub history: Storage,
    /// The bytes of its settings.
    pub settings: u64,
}

impl SessionStorage {
    /// Everything, the session included.
    pub fn all(&self) -> Storage {
        self.history.plus(&Storage {
            sessions: 1,
            messages: 0,
            bytes: self.settings,
        })
    }
}

#[derive(Deserialize)]
struct Row<Id> {
    rows: u32,
    #[serde(default)]
    messages: u64,
    bytes: u64,
    last: Option<Id>,
}

/// Counts a tenant's content, a page at a time. `false` if a very large tenant was not counted to the
/// end; the amounts are then those of the counted part.
pub async fn count(sql: &impl Sql, tenant: &TenantId) -> Result<(Storage, bool), SqlError> {
    let (mut total, mut queries) = (Storage::ZERO, 0);
    let mut session: Option<SessionId> = None;
    let mut is_last = false;
    while !is_last && queries < MAX_QUERIES {
        let params = [
            tenant.into(),
            page::after(session.as_ref()),
            PAGE_ROWS.into(),
        ];
        let Some(page) = next::<SessionId>(sql, SESSIONS.with(params)).await? else {
            break;
        };
        total.sessions += u64::from(page.rows);
        total.bytes += page.bytes;
        is_last = page.rows < PAGE_ROWS;
        session = page.last;
        queries += 1;
    }
    let mut request: Option<RequestId> = None;
    is_last = false;
    while !is_last && queries < MAX_QUERIES {
        let params: [Value; 3] = [
            tenant.into(),
            page::after(request.as_ref()),
            PAGE_ROWS.into(),
        ];
        let Some(page) = next::<RequestId>(sql, TURNS.with(params)).await? else {
            break;
        };
        total.messages += page.messages;
        total.bytes += page.bytes;
        is_last = page.rows < PAGE_ROWS;
        request = page.last;
        queries += 1;
    }
    Ok((total, is_last))
}

async fn next<Id: DeserializeOwned>(
    sql: &impl Sql,
    statement: Statement,
) -> Result<Option<Row<Id>>, SqlError> {
    let rows: Vec<Row<Id>> = sql.query(statement).await?;
    Ok(rows.into_iter().next())
}

/// The content of a session, if it exists and has not expired.
pub async fn of_session(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SessionId,
    now: Timestamp,
) -> Result<Option<SessionStorage>, SqlError> {
    #[derive(Deserialize)]
    struct Row {
        settings: u64,
        messages: u64,
        bytes: u64,
    }
    let read = OF_SESSION.with([tenant.into(), id.into(), now.into()]);
    let rows: Vec<Row> = sql.query(read).await?;
    Ok(rows.into_iter().next().map(|row| SessionStorage {
        history: Storage {
            sessions: 0,
            messages: row.messages,
            bytes: row.bytes,
        },
        settings: row.settings,
    }))
}
