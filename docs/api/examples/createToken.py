# POST /admin/tokens
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]

response = httpx.post(
    f"{url}/admin/tokens",
    headers={"authorization": f"Bearer {token}"},
    json={"name": "Ada", "role": "operator"},
)
response.raise_for_status()
created = response.json()
print(created["id"], created["token"])  # the only response with the token itself
