# PATCH /admin/tenants/{id}
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]

response = httpx.patch(
    f"{url}/admin/tenants/{tenant_id}",
    headers={"authorization": f"Bearer {token}"},
    json={"limits": {"requests_per_minute": 120}, "default_model": None},
)
response.raise_for_status()
tenant = response.json()
print(tenant["limits"]["requests_per_minute"], tenant["version"])
