# GET /admin/tenants/{id}
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]

response = httpx.get(
    f"{url}/admin/tenants/{tenant_id}",
    headers={"authorization": f"Bearer {token}"},
)
response.raise_for_status()
tenant = response.json()
print(tenant["name"], tenant["version"], response.headers["etag"])
