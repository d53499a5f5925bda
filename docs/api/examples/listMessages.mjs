// GET /v1/sessions/{id}/messages
const { CLAWLESS_URL, CLAWLESS_API_KEY, SESSION_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/v1/sessions/${SESSION_ID}/messages?order=desc&limit=10`, {
  headers: { authorization: `Bearer ${CLAWLESS_API_KEY}` },
});
if (!response.ok) throw new Error(await response.text());
const page = await response.json();
for (const { role, message } of page.data) console.log(role, message.content);
