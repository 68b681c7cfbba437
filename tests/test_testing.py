"""The parts that tests are written with."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tensaku.engines.protocol import Engine, Request, Stream
from tensaku.errors import EngineError, NotFound, UsageError
from tensaku.records import Message
from tensaku.testing import ScriptedEngine, tiny_pairs, workspace, write_adapter


def ask(text: str, **values: object) -> Request:
    return Request(messages=(Message("user", text),), **values)  # type: ignore[arg-type]


def read(stream: Stream) -> str:
    return "".join(piece.text for piece in stream)


def test_it_is_an_engine() -> None:
    engine = ScriptedEngine()
    assert isinstance(engine, Engine)
    assert isinstance(engine.submit(ask("x")), Stream)


def test_an_answer_comes_in_pieces_with_its_counts() -> None:
    stream = ScriptedEngine(lambda messages: messages[0].content * 2, piece=3).submit(ask("市場は"))
    assert [(piece.text, piece.token_count) for piece in stream] == [("市場は", 3), ("市場は", 3)]
    assert (stream.finish, stream.usage and stream.usage.completion) == ("stop", 6)
    assert list(stream) == []


def test_stop_length_and_context_end_an_answer() -> None:
    engine = ScriptedEngine(lambda _: "あいうえお", context=10)
    assert read(engine.submit(ask("x", stop=("え", "う")))) == "あい"
    short = engine.submit(ask("x", max_tokens=2))
    assert (read(short), short.finish) == ("あい", "length")
    full = engine.submit(ask("1234567"))
    assert (read(full), full.finish) == ("あいう", "length")
    with pytest.raises(UsageError, match="too long: 10 tokens"):
        engine.submit(ask("1234567890"))


def test_cancelling_ends_it_at_once_and_submit_does_not_wait() -> None:
    engine = ScriptedEngine(lambda _: "あ" * 1000, delay=0.05)
    started = time.monotonic()
    stream = engine.submit(ask("x"))
    assert engine.running == 1
    next(iter(stream))
    stream.cancel()
    read(stream)
    assert stream.finish == "cancelled"
    assert time.monotonic() - started < 20
    assert engine.running == 0


def test_failures_come_out_of_the_stream() -> None:
    def broken(messages: tuple[Message, ...]) -> str:
        raise EngineError("out of memory", retryable=True)

    with pytest.raises(EngineError, match="out of memory"):
        read(ScriptedEngine(broken).submit(ask("x")))
    with pytest.raises(EngineError, match="ZeroDivisionError"):
        read(ScriptedEngine(lambda _: str(1 // 0)).submit(ask("x")))


def test_adapters_answer_by_their_own_rule(tmp_path: Path) -> None:
    engine = ScriptedEngine(by_adapter={"polite": lambda m: m[0].content + "です"})
    with pytest.raises(NotFound, match="no adapter 'polite'"):
        engine.submit(ask("x", adapter="polite"))
    with pytest.raises(UsageError, match=r"adapter_config\.json is missing"):
        engine.load_adapter("polite", tmp_path)
    digest = engine.load_adapter("polite", write_adapter(tmp_path / "a"))
    assert engine.load_adapter("other", write_adapter(tmp_path / "b", seed=1)) != digest
    assert engine.identity("polite")["adapter"] == digest == engine.adapters()["polite"]
    assert read(engine.submit(ask("堅調", adapter="polite"))) == "堅調です"
    assert read(engine.submit(ask("堅調"))) == "堅調"


def test_a_closed_engine_answers_no_more() -> None:
    engine = ScriptedEngine(lambda _: "あ" * 1000, delay=0.05)
    stream = engine.submit(ask("x"))
    engine.close()
    read(stream)
    assert stream.finish == "cancelled"
    with pytest.raises(EngineError, match="closed"):
        engine.submit(ask("x"))


def test_tiny_pairs_are_the_same_at_every_call() -> None:
    assert tiny_pairs() == tiny_pairs()
    assert len({pair.family for pair in tiny_pairs(30)}) == 30


def test_a_workspace_leaves_nothing_behind() -> None:
    home, folder = os.environ.get("HOME"), Path.cwd()
    with workspace() as root:
        assert Path.cwd().samefile(root)
        assert Path(os.environ["HOME"]).is_relative_to(root.parent)
    assert (os.environ.get("HOME"), Path.cwd()) == (home, folder)
    assert not root.exists()
