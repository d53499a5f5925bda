// POST /admin/tokens
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tokens`, {
  method: "POST",
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}`, "content-type": "application/json" },
  body: JSON.stringify({ name: "Ada", role: "operator" }),
});
if (!response.ok) throw new Error(await response.text());
const created = await response.json();
console.log(created.id, created.token); // the only response with the token itself
