"""The unmodified `openai-agents` on the Responses surface, with scripted models that call its tools."""

import asyncio
import json

import openai
import pytest
from agents import Agent, FunctionTool, ModelSettings, OpenAIResponsesModel, Runner, set_tracing_disabled

set_tracing_disabled(True)
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": True}


@pytest.fixture(params=["openai", "anthropic", "workers_ai"])
def calling(request: pytest.FixtureRequest, scripted: dict) -> str:
    [model] = [model for model in scripted["tools"] if model.startswith(f"{request.param}-")]
    return model


def responses_model(scripted: dict, model: str) -> OpenAIResponsesModel:
    client = openai.AsyncOpenAI(base_url=scripted["base_url"], api_key=scripted["secret_key"], max_retries=0)
    return OpenAIResponsesModel(model=model, openai_client=client)


def agent_of(scripted: dict, model: str, seen: list, store: bool) -> Agent:
    """An agent whose tools record what they are called with."""

    def tool(call: dict) -> FunctionTool:
        async def run(_context, arguments: str) -> str:
            seen.append({"id": call["id"], "name": call["name"], "input": json.loads(arguments)})
            return f'{call["name"]}: 21 °C, "fine"'

        return FunctionTool(
            name=call["name"], description=call["name"], params_json_schema=PARAMETERS, on_invoke_tool=run, strict_json_schema=False
        )

    return Agent(
        name="Weather",
        instructions="Answer briefly.",
        model=responses_model(scripted, model),
        tools=[tool(call) for call in scripted["calls"]],
        model_settings=ModelSettings(store=store),
    )


def assert_round_trip(scripted: dict, seen: list, output: str) -> None:
    results = {call["id"]: f'{call["name"]}: 21 °C, "fine"' for call in scripted["calls"]}
    assert sorted(seen, key=lambda call: call["id"]) == scripted["calls"]
    assert json.loads(output) == {"recalled": scripted["calls"], "results": results}


def test_an_agent_runs_its_tools_and_answers(scripted, calling):
    seen: list = []
    result = asyncio.run(Runner.run(agent_of(scripted, calling, seen, store=True), "What is the weather, and what is the time?"))
    assert_round_trip(scripted, seen, result.final_output)


def test_an_agent_streams_its_answer_and_stores_nothing(scripted, calling):
    seen: list = []

    async def run() -> tuple[str, str]:
        result = Runner.run_streamed(agent_of(scripted, calling, seen, store=False), "What is the weather, and what is the time?")
        events = [event async for event in result.stream_events()]
        raw = [event.data for event in events if event.type == "raw_response_event"]
        return "".join(data.delta for data in raw if data.type == "response.output_text.delta"), result.final_output

    text, output = asyncio.run(run())
    assert text == output
    assert_round_trip(scripted, seen, output)


def test_an_agent_continues_its_last_response(scripted):
    [model] = [model for model in scripted["good"] if model.startswith("openai-")]

    async def run() -> str:
        agent = Agent(name="Greeter", model=responses_model(scripted, model))
        first = await Runner.run(agent, "Say hello.")
        second = await Runner.run(agent, "Again.", previous_response_id=first.last_response_id)
        return second.final_output

    assert asyncio.run(run()) == "Hello there."
