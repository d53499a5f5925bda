# GET /admin/tenants/{id}/keys/{key}
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]
key_id = os.environ["KEY_ID"]

response = httpx.get(
    f"{url}/admin/tenants/{tenant_id}/keys/{key_id}",
    headers={"authorization": f"Bearer {token}"},
)
response.raise_for_status()
key = response.json()
print(key["name"], key["scopes"], key["last_used_at"])
