// GET /v1/sessions/{id}/tool_executions
const { CLAWLESS_URL, CLAWLESS_API_KEY, SESSION_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/v1/sessions/${SESSION_ID}/tool_executions`, {
  headers: { authorization: `Bearer ${CLAWLESS_API_KEY}` },
});
if (!response.ok) throw new Error(await response.text());
const page = await response.json();
for (const { tool, status, result } of page.data) console.log(tool, status, result);
