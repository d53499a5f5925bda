//! The statements that store and find turns.

use crate::statements::{of_expired_session, statements};

statements! {
    /// Creates the session of a name's first turn; does nothing if it exists.
    CREATE_SESSION = "
        INSERT INTO sessions (tenant_id, id, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
        ON CONFLICT (tenant_id, id) DO UPDATE SET
          title = NULL, metadata = '{}', system_prompt = NULL, model = NULL,
          thinking_level = NULL, tools = NULL, time_zone = NULL, expires_at = NULL,
          created_at = excluded.created_at, token_total = 0, deleted_at = NULL
        WHERE sessions.tenant_id = ?1 AND sessions.deleted_at IS NOT NULL AND sessions.head = ?4";
    /// Moves the head by one. Sets it to NULL, which the column rejects, if it is not the expected
    /// one or the session is deleted: the batch fails.
    MOVE_HEAD = "
        UPDATE sessions SET
          head = iif(head = ?3 AND deleted_at IS NULL, head + 1, NULL),
          token_total = token_total + ?4,
          updated_at = max(updated_at, ?5)
        WHERE tenant_id = ?1 AND id = ?2";
    INSERT_TURN = "
        INSERT INTO turns (tenant_id, session_id, seq, request_id, key_id, status,
                           incomplete_reason, finish_reason, model, provider, prompt_tokens,
                           completion_tokens, cached_tokens, reasoning_tokens, cost_micro_dollars,
                           provenance, stored_tokens, stored_bytes, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
                ?19)";
    INSERT_MESSAGE = "
        INSERT INTO messages (tenant_id, session_id, seq, position, id, role, content)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    /// Eight rows: D1 limits the statements of an invocation.
    INSERT_MESSAGES = "
        INSERT INTO messages (tenant_id, session_id, seq, position, id, role, content)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7),
               (?1, ?2, ?3, ?8, ?9, ?10, ?11),
               (?1, ?2, ?3, ?12, ?13, ?14, ?15),
               (?1, ?2, ?3, ?16, ?17, ?18, ?19),
               (?1, ?2, ?3, ?20, ?21, ?22, ?23),
               (?1, ?2, ?3, ?24, ?25, ?26, ?27),
               (?1, ?2, ?3, ?28, ?29, ?30, ?31),
               (?1, ?2, ?3, ?32, ?33, ?34, ?35)";
    /// Unless its session has expired.
    FIND_IN_SESSION = concat!("
        SELECT session_id, seq, incomplete_reason, finish_reason, model, provider,
               prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens,
               cost_micro_dollars, provenance, created_at
        FROM turns WHERE tenant_id = ?1 AND request_id = ?2 AND session_id = ?3
          AND NOT ", of_expired_session!("?3", "?4"));
    FIND_BY_REQUEST = "
        SELECT session_id, seq, incomplete_reason, finish_reason, model, provider,
               prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens,
               cost_micro_dollars, provenance, created_at
        FROM turns WHERE tenant_id = ?1 AND request_id = ?2";
}
