# GET /admin/health
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]

response = httpx.get(
    f"{url}/admin/health",
    headers={"authorization": f"Bearer {token}"},
)
response.raise_for_status()
health = response.json()
print(health["status"], health["problems"])
