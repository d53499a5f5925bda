// A session with long messages, written directly to the database.

/** Adds a session `id` of `count` turns, each with one message of `bytes` bytes, to a tenant. */
export async function addLongSession(stack, tenant, id, { count, bytes }) {
  const content = JSON.stringify({ role: "user", content: "x".repeat(bytes) });
  await stack.rows("INSERT INTO sessions (tenant_id, id, head, created_at, updated_at) VALUES (?1, ?2, ?3, 1, 1)", tenant, id, count);
  await stack.rows(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?3)
     INSERT INTO turns (tenant_id, session_id, seq, request_id, status, model, provider, provenance, created_at)
     SELECT ?1, ?2, i, printf('req_01ARZ3NDEKTSV4RRFFQ6%06d', i), 'complete', 'm', 'p', 'provider', 1 FROM n`,
    tenant,
    id,
    count,
  );
  await stack.rows(
    `INSERT INTO messages (tenant_id, session_id, seq, position, id, role, content)
     SELECT tenant_id, session_id, seq, 0, printf('msg_01ARZ3NDEKTSV4RRFFQ6%06d', seq), 'user', ?3
     FROM turns WHERE tenant_id = ?1 AND session_id = ?2`,
    tenant,
    id,
    content,
  );
}
