// POST /v1/widget/session
const { CLAWLESS_URL, PUBLIC_KEY, SITE_ORIGIN } = process.env;

// The widget does this by itself. A browser sends the origin of its page.
const response = await fetch(`${CLAWLESS_URL}/v1/widget/session`, {
  method: "POST",
  headers: { authorization: `Bearer ${PUBLIC_KEY}`, origin: SITE_ORIGIN, "content-type": "application/json" },
  body: JSON.stringify({ widget_version: "1.0.0" }),
});
if (!response.ok) throw new Error(await response.text());
const session = await response.json();
console.log(session.session_id, session.expires_in);
