# GET /v1/sessions/{id}/messages
import os

import httpx

url, key = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_API_KEY"]
session_id = os.environ["SESSION_ID"]

response = httpx.get(
    f"{url}/v1/sessions/{session_id}/messages",
    params={"order": "desc", "limit": 10},
    headers={"authorization": f"Bearer {key}"},
)
response.raise_for_status()
page = response.json()
for entry in page["data"]:
    print(entry["role"], entry["message"]["content"])
