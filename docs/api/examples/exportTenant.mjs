// GET /admin/tenants/{id}/export
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID } = process.env;

const query = new URLSearchParams();
for (let page = { has_more: true }; page.has_more; query.set("cursor", page.next_cursor)) {
  const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}/export?${query}`, {
    headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}` },
  });
  if (!response.ok) throw new Error(await response.text());
  page = await response.json();
  for (const record of page.data) console.log(JSON.stringify(record));
}
