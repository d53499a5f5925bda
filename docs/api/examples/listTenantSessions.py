# GET /admin/tenants/{id}/sessions
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]

response = httpx.get(
    f"{url}/admin/tenants/{tenant_id}/sessions",
    headers={"authorization": f"Bearer {token}"},
)
response.raise_for_status()
page = response.json()
for session in page["data"]:
    print(session["id"], session["token_total"])
