# GET /v1/sessions/{id}/export
import os

import httpx

url, key = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_API_KEY"]
session_id = os.environ["SESSION_ID"]

response = httpx.get(
    f"{url}/v1/sessions/{session_id}/export",
    headers={"authorization": f"Bearer {key}"},
)
response.raise_for_status()
export = response.json()
print(export["session"]["id"], len(export["messages"]))
