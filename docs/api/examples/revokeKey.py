# POST /admin/tenants/{id}/keys/{key}/revoke
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]
key_id = os.environ["KEY_ID"]

response = httpx.post(
    f"{url}/admin/tenants/{tenant_id}/keys/{key_id}/revoke",
    headers={"authorization": f"Bearer {token}"},
)
response.raise_for_status()
key = response.json()
print(key["id"], key["revoked_at"])
