# GET /v1/conversations/{id}/items
import os

from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])
conversation_id = os.environ["CONVERSATION_ID"]

items = client.conversations.items.list(conversation_id, order="asc", limit=10)
for item in items.data:
    print(item.role, item.content[0].text)
