# POST /admin/tenants/{id}/erase
import os

import httpx

url, token = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_ADMIN_TOKEN"]
tenant_id = os.environ["TENANT_ID"]

parameters, progress = {}, {"erased": False}
while not progress["erased"]:
    response = httpx.post(
        f"{url}/admin/tenants/{tenant_id}/erase",
        params=parameters,
        headers={"authorization": f"Bearer {token}"},
        timeout=60,
    )
    response.raise_for_status()
    progress = response.json()
    if progress["next_cursor"]:
        parameters = {"cursor": progress["next_cursor"]}
print(progress["id"], progress["erased"])
