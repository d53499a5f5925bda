// POST /admin/tenants/{id}/keys
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}/keys`, {
  method: "POST",
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}`, "content-type": "application/json" },
  body: JSON.stringify({
    name: "server",
    scopes: ["chat", "sessions:read", "sessions:write"],
    limits: { requests_per_minute: 60 },
  }),
});
if (!response.ok) throw new Error(await response.text());
const created = await response.json();
console.log(created.id, created.key); // the only response with the key itself
