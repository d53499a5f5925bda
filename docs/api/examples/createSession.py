# POST /v1/sessions
import os

import httpx

url, key = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_API_KEY"]

response = httpx.post(
    f"{url}/v1/sessions",
    headers={"authorization": f"Bearer {key}"},
    json={
        "title": "Trip to Rome",
        "metadata": {"user": "42"},
        "system_prompt": "Be brief.",
        "ttl": 86400,
    },
)
response.raise_for_status()
session = response.json()
print(session["id"])
