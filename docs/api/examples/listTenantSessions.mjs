// GET /admin/tenants/{id}/sessions
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}/sessions`, {
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}` },
});
if (!response.ok) throw new Error(await response.text());
const page = await response.json();
for (const { id, token_total } of page.data) console.log(id, token_total);
