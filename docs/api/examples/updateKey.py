# PATCH /admin/tenants/{id}/keys/{key}
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]
key_id = os.environ["KEY_ID"]

response = httpx.patch(
    f"{url}/admin/tenants/{tenant_id}/keys/{key_id}",
    headers={"authorization": f"Bearer {token}"},
    json={"limits": {"requests_per_minute": 60, "burst": 10}},
)
response.raise_for_status()
key = response.json()
print(key["id"], key["limits"])
