# POST /v1/messages/count_tokens
import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["CLAWLESS_URL"], api_key=os.environ["CLAWLESS_API_KEY"])

count = client.messages.count_tokens(
    model="auto",
    messages=[{"role": "user", "content": "Hello!"}],
)
print(count.input_tokens)
