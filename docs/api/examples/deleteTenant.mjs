// DELETE /admin/tenants/{id}
const { CLAWLESS_URL, CLAWLESS_ADMIN_TOKEN, TENANT_ID } = process.env;

let progress;
do {
  const response = await fetch(`${CLAWLESS_URL}/admin/tenants/${TENANT_ID}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${CLAWLESS_ADMIN_TOKEN}` },
  });
  if (!response.ok) throw new Error(await response.text());
  progress = await response.json();
} while (!progress.deleted);
console.log(progress.id, progress.deleted);
