// GET /v1/usage
const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;

const response = await fetch(`${CLAWLESS_URL}/v1/usage`, {
  headers: { authorization: `Bearer ${CLAWLESS_API_KEY}` },
});
if (!response.ok) throw new Error(await response.text());
const usage = await response.json();
for (const { day, model, tokens, micro_dollars } of usage.data) console.log(day, model, tokens, micro_dollars);
