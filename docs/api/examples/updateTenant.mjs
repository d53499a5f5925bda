// PATCH /admin/tenants/{id}
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}`, {
  method: "PATCH",
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}`, "content-type": "application/json" },
  body: JSON.stringify({ limits: { requests_per_minute: 120 }, default_model: null }),
});
if (!response.ok) throw new Error(await response.text());
const tenant = await response.json();
console.log(tenant.limits.requests_per_minute, tenant.version);
