# POST /v1/chat/completions
import os

from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])


def ask(question: str) -> str:
    completion = client.chat.completions.create(
        model="auto",
        messages=[{"role": "user", "content": question}],
        extra_headers={"x-session-id": os.environ["SESSION_ID"]},
    )
    return completion.choices[0].message.content


print(ask("My name is Ada."))
print(ask("What is my name?"))
