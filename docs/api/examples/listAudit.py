# GET /admin/audit
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]

response = httpx.get(
    f"{url}/admin/audit",
    params={"limit": 20},
    headers={"authorization": f"Bearer {token}"},
)
response.raise_for_status()
page = response.json()
for entry in page["data"]:
    print(entry["at"], entry["actor"], entry["action"], entry["target"])
