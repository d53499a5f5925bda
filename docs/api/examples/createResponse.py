# POST /v1/responses
import os

from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])

response = client.responses.create(
    model="auto",
    instructions="Be brief.",
    input="Hello!",
)
print(response.id, response.output_text)
