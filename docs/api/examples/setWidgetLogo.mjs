// PUT /admin/tenants/{id}/keys/{key}/widget/logo
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID, KEY_ID, IMAGE_BASE64 } = process.env;

const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}/keys/${KEY_ID}/widget/logo`, {
  method: "PUT",
  headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}`, "content-type": "application/json" },
  body: JSON.stringify({ image: IMAGE_BASE64 }),
});
if (!response.ok) throw new Error(await response.text());
const widget = await response.json();
console.log(widget.logo);
