# POST /admin/tokens/{id}/revoke
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
token_id = os.environ["TOKEN_ID"]

response = httpx.post(
    f"{url}/admin/tokens/{token_id}/revoke",
    headers={"authorization": f"Bearer {token}"},
)
response.raise_for_status()
revoked = response.json()
print(revoked["id"], revoked["revoked_at"])
