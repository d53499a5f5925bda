// PUT /admin/tenants/{id}
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}`, {
  method: "PUT",
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}`, "content-type": "application/json" },
  body: JSON.stringify({ name: "Example", tier: "pro", system_prompt: "Be brief." }),
});
if (!response.ok) throw new Error(await response.text());
const tenant = await response.json();
console.log(tenant.name, tenant.version);
