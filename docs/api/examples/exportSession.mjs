// GET /v1/sessions/{id}/export
const { CLAWLESS_URL, CLAWLESS_API_KEY, SESSION_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/v1/sessions/${SESSION_ID}/export`, {
  headers: { authorization: `Bearer ${CLAWLESS_API_KEY}` },
});
if (!response.ok) throw new Error(await response.text());
const document = await response.json();
console.log(document.session.id, document.messages.length);
