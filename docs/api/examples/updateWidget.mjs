// PATCH /admin/tenants/{id}/keys/{key}/widget
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID, KEY_ID } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}/keys/${KEY_ID}/widget`, {
  method: "PATCH",
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}`, "content-type": "application/json" },
  body: JSON.stringify({ title: "Acme", colours: { accent: "#5746e0" }, languages: ["en", "de"] }),
});
if (!response.ok) throw new Error(await response.text());
const widget = await response.json();
console.log(widget.key_id, widget.title);
