"""The unmodified official `anthropic` package against models of every wire format."""

import json
from urllib.parse import urlsplit

import anthropic
import pytest
from anthropic import beta_tool

MESSAGES = [{"role": "user", "content": "Say hello."}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def messages_client(scripted: dict) -> anthropic.Anthropic:
    return connect(scripted, scripted["secret_key"])


def connect(scripted: dict, key: str) -> anthropic.Anthropic:
    origin = urlsplit(scripted["base_url"])._replace(path="").geturl()
    return anthropic.Anthropic(base_url=origin, api_key=key, max_retries=0, timeout=60)


def text_of(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def stream(client: anthropic.Anthropic, model: str, **fields) -> anthropic.types.Message:
    with client.messages.stream(**{"model": model, "max_tokens": 2048, "messages": MESSAGES, **fields}) as events:
        return events.get_final_message()


def test_a_message_is_created_whole_and_streamed_on_every_wire(messages_client, scripted):
    for model in scripted["good"]:
        message = messages_client.messages.create(model=model, max_tokens=64, messages=MESSAGES)
        assert (message.type, message.role, message.model, text_of(message)) == ("message", "assistant", model, "Hello there.")
        assert message.id.startswith("msg_") and message._request_id.startswith("req_")
        assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
        assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0
        streamed = stream(messages_client, model)
        assert text_of(streamed) == "Hello there."
        assert streamed.usage.output_tokens == message.usage.output_tokens
        assert streamed.usage.input_tokens == message.usage.input_tokens


def test_every_stream_that_breaks_raises(messages_client, scripted):
    for model in scripted["breaks"] + scripted["early"]:
        with pytest.raises(anthropic.APIError):
            print(model, stream(messages_client, model))
        with pytest.raises(anthropic.APIError):
            print(model, list(messages_client.messages.create(model=model, max_tokens=64, messages=MESSAGES, stream=True)))


def test_every_body_that_breaks_raises(messages_client, scripted):
    for model in scripted["whole"] + scripted["early"]:
        with pytest.raises(anthropic.APIError):
            print(model, messages_client.messages.create(model=model, max_tokens=64, messages=MESSAGES))


def test_parallel_calls_are_accumulated_and_get_their_results_back(messages_client, scripted):
    results = {call["id"]: f'{call["name"]}: 21 °C, "fine"' for call in scripted["calls"]}
    tools = [{"name": call["name"], "input_schema": PARAMETERS} for call in scripted["calls"]]
    for model in scripted["tools"]:
        message = stream(messages_client, model, tools=tools)
        assert message.stop_reason == "tool_use"
        calls = [block for block in message.content if block.type == "tool_use"]
        assert [{"id": call.id, "name": call.name, "input": call.input} for call in calls] == scripted["calls"]
        content = [{"type": "tool_result", "tool_use_id": call.id, "content": results[call.id]} for call in calls]
        conversation = [*MESSAGES, {"role": "assistant", "content": message.content}, {"role": "user", "content": content}]
        answered = stream(messages_client, model, tools=tools, messages=conversation)
        assert json.loads(text_of(answered)) == {"recalled": scripted["calls"], "results": results}


def test_the_tool_runner_runs_to_the_end(messages_client, scripted):
    seen = []

    @beta_tool
    def get_weather(city: str, days: list[int], note: str) -> str:
        """Returns the weather."""
        seen.append(("get_weather", city))
        return "rain"

    @beta_tool
    def get_time(city: str) -> str:
        """Returns the time."""
        seen.append(("get_time", city))
        return "noon"

    # The scripted Workers AI only streams its calls, and the runner requests whole answers.
    models = [model for model in scripted["tools"] if not model.startswith("workers")]
    assert models
    for model in models:
        seen.clear()
        runner = messages_client.beta.messages.tool_runner(model=model, max_tokens=2048, messages=MESSAGES, tools=[get_weather, get_time], thread=False)
        message = runner.until_done()
        assert seen == [(call["name"], call["input"]["city"]) for call in scripted["calls"]]
        results = dict(zip([call["id"] for call in scripted["calls"]], ["rain", "noon"]))
        assert json.loads(text_of(message)) == {"recalled": scripted["calls"], "results": results}


def test_signed_reasoning_returns_to_its_provider(messages_client, scripted):
    [model, unsigned] = scripted["thinks"]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    message = stream(messages_client, model, thinking=thinking)
    block = message.content[0]
    assert (block.type, block.thinking) == ("thinking", scripted["thought"])
    # A client's copy names the model that signed.
    assert json.loads(block.signature.removeprefix("clawless1:"))["signature"] == scripted["signature"]
    conversation = [*MESSAGES, {"role": "assistant", "content": message.content}, *MESSAGES]
    answered = json.loads(text_of(stream(messages_client, model, thinking=thinking, messages=conversation)))
    [recalled] = answered["recalled"]
    assert (recalled["thinking"], recalled["signature"]) == (scripted["thought"], scripted["signature"])
    assert stream(messages_client, unsigned).content[0].thinking == scripted["thought"]


def test_an_image_reaches_the_model_on_every_wire(messages_client, scripted):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    content = [{"type": "text", "text": "What is this?"}, image]
    for model in scripted["converse"]:
        message = messages_client.messages.create(model=model, max_tokens=64, messages=[{"role": "user", "content": content}])
        assert json.loads(text_of(message))["images"] == 1


def test_a_server_tool_runs_within_the_answer(scripted):
    client = connect(scripted, scripted["acting_key"])
    for model in scripted["acts"]:
        message = stream(client, model)
        assert text_of(message).startswith("It is 20")
        assert message.stop_reason == "end_turn"


def test_errors_have_the_class_of_their_status(messages_client, scripted):
    with pytest.raises(anthropic.AuthenticationError) as raised:
        connect(scripted, "cl_sk_wrong").messages.create(model="x", max_tokens=1, messages=MESSAGES)
    assert raised.value.body["error"]["type"] == "authentication_error"
    assert raised.value.request_id.startswith("req_")
    with pytest.raises(anthropic.NotFoundError):
        messages_client.messages.create(model="nothing", max_tokens=1, messages=MESSAGES)
    with pytest.raises(anthropic.BadRequestError, match="messages"):
        messages_client.messages.create(model=scripted["good"][0], max_tokens=1, messages=[])


def test_models_are_listed_and_tokens_counted(messages_client, scripted):
    ids = [model.id for model in messages_client.models.list(limit=10)]
    assert set(scripted["good"]) <= set(ids) and len(ids) == len(set(ids))
    [model, *_] = scripted["good"]
    assert messages_client.messages.count_tokens(model=model, messages=MESSAGES).input_tokens > 0
