# POST /v1/conversations
import os

from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])

conversation = client.conversations.create(metadata={"user": "42"})
print(conversation.id)
