# POST /v1/chat/completions
import os

import openai
from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])

try:
    client.chat.completions.create(
        model="no-such-model",
        messages=[{"role": "user", "content": "Hello!"}],
    )
except openai.NotFoundError as error:
    print(error.status_code, error.code, error.param, error.request_id)
