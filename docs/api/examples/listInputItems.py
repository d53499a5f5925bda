# GET /v1/responses/{id}/input_items
import os

from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])
response_id = os.environ["RESPONSE_ID"]

items = client.responses.input_items.list(response_id, order="asc", limit=10)
for item in items.data:
    print(item.role, item.content[0].text)
