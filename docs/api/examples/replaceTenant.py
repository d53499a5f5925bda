# PUT /admin/tenants/{id}
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]

response = httpx.put(
    f"{url}/admin/tenants/{tenant_id}",
    headers={"authorization": f"Bearer {token}"},
    json={"name": "Example", "tier": "pro", "system_prompt": "Be brief."},
)
response.raise_for_status()
tenant = response.json()
print(tenant["name"], tenant["version"])
