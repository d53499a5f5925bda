# POST /v1/responses/{id}/cancel
import os

from openai import BadRequestError, OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])
response_id = os.environ["RESPONSE_ID"]

try:
    client.responses.cancel(response_id)
except BadRequestError as error:
    print(error.code)
