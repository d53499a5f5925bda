# GET /v1/models
import os

from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])

for model in client.models.list():
    print(model.id, model.owned_by)
