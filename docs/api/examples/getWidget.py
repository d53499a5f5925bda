# GET /admin/tenants/{id}/keys/{key}/widget
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]
key_id = os.environ["KEY_ID"]

response = httpx.get(
    f"{url}/admin/tenants/{tenant_id}/keys/{key_id}/widget",
    headers={"authorization": f"Bearer {token}"},
)
response.raise_for_status()
widget = response.json()
print(widget["title"])
