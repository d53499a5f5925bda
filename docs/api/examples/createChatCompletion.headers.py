# POST /v1/chat/completions
import os

from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])

response = client.chat.completions.with_raw_response.create(
    model="auto",
    messages=[{"role": "user", "content": "Hello!"}],
)
print(response.headers["x-clawless-model"])
print(response.headers["x-clawless-route"])
print(response.headers.get("x-ratelimit-remaining-requests"))
print(response.headers["x-request-id"])
