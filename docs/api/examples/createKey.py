# POST /admin/tenants/{id}/keys
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]

response = httpx.post(
    f"{url}/admin/tenants/{tenant_id}/keys",
    headers={"authorization": f"Bearer {token}"},
    json={
        "name": "server",
        "scopes": ["chat", "sessions:read", "sessions:write"],
        "limits": {"requests_per_minute": 60},
    },
)
response.raise_for_status()
created = response.json()
print(created["id"], created["key"])  # the only response with the key itself
