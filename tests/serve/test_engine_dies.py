"""The engine's loop dies under its answers: it is noticed, begun again, and the waiting requests are answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tensaku.engines import Engine, open_engine
from tensaku.serve import Rules, build_app
from tensaku.testing import serving, tiny_model


@pytest.fixture
def native(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine("native", tiny_model(tmp_path / "model", family="llama"), precision="fp32", threads=1)
    yield engine
    engine.close()


class Dies(BaseException):
    """What no loop expects."""


def ask(url: str, **more: Any) -> httpx.Response:
    body = {"model": "base", "messages": [{"role": "user", "content": "市場"}], "max_tokens": 6, **more}
    return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=30)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the thread's death is the point
@pytest.mark.parametrize("kind", [Dies, RuntimeError])
def test_the_loop_dies_once(native: Any, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]) -> None:
    run, left = native._model.run, [1]

    def dying(work: Any) -> Any:
        if left:
            left.pop()
            raise kind("the power went")
        return run(work)

    with serving(build_app(engine=native, rules=Rules())) as url:
        whole = ask(url).json()["choices"][0]["message"]["content"]
        left.append(1)
        monkeypatch.setattr(native._model, "run", dying)
        left[:] = [1]
        found: list[httpx.Response] = []
        threads = [threading.Thread(target=lambda: found.append(ask(url))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [answer.status_code for answer in found] == [200] * 4
        assert {answer.json()["choices"][0]["message"]["content"] for answer in found} == {whole}
        left[:] = [1]
        assert "[DONE]" in ask(url, stream=True).text  # nothing had been sent: it is begun anew too
        assert "tensaku_engine_restarts_total 0.0" not in httpx.get(f"{url}/metrics").text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_that_keeps_dying_is_told_and_the_next_good_step_works(
    native: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(work: Any) -> Any:
        raise Dies("for good")

    with serving(build_app(engine=native, rules=Rules())) as url:
        with monkeypatch.context() as broken:
            broken.setattr(native._model, "run", dead)
            answer = ask(url)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "engine_error")
        assert "the engine's thread ended: Dies: for good" in answer.json()["error"]["message"]
        assert answer.headers["retry-after"] == "1"
        assert ask(url).status_code == 200
        assert "tensaku_engine_failures_total 1.0" in httpx.get(f"{url}/metrics").text
