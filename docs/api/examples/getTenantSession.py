# GET /admin/tenants/{id}/sessions/{session}
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]
session_id = os.environ["SESSION_ID"]

response = httpx.get(
    f"{url}/admin/tenants/{tenant_id}/sessions/{session_id}",
    headers={"authorization": f"Bearer {token}"},
)
response.raise_for_status()
session = response.json()
print(session["id"], session["token_total"])
