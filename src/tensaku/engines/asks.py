"""Many questions to one model: several on their way at once, every answer written down as it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from tensaku.engines.protocol import Engine, Request, Stream
from tensaku.engines.requests import TooLong
from tensaku.records import Message
from tensaku.store import Bench, Journal

__all__ = ["Asked", "ask", "ask_all"]


class Asked(NamedTuple):
    """One question, known again by its key."""

    key: str
    message: str
    schema: str | None = None
    """What the answer is held to, as a JSON schema; None: it is free."""


def ask_all(
    bench: Bench, label: str, opened: Callable[[], Engine], questions: list[Asked], max_tokens: int, at_once: int
) -> Mapping[str, dict[str, str]]:
    """What a model said to each question, by key: `text` and `finish`; that of a killed run is taken up again.

    Raises:
        EngineError: the model failed; what was answered before is kept.
    """
    journal = Journal(bench.aside / f"{label}.jsonl")
    found: dict[str, dict[str, str]] = {held["key"]: held["said"] for held in journal.read()}
    left = [asked for asked in questions if asked.key not in found]
    held: list[Engine] = []

    def engine() -> Engine:
        held.append(opened())
        return held[0]

    try:
        with bench.progress(label, len(questions)) as bar:
            bar.advance(len(questions) - len(left), "")
            for asked, words, finish in ask(engine, left, max_tokens, at_once):
                found[asked.key] = {"text": words, "finish": finish}
                journal.append({"key": asked.key, "said": found[asked.key]})
                bar.advance(1, "")
    finally:
        for one in held:
            one.close()
    return {asked.key: found[asked.key] for asked in questions}


def ask(
    engine: Callable[[], Engine], questions: list[Asked], max_tokens: int, at_once: int
) -> Iterator[tuple[Asked, str, str]]:
    """Every question with its answer and how that ended, in order; `too long` where the question does not fit.

    Raises:
        UsageError: the engine cannot hold an answer to a schema.
        EngineError: the model failed; what was answered before was given.
    """
    waiting, running = iter(questions), deque[tuple[Asked, Stream | None]]()
    opened = engine() if questions else None
    try:
        while True:
            while len(running) < at_once and (asked := next(waiting, None)) is not None:
                assert opened is not None
                started: Stream | None = None
                with suppress(TooLong):  # counted as not answered
                    question = (Message("user", asked.message),)
                    started = opened.submit(Request(question, max_tokens=max_tokens, schema=asked.schema))
                running.append((asked, started))
            if not running:
                return
            asked, stream = running[0]
            text = "" if stream is None else "".join(piece.text for piece in stream)
            running.popleft()
            yield asked, text, "too long" if stream is None else stream.finish or "stop"
    finally:
        for _, left in running:
            if left is not None:
                left.cancel()
