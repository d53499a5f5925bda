"""Conversations in sessions over every wire format, by the unmodified official `openai` package: a
photo, a model that thinks for a long time, and a chain of three tool calls."""

import base64
import json
import os
import time
from collections.abc import Callable

import openai
import pytest

TOOL = {"type": "function", "function": {"name": "step", "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}}}}


@pytest.fixture(params=["openai", "anthropic", "workers_ai"])
def model(request: pytest.FixtureRequest, scripted: dict) -> str:
    [model] = [model for model in scripted["converse"] if model.startswith(f"{request.param}-")]
    return model


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def say(request: pytest.FixtureRequest, scripted: dict, model: str, session: str) -> Callable:
    """Sends messages in a new session and returns the choice."""
    client = openai.OpenAI(base_url=scripted["base_url"], api_key=scripted["secret_key"], max_retries=0)
    headers = {"x-session-id": session}

    def send(messages: list, **more):
        fields = {"model": model, "messages": messages, "extra_headers": headers, **more}
        if not request.param:
            return client.chat.completions.create(**fields).choices[0]
        with client.chat.completions.stream(**fields) as stream:
            return stream.get_final_completion().choices[0]

    return send


def see(say: Callable, content: str | list) -> dict:
    return json.loads(say([{"role": "user", "content": content}]).message.content)


def test_a_photo_in_a_session_keeps_the_history_before_and_after_it(say):
    see(say, "My name is Ada.")
    url = "data:image/jpeg;base64," + base64.b64encode(os.urandom(60_000)).decode()
    photo = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
    for content in [photo, "What is my name?", "What is my name?"]:
        assert see(say, content) == {"images": 1, "ada": True}


def test_a_model_that_thinks_for_long_responds_in_a_session(say):
    see(say, "My name is Ada.")
    started_at = time.monotonic()
    choice = say([{"role": "user", "content": "Think."}])
    assert (choice.message.content, choice.finish_reason) == ("Done.", "stop")
    assert time.monotonic() - started_at > 2
    assert see(say, "What is my name?")["ada"]


def test_a_chain_of_three_tool_calls_runs_in_a_session(say):
    choice = say([{"role": "user", "content": "Climb."}], tools=[TOOL])
    for step in [1, 2, 3]:
        assert choice.finish_reason == "tool_calls"
        [call] = choice.message.tool_calls
        assert json.loads(call.function.arguments) == {"n": step}
        result = {"role": "tool", "tool_call_id": call.id, "content": f"level {step}"}
        choice = say([result], tools=[TOOL])
    assert (choice.message.content, choice.finish_reason) == ("The top: level 3", "stop")
