"""The unmodified official `openai` package on the Responses surface, on scripted models of every wire
format."""

import json

import openai
import pytest
from pydantic import BaseModel

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
UNKNOWN = "resp_01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture
def api(scripted: dict) -> openai.OpenAI:
    return openai.OpenAI(base_url=scripted["base_url"], api_key=scripted["secret_key"], max_retries=0)


@pytest.fixture(params=["openai", "anthropic", "workers_ai"])
def calling(request: pytest.FixtureRequest, scripted: dict) -> str:
    [model] = [model for model in scripted["tools"] if model.startswith(f"{request.param}-")]
    return model


def test_a_response_is_created_retrieved_and_deleted(api, scripted):
    for model in scripted["good"]:
        created = api.responses.create(model=model, input="Say hello.", metadata={"a": "b"})
        assert created.output_text == "Hello there."
        assert created.status == "completed"
        assert created.usage.output_tokens_details.reasoning_tokens == 0
        retrieved = api.responses.retrieve(created.id)
        assert (retrieved.output, retrieved.usage, retrieved.metadata) == (created.output, created.usage, {"a": "b"})
        [item] = api.responses.input_items.list(created.id)
        assert item.content[0].text == "Say hello."
        with pytest.raises(openai.BadRequestError):
            api.responses.cancel(created.id)
        api.responses.delete(created.id)
        with pytest.raises(openai.NotFoundError):
            api.responses.retrieve(created.id)
    with pytest.raises(openai.NotFoundError):
        api.responses.retrieve(UNKNOWN)


def test_events_are_numbered_and_add_up_to_the_response(api, scripted):
    for model in scripted["good"]:
        events = list(api.responses.create(model=model, input="Say hello.", stream=True))
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
        assert events[-1].type == "response.completed"
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert "".join(deltas) == events[-1].response.output_text == "Hello there."


def test_the_packages_helpers_accumulate_and_parse_the_response(api, scripted):
    class Recalled(BaseModel):
        recalled: list[dict]
        results: dict[str, str]

    [model] = [model for model in scripted["good"] if model.startswith("openai-")]
    with api.responses.stream(model=model, input="Say hello.") as stream:
        assert "response.output_text.delta" in {event.type for event in stream}
        assert stream.get_final_response().output_text == "Hello there."
    call = scripted["calls"][0]
    items = [
        {"role": "user", "content": "Weather?"},
        {"type": "function_call", "call_id": call["id"], "name": call["name"], "arguments": json.dumps(call["input"])},
        {"type": "function_call_output", "call_id": call["id"], "output": "21 °C"},
    ]
    [calling] = [model for model in scripted["tools"] if model.startswith("openai-")]
    parsed = api.responses.parse(model=calling, input=items, text_format=Recalled)
    assert parsed.output_parsed.results == {call["id"]: "21 °C"}


def test_tools_are_called_and_answered(api, scripted, calling):
    tools = [{"type": "function", "name": call["name"], "parameters": PARAMETERS, "strict": False} for call in scripted["calls"]]
    results = {call["id"]: f'{call["name"]}: 21 °C, "fine"' for call in scripted["calls"]}
    with api.responses.stream(model=calling, input="Weather and time?", tools=tools) as stream:
        first = stream.get_final_response()
    calls = [item for item in first.output if item.type == "function_call"]
    read = [{"id": call.call_id, "name": call.name, "input": json.loads(call.arguments)} for call in calls]
    assert read == scripted["calls"]
    outputs = [{"type": "function_call_output", "call_id": call.call_id, "output": results[call.call_id]} for call in calls]
    second = api.responses.create(model=calling, previous_response_id=first.id, input=outputs, tools=tools)
    assert json.loads(second.output_text) == {"recalled": scripted["calls"], "results": results}


def test_a_conversation_carries_its_history(api, scripted):
    [model] = [model for model in scripted["good"] if model.startswith("openai-")]
    conversation = api.conversations.create(metadata={"topic": "tests"})
    for text in ["one", "two"]:
        api.responses.create(model=model, input=text, conversation=conversation.id)
    items = list(api.conversations.items.list(conversation.id, order="asc", limit=3))
    assert [item.role for item in items] == ["user", "assistant", "user", "assistant"]
    assert api.conversations.update(conversation.id, metadata={"topic": "more"}).metadata == {"topic": "more"}
    assert api.conversations.retrieve(conversation.id).object == "conversation"
    assert api.conversations.delete(conversation.id).deleted
    with pytest.raises(openai.NotFoundError):
        api.conversations.retrieve(conversation.id)


def test_a_broken_answer_is_never_a_completed_response(api, scripted):
    for model in scripted["breaks"]:
        events = list(api.responses.create(model=model, input="Say hello.", stream=True))
        assert events[-1].type == "response.failed", model
    for model in scripted["early"]:
        with pytest.raises(openai.APIError):
            list(api.responses.create(model=model, input="Say hello.", stream=True))
