// POST /v1/sessions
const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;

const response = await fetch(`${CLAWLESS_URL}/v1/sessions`, {
  method: "POST",
  headers: { authorization: `Bearer ${CLAWLESS_API_KEY}`, "content-type": "application/json" },
  body: JSON.stringify({
    title: "Trip to Rome",
    metadata: { plan: "gold" },
    time_zone: "+01:00",
    system_prompt: "Today is {{date}}. {{user}} has the plan {{session.metadata.plan}} and plans: {{session.title}}.",
  }),
});
if (!response.ok) throw new Error(await response.text());
const session = await response.json();
console.log(session.id);
