//! The statements that read records. Each returns the sort key and the record of its rows. Expired
//! sessions and what belongs to them are left out.

use crate::statements::{has_expired, of_expired_session, statements};

/// A session's record with its settings.
macro_rules! session {
    () => {
        "json_object('object', 'session', 'id', id, 'title', title, 'metadata', json(metadata),
           'system_prompt', system_prompt, 'model', model, 'thinking_level', thinking_level,
           'tools', json(tools), 'time_zone', time_zone, 'token_total', token_total, 'expires_at', expires_at / 1000,
           'deleted_at', deleted_at / 1000, 'created_at', created_at / 1000,
           'updated_at', updated_at / 1000) AS record"
    };
}

/// A message's record and, in a column of its own, the message, byte for byte as it was received.
macro_rules! message {
    () => {
        "json_object('object', 'session.message', 'session_id', session_id, 'id', id, 'turn', seq,
           'position', position, 'role', role) AS record, content AS message"
    };
}

statements! {
    /// Newest first.
    SESSIONS_BY_AGE = concat!("
        SELECT json_array(created_at, id) AS sort_key, ", session!(), "
        FROM sessions WHERE tenant_id = ?1 AND deleted_at IS NULL AND (created_at, id) <
          (json_extract(?2, '$[0]'), json_extract(?2, '$[1]')) AND NOT ", has_expired!("?4"), "
        ORDER BY created_at DESC, id DESC LIMIT ?3");
    SESSION = concat!("
        SELECT id AS sort_key, ", session!(), "
        FROM sessions WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL
          AND NOT ", has_expired!("?3"));
    MESSAGES_OF_SESSION = concat!("
        SELECT json_array(seq, position) AS sort_key, ", message!(), "
        FROM messages WHERE tenant_id = ?1 AND session_id = ?4 AND (seq, position) >
          (json_extract(?2, '$[0]'), json_extract(?2, '$[1]'))
        ORDER BY seq, position LIMIT ?3");
    TENANT = "
        SELECT id AS sort_key,
               json_object('object', 'tenant', 'id', id, 'name', name, 'tier', tier,
                 'status', status, 'settings', json(settings), 'version', version,
                 'created_at', created_at / 1000, 'updated_at', updated_at / 1000) AS record
        FROM tenants WHERE id = ?1 AND id > ?2 LIMIT ?3";
    API_KEYS = "
        SELECT id AS sort_key,
               json_object('object', 'api_key', 'id', id, 'kind', kind, 'name', name,
                 'scopes', json(scopes), 'allowed_origins', json(allowed_origins),
                 'limits', json(limits), 'expires_at', expires_at / 1000, 'revoked_at', revoked_at / 1000,
                 'successor_id', successor_id, 'last_used_at', last_used_at / 1000,
                 'created_at', created_at / 1000) AS record
        FROM api_keys WHERE tenant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    SESSIONS = concat!("
        SELECT id AS sort_key, ", session!(), "
        FROM sessions WHERE tenant_id = ?1 AND id > ?2
          AND NOT (deleted_at IS NULL AND ", has_expired!("?4"), ") ORDER BY id LIMIT ?3");
    TURNS = concat!("
        SELECT json_array(session_id, seq) AS sort_key,
               json_object('object', 'turn', 'session_id', session_id, 'turn', seq,
                 'request_id', request_id, 'key_id', key_id, 'status', status,
                 'incomplete_reason', incomplete_reason, 'finish_reason', finish_reason,
                 'model', model, 'provider', provider,
                 'usage', json_object('prompt_tokens', prompt_tokens,
                   'completion_tokens', completion_tokens, 'cached_tokens', cached_tokens,
                   'reasoning_tokens', reasoning_tokens, 'micro_dollars', cost_micro_dollars,
                   'provenance', provenance),
                 'echo', json(echo), 'created_at', created_at / 1000) AS record
        FROM turns WHERE tenant_id = ?1 AND
          (session_id, seq) > (json_extract(?2, '$[0]'), json_extract(?2, '$[1]'))
          AND NOT ", of_expired_session!("turns.session_id", "?4"), "
        ORDER BY session_id, seq LIMIT ?3");
    MESSAGES = concat!("
        SELECT json_array(session_id, seq, position) AS sort_key, ", message!(), "
        FROM messages WHERE tenant_id = ?1 AND (session_id, seq, position) >
          (json_extract(?2, '$[0]'), json_extract(?2, '$[1]'), json_extract(?2, '$[2]'))
          AND NOT ", of_expired_session!("messages.session_id", "?4"), "
        ORDER BY session_id, seq, position LIMIT ?3");
    TOOL_EXECUTIONS = concat!("
        SELECT id AS sort_key,
               json_object('object', 'tool_execution', 'id', id, 'session_id', session_id,
                 'request_id', request_id, 'key_id', key_id, 'call_id', call_id, 'tool', tool,
                 'arguments', arguments, 'status', outcome, 'result', result,
                 'created_at', started_at / 1000, 'duration_ms', duration_ms) AS record
        FROM tool_executions WHERE tenant_id = ?1 AND id > ?2
          AND NOT ", of_expired_session!("tool_executions.session_id", "?4"), "
        ORDER BY id LIMIT ?3");
    /// Messages between sessions.
    SENDS = concat!("
        SELECT id AS sort_key,
               json_object('object', 'send', 'id', id, 'session_id', session_id, 'key_id', key_id,
                 'origin', origin, 'path', json(path), 'hops', hops, 'content', message,
                 'state', state, 'reason', reason, 'request_id', request_id, 'tries', tries,
                 'created_at', created_at / 1000, 'updated_at', updated_at / 1000,
                 'ended_at', ended_at / 1000) AS record
        FROM sends WHERE tenant_id = ?1 AND id > ?2
          AND NOT ", of_expired_session!("sends.session_id", "?4"), "
        ORDER BY id LIMIT ?3");
    /// Responses stored for idempotency keys.
    IDEMPOTENCY = concat!("
        SELECT json_array(key_id, route, idempotency_key) AS sort_key,
               json_object('object', 'kept_answer', 'key_id', key_id, 'route', route,
                 'idempotency_key', idempotency_key, 'request_id', request_id, 'state', state,
                 'answer', answer, 'created_at', created_at / 1000,
                 'expires_at', expires_at / 1000) AS record
        FROM idempotency WHERE tenant_id = ?1 AND (key_id, route, idempotency_key) >
          (json_extract(?2, '$[0]'), json_extract(?2, '$[1]'), json_extract(?2, '$[2]'))
          AND NOT EXISTS (
            SELECT 1 FROM sessions WHERE tenant_id = ?1 AND deleted_at IS NULL AND id = (
              SELECT session_id FROM turns
              WHERE tenant_id = ?1 AND request_id = idempotency.request_id)
            AND ", has_expired!("?4"), ")
        ORDER BY key_id, route, idempotency_key LIMIT ?3");
    WIDGETS = "
        SELECT key_id AS sort_key,
               json_object('object', 'widget', 'key_id', key_id, 'settings', json(settings),
                 'logo', logo, 'logo_type', logo_type, 'updated_at', updated_at / 1000) AS record
        FROM widgets WHERE tenant_id = ?1 AND key_id > ?2 ORDER BY key_id LIMIT ?3";
    WIDGET_SESSIONS = concat!("
        SELECT session_id AS sort_key,
               json_object('object', 'widget_session', 'session_id', session_id, 'key_id', key_id,
                 'user_id', user_id, 'created_at', created_at / 1000,
                 'expires_at', expires_at / 1000) AS record
        FROM widget_sessions WHERE tenant_id = ?1 AND session_id > ?2 AND expires_at > ?4
          AND NOT ", of_expired_session!("widget_sessions.session_id", "?4"), "
        ORDER BY session_id LIMIT ?3");
    RECEIPTS = "
        SELECT request_id AS sort_key,
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
        SELECT id AS sort_key,
               json_object('object', 'audit_entry', 'id', id, 'at', at / 1000, 'actor', actor,
                 'action', action, 'target', target, 'before', json(before_json),
                 'after', json(after_json), 'request_id', request_id) AS record
        FROM audit_log WHERE tenant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
}
