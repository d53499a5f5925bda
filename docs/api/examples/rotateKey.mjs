// POST /admin/tenants/{id}/keys/{key}/rotate
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID, KEY_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}/keys/${KEY_ID}/rotate`, {
  method: "POST",
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}`, "content-type": "application/json" },
  body: JSON.stringify({ grace_seconds: 3600 }),
});
if (!response.ok) throw new Error(await response.text());
const rotated = await response.json();
console.log(rotated.id, rotated.key); // the old key works for another hour
