# POST /v1/responses/input_tokens
import os

from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])

count = client.responses.input_tokens.count(model="auto", input="Hello!")
print(count.input_tokens)
