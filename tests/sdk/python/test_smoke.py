"""The unmodified `openai`, `anthropic` and `openai-agents` packages on the Responses and Messages surfaces,
against the running Workers and the local model. It is small and slow, so the answers are short, and only
their format and usage are checked."""

import asyncio
from urllib.parse import urlsplit

import anthropic
import openai
import pytest
from agents import Agent, ModelSettings, OpenAIResponsesModel, Runner, set_tracing_disabled

set_tracing_disabled(True)
PROMPT = "Say hello."
MAX_TOKENS = 16
MESSAGES = [{"role": "user", "content": PROMPT}]


@pytest.fixture(scope="module")
def messages_client(stack: dict[str, str]) -> anthropic.Anthropic:
    origin = urlsplit(stack["base_url"])._replace(path="").geturl()
    return anthropic.Anthropic(base_url=origin, api_key=stack["secret_key"], max_retries=0, timeout=300)


def test_openai_creates_streams_and_continues_a_response(client, model):
    first = client.responses.create(model=model, input=PROMPT, max_output_tokens=MAX_TOKENS)
    assert first.output_text
    assert first.status in ("completed", "incomplete")
    assert first.usage.input_tokens > 0
    with client.responses.stream(model=model, input="Again.", previous_response_id=first.id, max_output_tokens=MAX_TOKENS) as stream:
        events = list(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    response = events[-1].response
    assert response.usage.input_tokens > first.usage.input_tokens
    assert client.responses.retrieve(response.id).output_text == response.output_text


def test_openai_keeps_a_conversation(client, model):
    conversation = client.conversations.create(metadata={"topic": "smoke"})
    response = client.responses.create(model=model, input=PROMPT, conversation=conversation.id, max_output_tokens=MAX_TOKENS)
    items = list(client.conversations.items.list(conversation.id, order="asc"))
    assert [item.role for item in items] == ["user", "assistant"]
    assert items[1].content[0].text == response.output_text
    assert client.conversations.delete(conversation.id).deleted


def test_anthropic_creates_streams_and_counts(messages_client, model):
    message = messages_client.messages.create(model=model, max_tokens=MAX_TOKENS, messages=MESSAGES)
    assert message.content[0].text
    assert message.stop_reason in ("end_turn", "max_tokens")
    assert 0 < message.usage.output_tokens <= MAX_TOKENS
    with messages_client.messages.stream(model=model, max_tokens=MAX_TOKENS, messages=MESSAGES) as stream:
        pieces = list(stream.text_stream)
        assert "".join(pieces) == stream.get_final_message().content[0].text
    assert messages_client.messages.count_tokens(model=model, messages=MESSAGES).input_tokens > 0


def test_openai_agents_answers(stack, model):
    api = openai.AsyncOpenAI(base_url=stack["base_url"], api_key=stack["secret_key"], max_retries=0, timeout=300)
    # To this package an answer that reaches its limit is an error.
    settings = ModelSettings(max_tokens=512)
    agent = Agent(name="Greeter", model=OpenAIResponsesModel(model=model, openai_client=api), model_settings=settings)
    result = asyncio.run(Runner.run(agent, PROMPT))
    assert result.final_output
