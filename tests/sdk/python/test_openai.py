"""The unmodified official `openai` package against the running Workers and the local model.

CI's model is small and gets facts wrong, so these tests check the format and the usage of
responses, not their content.
"""

import asyncio
import subprocess
import sys
import textwrap

import openai
import pytest

COUNT = [{"role": "user", "content": "Count from one to one hundred, in words."}]
HELLO = [{"role": "user", "content": "Say hello."}]
# Settings for repeatable responses.
STEADY = {"temperature": 0, "seed": 7}
# Prevents the model from ending its response early: its end tokens.
ENDLESS = {"logit_bias": {"0": -100, "1": -100, "2": -100}}


def test_models_are_listed_and_the_default_is_among_them(client, model):
    models = list(client.models.list())
    ids = [one.id for one in models]
    assert model in ids and "auto" in ids
    assert all(one.object == "model" and one.owned_by and isinstance(one.created, int) for one in models)


def test_one_model_is_retrieved_by_id(client, model):
    assert client.models.retrieve(model).id == model


def test_a_chat_has_a_response_and_usage(client, model):
    completion = client.chat.completions.create(model=model, messages=HELLO, max_tokens=24, **STEADY)
    assert completion.object == "chat.completion"
    assert completion.id.startswith("chatcmpl-")
    assert completion._request_id.startswith("req_")
    [choice] = completion.choices
    assert choice.index == 0
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.finish_reason in ("stop", "length")
    assert completion.usage.prompt_tokens > 0
    assert 0 < completion.usage.completion_tokens <= 24
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


def test_auto_is_a_model_too(client):
    completion = client.chat.completions.create(model="auto", messages=HELLO, max_tokens=8)
    assert completion.choices[0].message.content


