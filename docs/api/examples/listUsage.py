# GET /admin/usage
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]

response = httpx.get(
    f"{url}/admin/usage",
    headers={"authorization": f"Bearer {token}"},
)
response.raise_for_status()
page = response.json()
for line in page["data"]:
    print(line["tenant_id"], line["tokens"], line["micro_dollars"])
