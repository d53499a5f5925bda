# POST /admin/tenants
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]

response = httpx.post(
    f"{url}/admin/tenants",
    headers={"authorization": f"Bearer {token}"},
    json={
        "name": "Example",
        "tier": "pro",
        "quotas": {"micro_dollars_per_month": 50000000},
        "system_prompt": "Be brief.",
    },
)
response.raise_for_status()
tenant = response.json()
print(tenant["id"])
