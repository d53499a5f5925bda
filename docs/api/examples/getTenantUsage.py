# GET /admin/tenants/{id}/usage
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]

response = httpx.get(
    f"{url}/admin/tenants/{tenant_id}/usage",
    headers={"authorization": f"Bearer {token}"},
)
response.raise_for_status()
usage = response.json()
for line in usage["data"]:
    print(line["day"], line["model"], line["key_id"], line["tokens"])
