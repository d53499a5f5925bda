# POST /v1/messages
import os

from anthropic import Anthropic

client = Anthropic(base_url=os.environ["CLAWLESS_URL"], api_key=os.environ["CLAWLESS_API_KEY"])

with client.messages.stream(
    model="auto",
    max_tokens=1024,
    messages=[{"role": "user", "content": "Hello!"}],
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
    print(f"\n{stream.get_final_message().usage.output_tokens} tokens")
