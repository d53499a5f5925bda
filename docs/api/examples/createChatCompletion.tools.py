# POST /v1/chat/completions
import json
import os

from openai import OpenAI

client = OpenAI(base_url=f"{os.environ['CLAWLESS_URL']}/v1", api_key=os.environ["CLAWLESS_API_KEY"])

tools = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The current weather of a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


def weather(city: str) -> str:
    return f"21 degrees and sunny in {city}"


messages = [{"role": "user", "content": "What is the weather in Bern?"}]
while True:
    completion = client.chat.completions.create(model="auto", messages=messages, tools=tools)
    message = completion.choices[0].message
    if not message.tool_calls:
        break
    messages.append(message)
    for call in message.tool_calls:
        result = weather(**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
print(message.content)
