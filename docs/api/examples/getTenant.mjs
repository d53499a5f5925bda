// GET /admin/tenants/{id}
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}`, {
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}` },
});
if (!response.ok) throw new Error(await response.text());
const tenant = await response.json();
console.log(tenant.name, tenant.version, response.headers.get("etag"));