def test_a_stream_carries_the_response_in_pieces_without_usage(client, model):
    chunks = list(client.chat.completions.create(model=model, messages=COUNT, max_tokens=24, stream=True, **STEADY, **ENDLESS))
    assert len({chunk.id for chunk in chunks}) == 1
    assert len({chunk.created for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks[:-1])
    assert all(chunk.usage is None for chunk in chunks)
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
    assert len(pieces) > 3, "it comes as it is made, not all at once"


def test_a_stream_equals_the_whole_response(client, model):
    whole = client.chat.completions.create(model=model, messages=HELLO, max_tokens=24, **STEADY)
    chunks = list(
        client.chat.completions.create(
            model=model, messages=HELLO, max_tokens=24, stream=True, stream_options={"include_usage": True}, **STEADY
        )
    )
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


def test_a_stream_with_usage_has_it_once_at_the_end(client, model):
    chunks = list(
        client.chat.completions.create(
            model=model, messages=HELLO, max_tokens=12, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_the_packages_stream_helper_accumulates_the_response(client, model):
    with client.chat.completions.stream(model=model, messages=HELLO, max_tokens=400, **STEADY) as stream:
        kinds = {event.type for event in stream}
        completion = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert completion.choices[0].message.content


def test_the_asynchronous_client_streams_several_responses_concurrently(stack, model):
    async def send(client: openai.AsyncOpenAI) -> str:
        stream = await client.chat.completions.create(model=model, messages=HELLO, max_tokens=8, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def send_twice() -> list[str]:
        async with openai.AsyncOpenAI(base_url=stack["base_url"], api_key=stack["secret_key"], timeout=300) as client:
            return await asyncio.gather(send(client), send(client))

    assert all(asyncio.run(send_twice()))


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_token_limit_is_respected_with_finish_reason_length(client, model, name):
    completion = client.chat.completions.create(model=model, messages=COUNT, **{name: 5}, **ENDLESS)
    assert completion.usage.completion_tokens == 5
    assert completion.choices[0].finish_reason == "length"


def test_a_stop_sequence_ends_the_response_and_is_not_in_it(client, model):
    completion = client.chat.completions.create(model=model, messages=COUNT, max_tokens=64, stop=["e", "E"], **STEADY)
    assert completion.choices[0].finish_reason == "stop"
    assert "e" not in completion.choices[0].message.content.lower()
    assert completion.usage.completion_tokens < 64


def test_the_server_still_works_after_a_cancelled_stream(client, model):
    with client.chat.completions.create(model=model, messages=COUNT, max_tokens=200, stream=True, **ENDLESS) as stream:
        next(iter(stream))
    assert client.chat.completions.create(model=model, messages=HELLO, max_tokens=4).choices


def in_another_process(stack: dict[str, str], session: str) -> tuple[int, str]:
    """Sends the same message in the session from another process that only has the session's id."""
    script = textwrap.dedent(
        """
        import sys, openai
        base_url, key, model, session = sys.argv[1:]
        client = openai.OpenAI(base_url=base_url, api_key=key, timeout=300)
        answer = client.chat.completions.with_raw_response.create(
            model=model,
            messages=[{"role": "user", "content": "Say hello."}],
            max_tokens=8,
            extra_body={"session_id": session},
        )
        print(answer.parse().usage.prompt_tokens, answer.headers["x-session-id"])
        """
    )
    arguments = [stack["base_url"], stack["secret_key"], stack["model"], session]
    output = subprocess.run([sys.executable, "-c", script, *arguments], check=True, capture_output=True, text=True).stdout
    tokens, name = output.split()
    return int(tokens), name


def test_a_session_is_continued_by_another_process(client, stack, model, session):
    def say_hello(name: str) -> openai.types.CompletionUsage:
        completion = client.chat.completions.create(
            model=model, messages=HELLO, max_tokens=8, extra_headers={"x-session-id": name}
        )
        return completion.usage

    first = say_hello(session)
    continued, name = in_another_process(stack, session)
    assert name == session
    # The prompt of the second turn contains the first turn (message and response) and the same message again.
    assert continued >= first.prompt_tokens + first.completion_tokens
    third = say_hello(session)
    assert third.prompt_tokens > continued
    fresh = say_hello(f"{session}-fresh")
    assert fresh.prompt_tokens == first.prompt_tokens, "another session knows nothing of it"


def test_a_session_stores_a_streamed_turn(client, model, session):
    def usage(**options):
        chunks = list(
            client.chat.completions.create(
                model=model,
                messages=HELLO,
                max_tokens=8,
                stream=True,
                stream_options={"include_usage": True},
                extra_body={"session_id": session},
                **options,
            )
        )
        return chunks[-1].usage

    first = usage()
    assert usage().prompt_tokens >= first.prompt_tokens + first.completion_tokens


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"temperature": 5}, "temperature"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"extra_body": {"top_p": "much"}}, "top_p"),
    ],
)
def test_a_bad_request_names_the_parameter(client, model, wrong, param):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**{"model": model, "messages": HELLO, **wrong})
    assert caught.value.status_code == 400
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id.startswith("req_")


def test_a_wrong_key_is_an_authentication_error(client, model):
    with pytest.raises(openai.AuthenticationError) as caught:
        client.with_options(api_key="cl_sk_wrong").chat.completions.create(model=model, messages=HELLO)
    assert caught.value.status_code == 401
    assert caught.value.code == "invalid_api_key"
    assert caught.value.body["message"].startswith("Incorrect API key provided")


def test_an_unknown_model_is_not_found(client):
    for send in (
        lambda: client.models.retrieve("no-such-model"),
        lambda: client.chat.completions.create(model="no-such-model", messages=HELLO),
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            send()
        assert caught.value.code == "model_not_found"


def test_an_unknown_path_is_not_found(client):
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="any", input="text")


def test_other_rejections_are_status_errors_with_their_status(client, model):
    body = {"model": model, "messages": HELLO}
    for status, send in {
        405: lambda: client.get("/chat/completions", cast_to=object),
        413: lambda: client.chat.completions.create(model=model, messages=[{"role": "user", "content": "a" * 5_000_000}]),
        415: lambda: client.post("/chat/completions", cast_to=object, body=body, options={"headers": {"content-type": "text/plain"}}),
    }.items():
        with pytest.raises(openai.APIStatusError) as caught:
            send()
        assert caught.value.status_code == status
        assert caught.value.body["message"]


def test_a_prompt_that_does_not_fit_is_a_bad_request_with_openais_code(client, model):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "word " * 200_000}])
    assert caught.value.code == "context_length_exceeded"
