# GET /health
import os

import httpx

url = os.environ["CLAWLESS_URL"]

response = httpx.get(f"{url}/health")
response.raise_for_status()
health = response.json()
print(health["status"])
