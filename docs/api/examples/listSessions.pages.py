# GET /v1/sessions
import os

import httpx

url, key = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_API_KEY"]

parameters = {"limit": 100, "title": "rome", "metadata[user]": "42"}
while True:
    response = httpx.get(
        f"{url}/v1/sessions",
        params=parameters,
        headers={"authorization": f"Bearer {key}"},
    )
    response.raise_for_status()
    page = response.json()
    for session in page["data"]:
        print(session["id"], session["title"])
    if not page["has_more"]:
        break
    parameters["cursor"] = page["next_cursor"]
