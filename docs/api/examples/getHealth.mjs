// GET /health
const { CLAWLESS_URL } = process.env;

const response = await fetch(`${CLAWLESS_URL}/health`);
if (!response.ok) throw new Error(await response.text());
const health = await response.json();
console.log(health.status);
