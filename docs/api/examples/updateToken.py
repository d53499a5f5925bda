# PATCH /admin/tokens/{id}
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
token_id = os.environ["TOKEN_ID"]

response = httpx.patch(
    f"{url}/admin/tokens/{token_id}",
    headers={"authorization": f"Bearer {token}"},
    json={"role": "viewer"},
)
response.raise_for_status()
changed = response.json()
print(changed["id"], changed["role"])
