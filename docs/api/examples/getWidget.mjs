// GET /admin/tenants/{id}/keys/{key}/widget
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID, KEY_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}/keys/${KEY_ID}/widget`, {
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}` },
});
if (!response.ok) throw new Error(await response.text());
const widget = await response.json();
console.log(widget.title);
