// GET /admin/usage
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/usage`, {
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}` },
});
if (!response.ok) throw new Error(await response.text());
const page = await response.json();
for (const { tenant_id, tokens, micro_dollars } of page.data) console.log(tenant_id, tokens, micro_dollars);
