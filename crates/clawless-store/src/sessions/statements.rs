//! The statements that read and change sessions.

use crate::statements::{
    has_expired, of_expired_session, settings_bytes, soft_deleted, statements,
};

statements! {
    FIND = concat!("
        SELECT id, tenant_id, title, metadata, system_prompt, model, thinking_level, tools, time_zone,
               head, token_total, expires_at, deleted_at, created_at, updated_at, ",
               has_expired!("?3"), " AS has_expired
        FROM sessions WHERE tenant_id = ?1 AND id = ?2");
    /// The newest, unsorted: as many as fit, and the first even if it does not. A filter that is NULL
    /// matches everything.
    PAGE = concat!("
        SELECT id, tenant_id, title, metadata, system_prompt, model, thinking_level, tools, time_zone,
               head, token_total, expires_at, deleted_at, created_at, updated_at
        FROM (
          SELECT *, sum(bytes) OVER (ORDER BY created_at DESC, id DESC) AS total_bytes
          FROM (
            SELECT id, tenant_id, title, metadata, system_prompt, model, thinking_level, tools, time_zone,
                   head, token_total, expires_at, deleted_at, created_at, updated_at,
               ", settings_bytes!(), " AS bytes
            FROM sessions
            WHERE tenant_id = ?1 AND deleted_at IS NULL
              AND (created_at, id) < (?2, ?3) AND created_at >= ?4
              AND NOT ", has_expired!("?5"), "
              AND (?6 IS NULL OR instr(lower(title), lower(?6)) > 0)
              AND NOT EXISTS (
                SELECT 1 FROM json_each(?7) AS wanted WHERE NOT EXISTS (
                  SELECT 1 FROM json_each(sessions.metadata) AS label
                  WHERE label.key = wanted.key AND label.value = wanted.value
                )
              )
            ORDER BY created_at DESC, id DESC LIMIT ?8
          )
        )
        WHERE tenant_id = ?1 AND (total_bytes <= ?9 OR total_bytes = bytes)");
    /// Creates a session, or replaces a deleted one and continues from its head. The head moves,
    /// because a concurrent turn that found the name free does not know these settings.
    CREATE = "
        INSERT INTO sessions (tenant_id, id, title, metadata, system_prompt, model, thinking_level,
                              tools, time_zone, expires_at, created_at, updated_at, head)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, 1)
        ON CONFLICT (tenant_id, id) DO UPDATE SET
          title = excluded.title, metadata = excluded.metadata,
          system_prompt = excluded.system_prompt, model = excluded.model,
          thinking_level = excluded.thinking_level, tools = excluded.tools,
          time_zone = excluded.time_zone, expires_at = excluded.expires_at, created_at = excluded.created_at,
          updated_at = excluded.updated_at, token_total = 0, deleted_at = NULL,
          head = sessions.head + 1
        WHERE sessions.tenant_id = ?1 AND sessions.deleted_at IS NOT NULL
        RETURNING id, tenant_id, title, metadata, system_prompt, model, thinking_level, tools, time_zone,
                  head, token_total, expires_at, deleted_at, created_at, updated_at";
    /// Each setting is preceded by a flag; 0 leaves it unchanged. The head moves, because cached
    /// copies contain the settings.
    UPDATE = concat!("
        UPDATE sessions SET
          title = iif(?3, ?4, title), metadata = iif(?5, ?6, metadata),
          system_prompt = iif(?7, ?8, system_prompt), model = iif(?9, ?10, model),
          thinking_level = iif(?11, ?12, thinking_level), tools = iif(?13, ?14, tools),
          time_zone = iif(?15, ?16, time_zone), expires_at = iif(?17, ?18, expires_at),
          head = head + 1, updated_at = max(updated_at, ?19)
        WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL
          AND NOT ", has_expired!("?19"), "
        RETURNING id, tenant_id, title, metadata, system_prompt, model, thinking_level, tools, time_zone,
                  head, token_total, expires_at, deleted_at, created_at, updated_at");
    /// Cascades to the messages.
    DELETE_TURNS = "DELETE FROM turns WHERE tenant_id = ?1 AND session_id = ?2";
    DELETE_TOOL_EXECUTIONS = "
        DELETE FROM tool_executions WHERE tenant_id = ?1 AND session_id = ?2";
    /// The head moves to the next era, so that cached copies of the old history are not read and
    /// running turns are not stored.
    RESET = "
        UPDATE sessions SET
          head = (head / 1048576 + 1) * 1048576, token_total = 0, updated_at = max(updated_at, ?3)
        WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL";
    /// The name and its head remain.
    SOFT_DELETE = concat!("
        UPDATE sessions SET ", soft_deleted!("?3"), "
        WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL");
    /// Of an expired session only, not of one that has replaced it since. Before its turns.
    DELETE_EXPIRED_ANSWERS = concat!("
        DELETE FROM idempotency WHERE tenant_id = ?1 AND state <> 'running' AND request_id IN (
          SELECT request_id FROM turns WHERE tenant_id = ?1 AND session_id = ?2)
        AND ", of_expired_session!("?2", "?3"));
    DELETE_EXPIRED_TURNS = concat!("
        DELETE FROM turns WHERE tenant_id = ?1 AND session_id = ?2 AND ",
        of_expired_session!("?2", "?3"));
    DELETE_EXPIRED_TOOL_EXECUTIONS = concat!("
        DELETE FROM tool_executions WHERE tenant_id = ?1 AND session_id = ?2 AND ",
        of_expired_session!("?2", "?3"));
    DELETE_EXPIRED_SENDS = concat!("
        DELETE FROM sends WHERE tenant_id = ?1 AND session_id = ?2 AND ",
        of_expired_session!("?2", "?3"));
    SOFT_DELETE_EXPIRED = concat!("
        UPDATE sessions SET ", soft_deleted!("?3"), "
        WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL AND ", has_expired!("?3"));
    PURGE_ACROSS_TENANTS = "DELETE FROM sessions WHERE deleted_at < ?1";
}
