# POST /v1/chat/completions
import base64
import os

from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])

with open(os.environ["IMAGE"], "rb") as file:
    image = base64.b64encode(file.read()).decode()
completion = client.chat.completions.create(
    model="auto",
    messages=[
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is in this picture?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
            ],
        }
    ],
)
print(completion.choices[0].message.content)
