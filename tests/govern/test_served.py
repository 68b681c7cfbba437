"""An approval's conditions at the API's door: exactly so many answers, only that task, and never one more."""

from __future__ import annotations

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tensaku.errors import UsageError
from tensaku.ledger import Conditions, Ledger
from tensaku.records import Message
from tensaku.serve import Rules, Served, build_app
from tensaku.testing import ScriptedEngine, serving

BODY = {"messages": [{"role": "user", "content": "市場"}]}


def ask(url: str, model: str) -> tuple[int, str]:
    found = httpx.post(f"{url}/v1/chat/completions", json={**BODY, "model": model}, timeout=60)
    return found.status_code, found.text


def test_what_an_approval_does_not_cover_is_not_answered(tmp_path: Path) -> None:
    models = [Served("tiny", "release-1", None), Served("other", "release-2", None)]
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_person("sato", "佐藤", ("engineer",))
        ledger.add_person("kuroda", "黒田", ("approver",))
        for ref in ("release-1", "release-2"):
            ledger.add_release(ref, "sato", {})
        ledger.approve("release-2", "kuroda", "approved", conditions=Conditions(tasks=("tiny",)))
        ledger.approve("release-1", "kuroda", "approved", conditions=Conditions(requests=5))
        with serving(build_app(engine=ScriptedEngine(), models=models, rules=Rules(), ledger=ledger)) as url:
            code, text = ask(url, "other")
            assert (code, "approved for tiny alone" in text, "not_approved" in text) == (403, True, True)
            with ThreadPoolExecutor(8) as pool:  # eight at once must not slip through together
                codes = Counter(code for code, _ in pool.map(lambda _: ask(url, "tiny"), range(16)))
            assert codes[200] == 5
            assert set(codes) <= {200, 403, 503}
            assert len(ledger.answers()) == 5
            code, text = ask(url, "tiny")
            assert (code, "approved for 5 answers, and that is used up" in text) == (403, True)
            assert ask(url, "base")[0] == 200  # the base alone is nobody's release
            ledger.approve("release-1", "kuroda", "withdrawn", "誤り")
            code, text = ask(url, "tiny")
            assert (code, "is withdrawn" in text) == (403, True)


def streamed(url: str, model: str) -> tuple[int, str]:
    """The status, and what a client has read of the answer when the stream has ended."""
    body = {**BODY, "model": model, "stream": True}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=60) as found:
        chunks = [json.loads(line[6:]) for line in found.iter_lines() if line.startswith("data: {")]
        choices = [choice for chunk in chunks for choice in chunk.get("choices", ())]
        return found.status_code, "".join(choice["delta"].get("content", "") for choice in choices)


def test_nothing_of_a_counted_answer_is_streamed_before_it_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [Served("tiny", "release-1", None)]
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_person("sato", "佐藤", ("engineer",))
        ledger.add_person("kuroda", "黒田", ("approver",))
        ledger.add_release("release-1", "sato", {})
        ledger.approve("release-1", "kuroda", "approved", conditions=Conditions(requests=5))
        engine = ScriptedEngine(lambda _: "市場は上昇しました。", delay=0.02)
        rules = Rules(at_once=8)
        with serving(build_app(engine=engine, models=models, rules=rules, ledger=ledger)) as url:
            with monkeypatch.context() as patch:  # as if the server was killed before it could count
                patch.setattr(ledger, "add_answer", lambda *_: (_ for _ in ()).throw(UsageError("the disk is full")))
                assert streamed(url, "tiny") == (200, "")
            with ThreadPoolExecutor(8) as pool:
                found = list(pool.map(lambda _: streamed(url, "tiny"), range(8)))
            assert sorted(text for code, text in found if code == 200 and text) == ["市場は上昇しました。"] * 5
            assert len(ledger.answers()) == 5


@pytest.mark.parametrize("decision", ["rejected", "withdrawn"])
def test_an_answer_whose_release_loses_its_approval_meanwhile_is_withheld(tmp_path: Path, decision: str) -> None:
    """The ledger holds the approval in the transaction that records the answer, not at the door alone: by design."""
    begun, goes_on = threading.Event(), threading.Event()

    def slowly(messages: tuple[Message, ...]) -> str:
        begun.set()
        assert goes_on.wait(60)
        return "市場は上昇しました。"

    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_person("sato", "佐藤", ("engineer",))
        ledger.add_person("kuroda", "黒田", ("approver",))
        for ref in ("release-1", "release-2"):
            ledger.add_release(ref, "sato", {})
            ledger.approve(ref, "kuroda", "approved")
        models = [Served("tiny", "release-1", None), Served("other", "release-2", None)]
        with (
            serving(build_app(engine=ScriptedEngine(slowly), models=models, rules=Rules(), ledger=ledger)) as url,
            ThreadPoolExecutor(1) as pool,
        ):
            asked = pool.submit(httpx.post, f"{url}/v1/chat/completions", json={**BODY, "model": "tiny"}, timeout=60)
            assert begun.wait(60)
            ledger.approve("release-1", "kuroda", decision, "誤り")  # type: ignore[arg-type]
            goes_on.set()
            withheld = asked.result()
            error = withheld.json()["error"]
            assert (withheld.status_code, error["code"]) == (503, "approval_ended")
            assert "release-1 ended while" in error["message"]
            assert withheld.headers["retry-after"] == "2"
            assert "上昇" not in withheld.text
            assert ledger.answers() == [], "what was not given is not on record"
            begun.clear()
            goes_on.clear()
            # Only that loss withholds: who was replaced, and is approved still, ends what it began.
            asked = pool.submit(httpx.post, f"{url}/v1/chat/completions", json={**BODY, "model": "other"}, timeout=60)
            assert begun.wait(60)
            ledger.add_release("release-3", "sato", {})
            ledger.approve("release-3", "kuroda", "approved")
            goes_on.set()
            assert asked.result().status_code == 200
            assert [row.release for row in ledger.answers()] == ["release-2"]
            assert ask(url, "tiny")[0] == 403, "the next one is refused at the door"


def test_a_stream_that_loses_its_approval_ends_with_an_error(tmp_path: Path) -> None:
    """What was sent before stays with the client; it is no whole answer, and none is on record."""
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_person("sato", "佐藤", ("engineer",))
        ledger.add_person("kuroda", "黒田", ("approver",))
        ledger.add_release("release-1", "sato", {})
        ledger.approve("release-1", "kuroda", "approved")
        models, engine = [Served("tiny", "release-1", None)], ScriptedEngine(lambda _: "上" * 40, delay=0.05, piece=1)
        body = {**BODY, "model": "tiny", "stream": True}
        with (
            serving(build_app(engine=engine, models=models, rules=Rules(), ledger=ledger)) as url,
            httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=60) as found,
        ):
            lines = found.iter_lines()
            assert any("上" in line for line in lines)
            ledger.approve("release-1", "kuroda", "withdrawn", "誤り")
            rest = [line for line in lines if line.startswith("data: {")]
            assert '"code":"approval_ended"' in rest[-1].replace(": ", ":")
            assert not any('"finish_reason":"stop"' in line.replace(": ", ":") for line in rest)
        assert ledger.answers() == []
