# POST /v1/messages
import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["CLAWLESS_URL"], api_key=os.environ["CLAWLESS_API_KEY"])

message = client.messages.create(
    model="auto",
    max_tokens=1024,
    messages=[{"role": "user", "content": "Hello!"}],
)
print(message.content[0].text)
