// GET /admin/audit
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/audit?limit=20`, {
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}` },
});
if (!response.ok) throw new Error(await response.text());
const page = await response.json();
for (const { at, actor, action, target } of page.data) console.log(at, actor, action, target);
