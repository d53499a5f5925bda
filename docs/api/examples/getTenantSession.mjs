// GET /admin/tenants/{id}/sessions/{session}
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID, SESSION_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}/sessions/${SESSION_ID}`, {
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}` },
});
if (!response.ok) throw new Error(await response.text());
const session = await response.json();
console.log(session.id, session.token_total);
