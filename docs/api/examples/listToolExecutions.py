# GET /v1/sessions/{id}/tool_executions
import os

import httpx

url, key = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_API_KEY"]
session_id = os.environ["SESSION_ID"]

response = httpx.get(
    f"{url}/v1/sessions/{session_id}/tool_executions",
    headers={"authorization": f"Bearer {key}"},
)
response.raise_for_status()
page = response.json()
for execution in page["data"]:
    print(execution["tool"], execution["status"], execution["result"])
