// DELETE /v1/sessions/{id}
const { CLAWLESS_URL, CLAWLESS_API_KEY, SESSION_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/v1/sessions/${SESSION_ID}`, {
  method: "DELETE",
  headers: { authorization: `Bearer ${CLAWLESS_API_KEY}` },
});
if (!response.ok) throw new Error(await response.text());
const deleted = await response.json();
console.log(deleted.id, deleted.deleted);
