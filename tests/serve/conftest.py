"""A real server on loopback, its engine scripted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tensaku.errors import EngineError
from tensaku.records import Message
from tensaku.serve import Served, build_app
from tensaku.testing import ScriptedEngine, serving, write_adapter


def base_answer(messages: tuple[Message, ...]) -> str:
    """Rules by the last message; every other is answered by itself."""
    text = messages[-1].content
    if text == "fail":
        raise EngineError("the model broke", retryable=True)
    if text == "long":
        return "長い答えです。" * 200
    return f"答え:{text}"


def tuned_answer(messages: tuple[Message, ...]) -> str:
    return f"修正案:{messages[-1].content}"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedEngine]:
    engine = ScriptedEngine(base_answer, by_adapter={"comment": tuned_answer}, context=5000)
    engine.load_adapter("comment", write_adapter(tmp_path_factory.mktemp("adapter")))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def api(engine: ScriptedEngine) -> Iterator[str]:
    """The address of the API over `engine`."""
    served = [Served("monthly-comment", "release-3fa9c1d2b0aa", "comment", trial=True, created=1_790_000_000)]
    with serving(build_app(engine=engine, models=served)) as url:
        yield url


@pytest.fixture(autouse=True)
def full_speed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test leaves an engine that does not wait."""
    yield
    if "engine" in request.fixturenames:
        request.getfixturevalue("engine").delay = 0.0
