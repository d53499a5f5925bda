# GET /admin/tenants/{id}/sessions/{session}/messages
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]
session_id = os.environ["SESSION_ID"]

response = httpx.get(
    f"{url}/admin/tenants/{tenant_id}/sessions/{session_id}/messages",
    headers={"authorization": f"Bearer {token}"},
)
response.raise_for_status()
page = response.json()
for entry in page["data"]:
    print(entry["role"], entry["message"]["content"])
