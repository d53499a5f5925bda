// POST /v1/sessions
const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;

const response = await fetch(`${CLAWLESS_URL}/v1/sessions`, {
  method: "POST",
  headers: { authorization: `Bearer ${CLAWLESS_API_KEY}`, "content-type": "application/json" },
  body: JSON.stringify({
    title: "Trip to Rome",
    metadata: { user: "42" },
    system_prompt: "Be brief.",
    ttl: 86400,
  }),
});
if (!response.ok) throw new Error(await response.text());
const session = await response.json();
console.log(session.id);
