"""Round trips of custom tool calls and legacy function calls, streamed and accumulated by
openai-python."""

import json

import openai
import pytest
from openai.lib.streaming._deltas import accumulate_delta

QUESTION = {"role": "user", "content": "How large is it?"}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.fixture
def client(scripted: dict) -> openai.OpenAI:
    return openai.OpenAI(base_url=scripted["base_url"], api_key=scripted["secret_key"], max_retries=0)


def finish(client: openai.OpenAI, **request) -> openai.types.chat.ChatCompletion:
    with client.chat.completions.stream(**request) as stream:
        return stream.get_final_completion()


def test_openai_python_accumulates_a_custom_tool_call_and_returns_its_result(scripted, client):
    [model], call = scripted["custom"], scripted["custom_call"]
    beside = scripted["calls"][1]
    tools = [
        {"type": "custom", "custom": {"name": call["name"], "format": {"type": "text"}}},
        {"type": "function", "function": {"name": beside["name"], "parameters": PARAMETERS}},
    ]
    # The stream helper of 3.54 fails on any custom call when it parses the complete response; its
    # accumulator supports them.
    message, reasons = {}, []
    for chunk in client.chat.completions.create(model=model, messages=[QUESTION], tools=tools, stream=True):
        [choice] = chunk.choices
        message = accumulate_delta(message, choice.delta.to_dict())
        reasons.append(choice.finish_reason)
    assert [reason for reason in reasons if reason] == ["tool_calls"]
    custom, function = [{name: made[name] for name in made if name != "index"} for made in message["tool_calls"]]
    assert custom == {"id": call["id"], "type": "custom", "custom": {"name": call["name"], "input": call["input"]}}
    assert json.loads(function["function"]["arguments"]) == beside["input"]
    results = {call["id"]: "3 rows", beside["id"]: "noon"}
    tool_messages = [{"role": "tool", "tool_call_id": call_id, "content": content} for call_id, content in results.items()]
    assistant = {"role": "assistant", "content": None, "tool_calls": [custom, function]}
    answered = finish(client, model=model, messages=[QUESTION, assistant, *tool_messages], tools=tools)
    received = json.loads(answered.choices[0].message.content)
    assert received == {"recalled": [call], "results": results, "tools": tools}


@pytest.mark.parametrize("wire", ["openai", "anthropic", "workers_ai"])
def test_openai_python_accumulates_a_legacy_function_call(scripted, client, wire):
    [model] = [model for model in scripted["legacy"] if model.startswith(f"{wire}-")]
    call = scripted["legacy_call"]
    functions = [{"name": call["name"], "parameters": PARAMETERS}]

    def send(*more: dict) -> openai.types.chat.chat_completion.Choice:
        [choice] = finish(client, model=model, messages=[QUESTION, *more], functions=functions).choices
        return choice

    choice = send()
    assert choice.finish_reason == "function_call"
    assert choice.message.tool_calls is None
    assert choice.message.function_call.name == call["name"]
    assert json.loads(choice.message.function_call.arguments) == call["input"]
    result = {"role": "function", "name": call["name"], "content": "21 °C"}
    answered = send(choice.message.model_dump(exclude_none=True), result)
    assert json.loads(answered.message.content) == {"recalled": [call], "results": ["21 °C"]}
