# PATCH /admin/tenants/{id}/keys/{key}/widget
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]
key_id = os.environ["KEY_ID"]

response = httpx.patch(
    f"{url}/admin/tenants/{tenant_id}/keys/{key_id}/widget",
    headers={"authorization": f"Bearer {token}"},
    json={"title": "Acme", "colours": {"accent": "#5746e0"}, "languages": ["en", "de"]},
)
response.raise_for_status()
widget = response.json()
print(widget["key_id"], widget["title"])
