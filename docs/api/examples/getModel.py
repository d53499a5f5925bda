# GET /v1/models/{id…}
import os

from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])

model = client.models.retrieve(os.environ["MODEL"])
print(model.id, model.owned_by)
