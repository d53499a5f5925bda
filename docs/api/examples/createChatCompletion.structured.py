# POST /v1/chat/completions
import os

from openai import OpenAI
from pydantic import BaseModel

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])


class City(BaseModel):
    name: str
    population: int


completion = client.chat.completions.parse(
    model="auto",
    messages=[{"role": "user", "content": "Describe the capital of Switzerland."}],
    response_format=City,
)
city = completion.choices[0].message.parsed
print(city.name, city.population)
