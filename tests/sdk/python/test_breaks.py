"""No client accepts a broken response as complete: the unmodified official `openai` package and
LangChain against models with all faults."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI

HELLO = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(scope="session")
def client(scripted: dict) -> openai.OpenAI:
    return openai.OpenAI(base_url=scripted["base_url"], api_key=scripted["secret_key"], max_retries=0, timeout=60)


@pytest.fixture(scope="session")
def langchain(scripted: dict) -> Callable[[str], ChatOpenAI]:
    def make(model: str) -> ChatOpenAI:
        return ChatOpenAI(model=model, base_url=scripted["base_url"], api_key=scripted["secret_key"], max_retries=0, timeout=60)

    return make


def attempt(send: Callable[[str], object], model: str) -> tuple[str, object]:
    try:
        return model, send(model)
    except Exception as error:  # noqa: BLE001 - what kind it is, is what the tests look at
        return model, error


def for_each(send: Callable[[str], object], models: list[str]) -> list[tuple[str, object]]:
    """Calls all models concurrently; returns the value or error of each."""
    assert models
    with ThreadPoolExecutor(len(models)) as pool:
        return list(pool.map(lambda model: attempt(send, model), models))


def assert_all_raise(send: Callable[[str], object], models: list[str]) -> None:
    for model, outcome in for_each(send, models):
        assert isinstance(outcome, openai.APIError), f"{model} was accepted as complete, or raised something else: {outcome!r}"


def iterate(client: openai.OpenAI, model: str) -> list:
    return list(client.chat.completions.create(model=model, messages=HELLO, stream=True))


def accumulate(client: openai.OpenAI, model: str) -> openai.types.chat.ChatCompletion:
    with client.chat.completions.stream(model=model, messages=HELLO) as stream:
        return stream.get_final_completion()


def create(client: openai.OpenAI, model: str) -> openai.types.chat.ChatCompletion:
    return client.chat.completions.create(model=model, messages=HELLO)


def stream_langchain(langchain: Callable[[str], ChatOpenAI], model: str) -> AIMessageChunk:
    whole = None
    for chunk in langchain(model).stream("Say hello."):
        whole = chunk if whole is None else whole + chunk
    return whole


@pytest.mark.parametrize("send", [iterate, accumulate])
def test_openai_python_raises_an_error_for_every_stream_that_breaks(scripted, client, send):
    assert_all_raise(lambda model: send(client, model), scripted["breaks"] + scripted["early"])


def test_openai_python_raises_an_error_for_every_whole_response_that_breaks(scripted, client):
    assert_all_raise(lambda model: create(client, model), scripted["whole"] + scripted["early"])


@pytest.mark.parametrize("send", [accumulate, create])
def test_openai_python_raises_none_for_a_good_response(scripted, client, send):
    for model, outcome in for_each(lambda model: send(client, model), scripted["good"]):
        assert not isinstance(outcome, Exception), f"{model}: {outcome!r}"
        assert outcome.choices[0].message.content == "Hello there."


def test_langchain_raises_an_error_for_every_stream_that_breaks(scripted, langchain):
    assert_all_raise(lambda model: stream_langchain(langchain, model), scripted["breaks"] + scripted["early"])


def test_langchain_raises_an_error_for_every_whole_response_that_breaks(scripted, langchain):
    assert_all_raise(lambda model: langchain(model).invoke("Say hello."), scripted["whole"] + scripted["early"])


def test_langchain_raises_none_for_a_good_response(scripted, langchain):
    for send in (lambda model: stream_langchain(langchain, model), lambda model: langchain(model).invoke("Say hello.")):
        for model, outcome in for_each(send, scripted["good"]):
            assert not isinstance(outcome, Exception), f"{model}: {outcome!r}"
            assert outcome.content == "Hello there."
            assert outcome.response_metadata["finish_reason"] == "stop"
