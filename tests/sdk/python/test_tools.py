"""Round trips of two parallel streamed tool calls through every wire format, accumulated by the
packages."""

import json

import openai
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI

QUESTION = {"role": "user", "content": "What is the weather, and what is the time?"}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.fixture
def results(scripted: dict) -> dict[str, str]:
    """The tool results by call id."""
    return {call["id"]: f'{call["name"]}: 21 °C, "fine"' for call in scripted["calls"]}


@pytest.fixture
def tools(scripted: dict) -> list[dict]:
    return [{"type": "function", "function": {"name": call["name"], "parameters": PARAMETERS}} for call in scripted["calls"]]


@pytest.fixture(params=["openai", "anthropic", "workers_ai"])
def model(request: pytest.FixtureRequest, scripted: dict) -> str:
    [model] = [model for model in scripted["tools"] if model.startswith(f"{request.param}-")]
    return model


def assert_round_trip(scripted: dict, results: dict[str, str], text: str) -> None:
    """Asserts that the model received its own calls and both results: its last response contains them."""
    assert json.loads(text) == {"recalled": scripted["calls"], "results": results}


def test_openai_python_accumulates_both_calls_and_returns_their_results(scripted, results, tools, model):
    client = openai.OpenAI(base_url=scripted["base_url"], api_key=scripted["secret_key"], max_retries=0)

    def send(messages: list) -> openai.types.chat.ChatCompletion:
        with client.chat.completions.stream(model=model, messages=messages, tools=tools) as stream:
            return stream.get_final_completion()

    [choice] = send([QUESTION]).choices
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls
    read = [{"id": call.id, "name": call.function.name, "input": json.loads(call.function.arguments)} for call in calls]
    assert read == scripted["calls"]
    assert all(call.type == "function" for call in calls)
    tool_messages = [{"role": "tool", "tool_call_id": call.id, "content": results[call.id]} for call in calls]
    answered = send([QUESTION, choice.message.model_dump(exclude_none=True), *tool_messages])
    assert_round_trip(scripted, results, answered.choices[0].message.content)


def test_langchain_accumulates_both_calls_and_returns_their_results(scripted, results, tools, model):
    bound = ChatOpenAI(model=model, base_url=scripted["base_url"], api_key=scripted["secret_key"], max_retries=0).bind_tools(tools)

    def send(messages: list):
        whole = None
        for chunk in bound.stream(messages):
            whole = chunk if whole is None else whole + chunk
        return whole

    messages = [HumanMessage(QUESTION["content"])]
    assistant = send(messages)
    assert [{"id": call["id"], "name": call["name"], "input": call["args"]} for call in assistant.tool_calls] == scripted["calls"]
    assert assistant.invalid_tool_calls == []
    tool_messages = [ToolMessage(results[call["id"]], tool_call_id=call["id"]) for call in assistant.tool_calls]
    assert_round_trip(scripted, results, send([*messages, assistant, *tool_messages]).content)


def test_both_packages_get_a_regular_response_after_server_tools(scripted):
    for model in scripted["acts"]:
        client = openai.OpenAI(base_url=scripted["base_url"], api_key=scripted["acting_key"], max_retries=0)
        with client.chat.completions.stream(model=model, messages=[QUESTION]) as stream:
            [choice] = stream.get_final_completion().choices
        assert choice.message.content.startswith("It is 20")
        assert (choice.finish_reason, choice.message.tool_calls or []) == ("stop", [])
        chat = ChatOpenAI(model=model, base_url=scripted["base_url"], api_key=scripted["acting_key"], max_retries=0)
        whole = None
        for chunk in chat.stream([HumanMessage(QUESTION["content"])]):
            whole = chunk if whole is None else whole + chunk
        assert whole.content.startswith("It is 20")
        assert whole.tool_calls == [] and whole.invalid_tool_calls == []
