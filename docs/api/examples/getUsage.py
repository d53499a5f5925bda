# GET /v1/usage
import os

import httpx

url, key = os.environ["CLAWLESS_URL"], os.environ["CLAWLESS_API_KEY"]

response = httpx.get(
    f"{url}/v1/usage",
    headers={"authorization": f"Bearer {key}"},
)
response.raise_for_status()
usage = response.json()
for line in usage["data"]:
    print(line["day"], line["model"], line["tokens"], line["micro_dollars"])
