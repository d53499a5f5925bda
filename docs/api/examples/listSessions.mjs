// GET /v1/sessions
const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;

const response = await fetch(`${CLAWLESS_URL}/v1/sessions?limit=20`, {
  headers: { authorization: `Bearer ${CLAWLESS_API_KEY}` },
});
if (!response.ok) throw new Error(await response.text());
const page = await response.json();
for (const { id, title } of page.data) console.log(id, title);
