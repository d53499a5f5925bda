// GET /admin/tenants/{id}/sessions/{session}/messages
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID, SESSION_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}/sessions/${SESSION_ID}/messages`, {
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}` },
});
if (!response.ok) throw new Error(await response.text());
const page = await response.json();
for (const { role, message } of page.data) console.log(role, message.content);
