# GET /admin/tenants/{id}/export
import json
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]

parameters, page = {}, {"has_more": True}
while page["has_more"]:
    response = httpx.get(
        f"{url}/admin/tenants/{tenant_id}/export",
        params=parameters,
        headers={"authorization": f"Bearer {token}"},
        timeout=60,
    )
    response.raise_for_status()
    page = response.json()
    for record in page["data"]:
        print(json.dumps(record))
    parameters = {"cursor": page["next_cursor"]}
