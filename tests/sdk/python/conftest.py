"""Fixtures for the running stack that `cargo xtask dev` describes."""

import json
import os
import pathlib
import subprocess
import uuid
from collections.abc import Iterator

import openai
import pytest


@pytest.fixture(scope="session")
def stack() -> dict[str, str]:
    path = os.environ.get("CLAWLESS_DEV_JSON")
    if not path:
        pytest.fail("Set CLAWLESS_DEV_JSON to the dev.json of a running stack (cargo xtask dev --detach writes it).", pytrace=False)
    return json.loads(pathlib.Path(path).read_text())


@pytest.fixture(scope="session")
def client(stack: dict[str, str]) -> openai.OpenAI:
    # Only the base URL and the key differ from any other use. The local model is slow.
    return openai.OpenAI(base_url=stack["base_url"], api_key=stack["secret_key"], max_retries=0, timeout=300)


@pytest.fixture(scope="session")
def model(stack: dict[str, str]) -> str:
    return stack["model"]


@pytest.fixture
def session() -> str:
    """A new session id."""
    return f"python-{uuid.uuid4()}"


@pytest.fixture(scope="session")
def scripted() -> Iterator[dict]:
    """A gateway with scripted models that break or call tools: see tests/harness/scripted.mjs."""
    program = pathlib.Path(__file__).parents[2] / "harness/scripted.mjs"
    node = os.environ.get("CLAWLESS_NODE", "node")
    with subprocess.Popen([node, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        # Wrangler may print other lines before the JSON.
        line = next((line for line in process.stdout if line.startswith("{")), None)
        if line is None:
            pytest.fail("The gateway of tests/harness/scripted.mjs did not start: its output is above.", pytrace=False)
        yield json.loads(line)
        # It stops when its standard input ends.
        process.stdin.close()
        process.wait(timeout=60)
