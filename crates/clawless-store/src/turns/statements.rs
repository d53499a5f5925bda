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
                           provenance, stored_tokens, stored_bytes, created_at, echo)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
                ?19, ?20)";
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
               cost_micro_dollars, provenance, created_at, stored_bytes,
               echo IS NOT NULL AS has_echo
        FROM turns WHERE tenant_id = ?1 AND request_id = ?2 AND session_id = ?3
          AND NOT ", of_expired_session!("?3", "?4"));
    FIND_BY_REQUEST = "
        SELECT session_id, seq, incomplete_reason, finish_reason, model, provider,
               prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens,
               cost_micro_dollars, provenance, created_at, stored_bytes,
               echo IS NOT NULL AS has_echo
        FROM turns WHERE tenant_id = ?1 AND request_id = ?2";
    /// A stored response, unless its session is deleted or has expired. `is_last` tells whether its
    /// session ends with it, `is_only` whether it has no other turn.
    FIND_RESPONSE = concat!("
        SELECT session_id, seq, incomplete_reason, finish_reason, model, provider,
               prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens,
               cost_micro_dollars, provenance, created_at, stored_bytes,
               echo IS NOT NULL AS has_echo,
               NOT EXISTS (
                 SELECT 1 FROM turns AS later WHERE later.tenant_id = ?1
                   AND later.session_id = turns.session_id AND later.seq > turns.seq) AS is_last,
               NOT EXISTS (
                 SELECT 1 FROM turns AS other WHERE other.tenant_id = ?1
                   AND other.session_id = turns.session_id AND other.seq <> turns.seq) AS is_only
        FROM turns WHERE tenant_id = ?1 AND request_id = ?2 AND echo IS NOT NULL
          AND NOT ", of_expired_session!("turns.session_id", "?3"));
    /// The turns of a session up to one of them.
    COPIED_TURNS = "
        SELECT seq, stored_tokens, stored_bytes, (
                 SELECT count(*) FROM messages WHERE tenant_id = ?1
                   AND session_id = turns.session_id AND seq = turns.seq) AS messages
        FROM turns WHERE tenant_id = ?1 AND session_id = ?2 AND seq <= ?3 ORDER BY seq";
    TOKENS_UNTIL = "
        SELECT coalesce(sum(stored_tokens), 0) AS tokens FROM turns
        WHERE tenant_id = ?1 AND session_id = ?2 AND seq <= ?3";
    CONTENT_OF_TURN = "
        SELECT stored_bytes, (
                 SELECT count(*) FROM messages WHERE tenant_id = ?1
                   AND session_id = ?2 AND seq = ?3) AS messages
        FROM turns WHERE tenant_id = ?1 AND session_id = ?2 AND seq = ?3";
    /// A new session ?2 with the settings of ?3 and its head after the turn ?4. Does nothing if ?3 is
    /// deleted; the turn then finds no session.
    COPY_SESSION = "
        INSERT INTO sessions (tenant_id, id, title, metadata, system_prompt, model, thinking_level,
                              tools, time_zone, expires_at, head, token_total, created_at, updated_at)
        SELECT ?1, ?2, title, metadata, system_prompt, model, thinking_level, tools, time_zone,
               expires_at, ?4, (
                 SELECT coalesce(sum(stored_tokens), 0) FROM turns
                 WHERE tenant_id = ?1 AND session_id = ?3 AND seq <= ?4), ?5, ?5
        FROM sessions WHERE tenant_id = ?1 AND id = ?3 AND deleted_at IS NULL
        ON CONFLICT (tenant_id, id) DO NOTHING";
    /// ?5 maps the number of each turn to the request id of its copy. Copies have cost nothing, and
    /// are no responses.
    COPY_TURNS = "
        INSERT INTO turns (tenant_id, session_id, seq, request_id, key_id, status,
                           incomplete_reason, finish_reason, model, provider, provenance,
                           stored_tokens, stored_bytes, created_at)
        SELECT ?1, ?2, seq, copies.value, key_id, status, incomplete_reason, finish_reason,
               model, provider, provenance, stored_tokens, stored_bytes, created_at
        FROM turns JOIN json_each(?5) AS copies ON CAST(copies.key AS INTEGER) = seq
        WHERE tenant_id = ?1 AND session_id = ?3 AND seq <= ?4";
    COPY_MESSAGES = "
        INSERT INTO messages (tenant_id, session_id, seq, position, id, role, content)
        SELECT ?1, ?2, seq, position, id, role, content FROM messages
        WHERE tenant_id = ?1 AND session_id = ?3 AND seq <= ?4";
    /// Cascades to the messages.
    DELETE_TURN = "DELETE FROM turns WHERE tenant_id = ?1 AND session_id = ?2 AND seq = ?3";
    /// Executions may quote the messages of their turn.
    DELETE_TOOL_EXECUTIONS = "
        DELETE FROM tool_executions
        WHERE tenant_id = ?1 AND session_id = ?2 AND request_id = ?3";
    /// The answer that is kept for repeats of the request.
    DELETE_ANSWER = "
        DELETE FROM idempotency
        WHERE tenant_id = ?1 AND request_id = ?2 AND state <> 'running'";
    /// The head moves, so that cached copies of the old history are not read.
    RECOUNT = "
        UPDATE sessions SET
          head = head + 1, updated_at = max(updated_at, ?3),
          token_total = (
            SELECT coalesce(sum(stored_tokens), 0) FROM turns
            WHERE tenant_id = ?1 AND session_id = ?2)
        WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL";
}
