// GET /admin/tenants/{id}/usage
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}/usage`, {
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}` },
});
if (!response.ok) throw new Error(await response.text());
const usage = await response.json();
for (const { day, model, key_id, tokens } of usage.data) console.log(day, model, key_id, tokens);
