# POST /admin/tenants/{id}/keys/{key}/rotate
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]
key_id = os.environ["KEY_ID"]

response = httpx.post(
    f"{url}/admin/tenants/{tenant_id}/keys/{key_id}/rotate",
    headers={"authorization": f"Bearer {token}"},
    json={"grace_seconds": 3600},
)
response.raise_for_status()
rotated = response.json()
print(rotated["id"], rotated["key"])  # the old key works for another hour
