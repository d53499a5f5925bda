# GET /v1/sessions
import os

import httpx

url, key = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_API_KEY"]

response = httpx.get(
    f"{url}/v1/sessions",
    params={"limit": 20},
    headers={"authorization": f"Bearer {key}"},
)
response.raise_for_status()
page = response.json()
for session in page["data"]:
    print(session["id"], session["title"])
