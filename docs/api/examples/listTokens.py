# GET /admin/tokens
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]

response = httpx.get(
    f"{url}/admin/tokens",
    params={"limit": 100},
    headers={"authorization": f"Bearer {token}"},
)
response.raise_for_status()
page = response.json()
for entry in page["data"]:
    print(entry["id"], entry["name"], entry["revoked_at"])
