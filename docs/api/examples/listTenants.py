# GET /admin/tenants
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]

response = httpx.get(
    f"{url}/admin/tenants",
    params={"limit": 100},
    headers={"authorization": f"Bearer {token}"},
)
response.raise_for_status()
page = response.json()
for tenant in page["data"]:
    print(tenant["id"], tenant["name"], tenant["tier"])
