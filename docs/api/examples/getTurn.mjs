// GET /v1/sessions/{id}/turns/{request_id}
const { CLAWLESS_URL, CLAWLESS_API_KEY, SESSION_ID, REQUEST_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/v1/sessions/${SESSION_ID}/turns/${REQUEST_ID}`, {
  headers: { authorization: `Bearer ${CLAWLESS_API_KEY}` },
});
if (!response.ok) throw new Error(await response.text());
const turn = await response.json();
console.log(turn.status, turn.choices[0].message.content);
