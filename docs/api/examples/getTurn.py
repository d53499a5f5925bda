# GET /v1/sessions/{id}/turns/{request_id}
import os

import httpx

url, key = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_API_KEY"]
session_id = os.environ["SESSION_ID"]
request_id = os.environ["REQUEST_ID"]

response = httpx.get(
    f"{url}/v1/sessions/{session_id}/turns/{request_id}",
    headers={"authorization": f"Bearer {key}"},
    timeout=600,  # while the turn runs, the request waits
)
response.raise_for_status()
turn = response.json()
print(turn["status"], turn["choices"][0]["message"]["content"])
