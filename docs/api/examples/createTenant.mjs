// POST /admin/tenants
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tenants`, {
  method: "POST",
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}`, "content-type": "application/json" },
  body: JSON.stringify({
    name: "Example",
    tier: "pro",
    quotas: { micro_dollars_per_month: 50000000 },
    system_prompt: "Be brief.",
  }),
});
if (!response.ok) throw new Error(await response.text());
const tenant = await response.json();
console.log(tenant.id);
