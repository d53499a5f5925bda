// POST /v1/sessions/{id}/reset
const { CLAWLESS_URL, CLAWLESS_API_KEY, SESSION_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/v1/sessions/${SESSION_ID}/reset`, {
  method: "POST",
  headers: { authorization: `Bearer ${CLAWLESS_API_KEY}` },
});
if (!response.ok) throw new Error(await response.text());
const session = await response.json();
console.log(session.id, session.token_total);
