# DELETE /v1/sessions/{id}/messages/{message_id}
import os

import httpx

url, key = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_API_KEY"]
session_id = os.environ["SESSION_ID"]
message_id = os.environ["MESSAGE_ID"]

response = httpx.delete(
    f"{url}/v1/sessions/{session_id}/messages/{message_id}",
    headers={"authorization": f"Bearer {key}"},
)
response.raise_for_status()
deleted = response.json()
print(deleted["id"], deleted["deleted"])
