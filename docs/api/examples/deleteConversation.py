# DELETE /v1/conversations/{id}
import os

from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])
conversation_id = os.environ["CONVERSATION_ID"]

deleted = client.conversations.delete(conversation_id)
print(deleted.id, deleted.deleted)
