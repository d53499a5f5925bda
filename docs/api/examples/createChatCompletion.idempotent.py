# POST /v1/chat/completions
import os
import uuid

from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])

key = str(uuid.uuid4())  # one for each request; every repeat of it has the same
for _ in range(2):
    response = client.chat.completions.with_raw_response.create(
        model="auto",
        messages=[{"role": "user", "content": "Hello!"}],
        extra_headers={"idempotency-key": key},
    )
    print(response.parse().id, response.headers.get("idempotent-replayed"))
