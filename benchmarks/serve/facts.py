"""Facts-safe decoding off and on over the whole exam: facts changed, sentences lost, BLEU, tokens a second.

    make bench-serve DESK=DIR PARTS=facts

The exam is also written plain and drafted, alone, and by each of eight adapters among seven others; all has to be the
same, token by token. Drafted with and without takes turns draft by draft, so that a busy machine slows both, and each
draft is new to the engine both times.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.serve.fresh import instruction_alone
from benchmarks.serve.peer import finish, order

from tensaku.engines import Request
from tensaku.engines.native.answer import Answer
from tensaku.engines.native.engine import NativeEngine
from tensaku.evaluate.scorers import bleu
from tensaku.evaluate.scoring import Texts
from tensaku.records import Message
from tensaku.text import compare, dropped, lost

asked = order()
_WAYS = ("off", "on")


class Written(NamedTuple):
    """One answer: its tokens, its text, and the seconds that it took."""

    tokens: tuple[int, ...]
    text: str
    seconds: float


def main() -> None:
    """Answer the exam in every way, and put both kinds of decoding side by side."""
    engine = NativeEngine(Path(asked["model"]), context=asked["context"], slots=8, threads=asked["threads"])
    rows = [json.loads(line) for line in Path(asked["lessons"]).read_text(encoding="utf-8").splitlines()]
    for i, folder in enumerate(asked["adapters"]):
        engine.load_adapter(str(i), Path(folder))
        engine.learn(str(i), [(row["draft"], row["final"]) for row in rows])
    requests = {
        way: [
            Request(
                tuple(Message(*turn) for turn in messages),
                max_tokens=asked["max_tokens"],
                prediction=draft,
                facts=known if way == "on" else None,
                adapter="0",
            )
            for messages, draft, known in zip(asked["messages"], asked["predictions"], asked["known"], strict=True)
        ]
        for way in _WAYS
    }
    write(engine, requests["on"][:1])  # looks the vocabulary through
    drafted: dict[str, list[Written]] = {way: [] for way in _WAYS}
    for number in range(len(requests["on"])):
        for way in _WAYS if number % 2 else reversed(_WAYS):
            instruction_alone(engine, requests[way][number], ["0"])
            drafted[way] += write(engine, [requests[way][number]])
    result: dict[str, Any] = {way: measured(drafted[way]) for way in _WAYS}
    result["slower"] = round(1 - result["on"]["tokens_per_second"] / result["off"]["tokens_per_second"], 4)
    result["bleu_lost"] = round(result["off"]["bleu"] - result["on"]["bleu"], 2)
    result["identical"] = identity(engine, requests, drafted)
    engine.close()
    finish(result)


def write(engine: NativeEngine, requests: Sequence[Request]) -> list[Written]:
    """The answers to `requests`, all at once."""
    began = time.perf_counter()
    streams = [engine.submit(request) for request in requests]
    found = []
    for stream in streams:
        text = "".join(piece.text for piece in stream)
        assert isinstance(stream, Answer)
        tokens = tuple(stream.tokens[stream.prompt_length :])
        found.append(Written(tokens, text.strip(), time.perf_counter() - began))
    return found


def measured(answers: Sequence[Written]) -> dict[str, Any]:
    """What came of one kind of decoding, over the exam."""
    drafts, finals, months = asked["predictions"], asked["finals"], asked["months"]
    texts = [one.text for one in answers]
    verdicts = [compare(d, t, asked["names"], as_of=m) for d, t, m in zip(drafts, texts, months, strict=True)]
    figures = ("number", "percent", "unit", "date")

    def holding(what: str) -> int:
        """Outputs with a figure or date that is `what`."""
        return sum(any(b.what == what and b.fact.kind in figures for b in verdict.breaks) for verdict in verdicts)

    scorer = bleu()
    scorer_texts = Texts(drafts, texts, finals)
    return {
        "outputs": len(answers),
        "facts_changed": sum(not verdict.kept for verdict in verdicts),
        "invented": holding("added"),
        "missing": holding("missing"),
        "sentences_lost": sum(len(dropped(d, f, t)) for d, f, t in zip(drafts, finals, texts, strict=True)),
        "sentences_without_facts": sum(len(lost(d, v)) for d, v in zip(drafts, verdicts, strict=True)),
        "bleu": round(float(scorer.figure(scorer.statistics(scorer_texts).sum(axis=0))), 2),
        "tokens_per_second": round(sum(len(a.tokens) for a in answers) / sum(a.seconds for a in answers), 1),
    }


def identity(
    engine: NativeEngine, requests: dict[str, list[Request]], drafted: dict[str, list[Written]]
) -> dict[str, Any]:
    """Whether every answer has the same tokens plain and drafted, alone and in company; counted over all answers.

    Alone: the exam by the first adapter, held to its facts and not. In company: the exam by each adapter, eight answers
    of eight adapters together, plain among one set of neighbours and drafted among another.
    """
    found = {"alone": 0, "in_company": 0, "differing": 0}

    def same(kind: str, one: Sequence[Written], two: Sequence[Written]) -> None:
        found[kind] += len(one)
        found["differing"] += sum(a.tokens != b.tokens for a, b in zip(one, two, strict=True))

    for way in _WAYS:
        alone = [write(engine, [replace(request, prediction=None)])[0] for request in requests[way]]
        same("alone", alone, drafted[way])
    adapters = len(asked["adapters"])
    for shift in range(asked["shifts"]):
        mixed = [replace(request, adapter=str((n + shift) % adapters)) for n, request in enumerate(requests["on"])]
        plain = together(engine, [replace(request, prediction=None) for request in mixed], range(len(mixed)))
        same("in_company", plain, together(engine, mixed, sorted(range(len(mixed)), key=lambda n: (n * 37) % 101)))
        if shift == 0:
            firsts = [n for n in range(len(mixed)) if mixed[n].adapter == "0"]
            same("in_company", [plain[n] for n in firsts], [drafted["on"][n] for n in firsts])
    return found | {"adapters": adapters}


def together(engine: NativeEngine, requests: Sequence[Request], order: Sequence[int]) -> list[Written]:
    """The answers, in the order of `requests`, asked for eight at once in `order`."""
    found: dict[int, Written] = {}
    for at in range(0, len(order), 8):
        numbers = order[at : at + 8]
        found |= dict(zip(numbers, write(engine, [requests[n] for n in numbers]), strict=True))
    return [found[n] for n in range(len(requests))]


if __name__ == "__main__":
    main()
