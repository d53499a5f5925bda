// POST /admin/tenants/{id}/erase
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID } = process.env;

const query = new URLSearchParams();
let progress;
do {
  const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}/erase?${query}`, {
    method: "POST",
    headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}` },
  });
  if (!response.ok) throw new Error(await response.text());
  progress = await response.json();
  if (progress.next_cursor) query.set("cursor", progress.next_cursor);
} while (!progress.erased);
console.log(progress.id, progress.erased);
