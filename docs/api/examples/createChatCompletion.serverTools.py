# POST /v1/chat/completions
import os

from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])

completion = client.chat.completions.create(
    model="auto",
    messages=[{"role": "user", "content": "What time is it?"}],
)
print(completion.choices[0].message.content)
for execution in completion.clawless["tool_executions"]:
    print(execution["tool"], execution["status"])
