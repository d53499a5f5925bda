// PATCH /admin/tokens/{id}
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TOKEN_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tokens/${TOKEN_ID}`, {
  method: "PATCH",
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}`, "content-type": "application/json" },
  body: JSON.stringify({ role: "viewer" }),
});
if (!response.ok) throw new Error(await response.text());
const changed = await response.json();
console.log(changed.id, changed.role);
