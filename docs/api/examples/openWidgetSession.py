# POST /v1/widget/session
import os

import httpx

url = os.environ["CLAWLESS_URL"]

# The widget does this by itself. A browser sends the origin of its page.
response = httpx.post(
    f"{url}/v1/widget/session",
    headers={"authorization": f"Bearer {os.environ['PUBLIC_KEY']}", "origin": os.environ["SITE_ORIGIN"]},
    json={"widget_version": "1.0.0"},
)
response.raise_for_status()
session = response.json()
print(session["session_id"], session["expires_in"])
