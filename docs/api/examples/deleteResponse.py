# DELETE /v1/responses/{id}
import os

from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])
response_id = os.environ["RESPONSE_ID"]

client.responses.delete(response_id)
print("deleted", response_id)
