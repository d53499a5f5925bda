# PATCH /v1/sessions/{id}
import os

import httpx

url, key = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_API_KEY"]
session_id = os.environ["SESSION_ID"]

response = httpx.patch(
    f"{url}/v1/sessions/{session_id}",
    headers={"authorization": f"Bearer {key}"},
    json={"title": "About Ada", "metadata": {"user": "42"}},
)
response.raise_for_status()
session = response.json()
print(session["title"])
