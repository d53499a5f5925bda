//! The statements that read and delete messages.

use crate::statements::statements;

statements! {
    /// The newest whole turns that fit; the newest one even if it does not.
    HISTORY = "
        SELECT m.seq, m.role, m.content,
               (SELECT min(seq) FROM turns WHERE tenant_id = ?1 AND session_id = ?2) AS first_seq
        FROM messages m
        WHERE m.tenant_id = ?1 AND m.session_id = ?2 AND m.seq <= ?3 AND m.seq >= (
          SELECT min(seq) FROM (
            SELECT seq, stored_bytes, sum(stored_bytes) OVER (ORDER BY seq DESC) AS total_bytes
            FROM (
              SELECT seq, stored_bytes FROM turns
              WHERE tenant_id = ?1 AND session_id = ?2 AND seq <= ?3
              ORDER BY seq DESC LIMIT ?4
            )
          ) WHERE total_bytes <= ?5 OR total_bytes = stored_bytes
        )
        ORDER BY m.seq, m.position";
    /// The bytes of what `HISTORY` reads.
    HISTORY_SIZE = "
        SELECT coalesce(max(total_bytes), 0) AS bytes FROM (
          SELECT stored_bytes, sum(stored_bytes) OVER (ORDER BY seq DESC) AS total_bytes
          FROM (
            SELECT seq, stored_bytes FROM turns
            WHERE tenant_id = ?1 AND session_id = ?2 AND seq <= ?3
            ORDER BY seq DESC LIMIT ?4
          )
        ) WHERE total_bytes <= ?5 OR total_bytes = stored_bytes";
    OF_TURN = "
        SELECT id, role, content FROM messages
        WHERE tenant_id = ?1 AND session_id = ?2 AND seq = ?3 ORDER BY position";
    ECHO_OF_TURN = "
        SELECT echo FROM turns
        WHERE tenant_id = ?1 AND session_id = ?2 AND seq = ?3 AND echo IS NOT NULL";
    CONTAINING = "
        SELECT id FROM messages
        WHERE tenant_id = ?1 AND session_id = ?2 AND instr(content, ?3) > 0
        ORDER BY seq, position LIMIT 1";
    /// The earliest messages between two positions, exclusive, unsorted: as many as fit, and the
    /// first even if it does not. `found` is their number up to the limit.
    PAGE_FORWARD = "
        SELECT m.id, m.seq, m.position, m.role, m.content, t.request_id, t.incomplete_reason,
               t.model, t.created_at, sizes.found
        FROM (
          SELECT seq, position, bytes, count(*) OVER () AS found,
                 sum(bytes) OVER (ORDER BY seq, position) AS total_bytes
          FROM (
            SELECT seq, position, octet_length(content) AS bytes FROM messages
            WHERE tenant_id = ?1 AND session_id = ?2
              AND (seq, position) > (?3, ?4) AND (seq, position) < (?5, ?6)
            ORDER BY seq, position LIMIT ?7
          )
        ) sizes
        JOIN messages m ON m.session_id = ?2 AND m.seq = sizes.seq AND m.position = sizes.position
        JOIN turns t ON t.session_id = m.session_id AND t.seq = m.seq
        WHERE m.tenant_id = ?1 AND t.tenant_id = ?1
          AND (sizes.total_bytes <= ?8 OR sizes.total_bytes = sizes.bytes)";
    /// As `PAGE_FORWARD`, for the latest messages.
    PAGE_BACKWARD = "
        SELECT m.id, m.seq, m.position, m.role, m.content, t.request_id, t.incomplete_reason,
               t.model, t.created_at, sizes.found
        FROM (
          SELECT seq, position, bytes, count(*) OVER () AS found,
                 sum(bytes) OVER (ORDER BY seq DESC, position DESC) AS total_bytes
          FROM (
            SELECT seq, position, octet_length(content) AS bytes FROM messages
            WHERE tenant_id = ?1 AND session_id = ?2
              AND (seq, position) > (?3, ?4) AND (seq, position) < (?5, ?6)
            ORDER BY seq DESC, position DESC LIMIT ?7
          )
        ) sizes
        JOIN messages m ON m.session_id = ?2 AND m.seq = sizes.seq AND m.position = sizes.position
        JOIN turns t ON t.session_id = m.session_id AND t.seq = m.seq
        WHERE m.tenant_id = ?1 AND t.tenant_id = ?1
          AND (sizes.total_bytes <= ?8 OR sizes.total_bytes = sizes.bytes)";
    POSITION = "
        SELECT seq, position, octet_length(content) AS bytes FROM messages
        WHERE tenant_id = ?1 AND session_id = ?2 AND id = ?3";
    /// Subtracts a message of ?4 bytes, and tokens in proportion. D1 binds numbers as reals, so
    /// they are cast for an integer division.
    SHRINK_TURN = "
        UPDATE turns SET
          stored_tokens = stored_tokens
            - stored_tokens * CAST(?4 AS INTEGER) / max(stored_bytes, CAST(?4 AS INTEGER), 1),
          stored_bytes = max(stored_bytes - CAST(?4 AS INTEGER), 0)
        WHERE tenant_id = ?1 AND session_id = ?2 AND seq = (
          SELECT seq FROM messages WHERE tenant_id = ?1 AND session_id = ?2 AND id = ?3)";
    DELETE_MESSAGE = "
        DELETE FROM messages WHERE tenant_id = ?1 AND session_id = ?2 AND id = ?3";
    /// The head moves, so that cached copies of the old history are not read.
    RECOUNT = "
        UPDATE sessions SET
          head = head + 1, updated_at = max(updated_at, ?3),
          token_total = (
            SELECT coalesce(sum(stored_tokens), 0) FROM turns
            WHERE tenant_id = ?1 AND session_id = ?2)
        WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NULL";
}
