// PATCH /admin/tenants/{id}/keys/{key}
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID, KEY_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}/keys/${KEY_ID}`, {
  method: "PATCH",
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}`, "content-type": "application/json" },
  body: JSON.stringify({ limits: { requests_per_minute: 60, burst: 10 } }),
});
if (!response.ok) throw new Error(await response.text());
const key = await response.json();
console.log(key.id, key.limits);
