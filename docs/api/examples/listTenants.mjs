// GET /admin/tenants
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tenants?limit=100`, {
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}` },
});
if (!response.ok) throw new Error(await response.text());
const page = await response.json();
for (const { id, name, tier } of page.data) console.log(id, name, tier);
