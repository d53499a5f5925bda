"""The running stack that the tests talk to, as `cargo xtask dev` describes it."""

import json
import os
import pathlib
import uuid

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
    # Only the base URL and the key differ from any other use. The local model takes its time.
    return openai.OpenAI(base_url=stack["base_url"], api_key=stack["secret_key"], max_retries=0, timeout=300)


@pytest.fixture(scope="session")
def model(stack: dict[str, str]) -> str:
    return stack["model"]


@pytest.fixture
def session() -> str:
    """The name of a session that nobody used before."""
    return f"python-{uuid.uuid4()}"
