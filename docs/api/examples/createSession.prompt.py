# POST /v1/sessions
import os

import httpx

url, key = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_API_KEY"]

prompt = "Today is {{date}}. {{user}} has the plan {{session.metadata.plan}} and plans: {{session.title}}."

response = httpx.post(
    f"{url}/v1/sessions",
    headers={"authorization": f"Bearer {key}"},
    json={
        "title": "Trip to Rome",
        "metadata": {"plan": "gold"},
        "time_zone": "+01:00",
        "system_prompt": prompt,
    },
)
response.raise_for_status()
session = response.json()
print(session["id"])
