# POST /v1/sessions/{id}/reset
import os

import httpx

url, key = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_API_KEY"]
session_id = os.environ["SESSION_ID"]

response = httpx.post(
    f"{url}/v1/sessions/{session_id}/reset",
    headers={"authorization": f"Bearer {key}"},
)
response.raise_for_status()
session = response.json()
print(session["id"], session["token_total"])
