# DELETE /admin/tenants/{id}
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]

is_deleted = False
while not is_deleted:
    response = httpx.delete(
        f"{url}/admin/tenants/{tenant_id}",
        headers={"authorization": f"Bearer {token}"},
        timeout=60,
    )
    response.raise_for_status()
    is_deleted = response.json()["deleted"]
print(tenant_id, is_deleted)
