// POST /admin/tokens/{id}/revoke
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TOKEN_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tokens/${TOKEN_ID}/revoke`, {
  method: "POST",
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}` },
});
if (!response.ok) throw new Error(await response.text());
const revoked = await response.json();
console.log(revoked.id, revoked.revoked_at);
