// GET /admin/health
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/health`, {
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}` },
});
if (!response.ok) throw new Error(await response.text());
const health = await response.json();
console.log(health.status, health.problems);
