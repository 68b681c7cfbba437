"""What a format of the weights costs: BLEU and facts over the exam, tokens a second plain and drafted, memory.

    make bench-serve DESK=DIR PARTS=formats

Run once for each format by parts.py: int8 and fp32, of the trimmed and of the whole vocabulary.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.serve.peer import Told, finish, order, timed

from tensaku.engines import Request
from tensaku.engines.native.engine import NativeEngine
from tensaku.evaluate.scorers import bleu
from tensaku.evaluate.scoring import Texts
from tensaku.records import Message
from tensaku.text import compare

asked = order()


def main() -> None:
    """One format."""
    engine = NativeEngine(
        Path(asked["model"]), context=asked["context"], slots=8, threads=asked["threads"], precision=asked["precision"]
    )
    engine.load_adapter("0", Path(asked["adapters"][0]))
    rows = [json.loads(line) for line in Path(asked["lessons"]).read_text(encoding="utf-8").splitlines()]
    engine.learn("0", [(row["draft"], row["final"]) for row in rows])
    requests = [
        Request(tuple(Message(*t) for t in turns), "0", asked["max_tokens"], prediction=draft, facts=known)
        for turns, draft, known in zip(asked["messages"], asked["predictions"], asked["known"], strict=True)
    ]

    def ask(number: int, **more: Any) -> Told:
        stream = engine.submit(replace(requests[number], **more))
        text = "".join(piece.text for piece in stream)
        assert stream.usage is not None
        return Told(text.strip(), stream.usage.completion, 0.0)

    numbers = range(len(requests))
    few = range(min(16, len(requests)))  # plain fp32 is slow, and its speed the same for all
    result: dict[str, Any] = {"road": engine.road, "version": engine.version}
    for number in few:
        ask(number)
    result["drafted 1"] = timed(ask, numbers, 1)
    result["drafted 8"] = timed(ask, numbers, 8)
    result["plain 1"] = timed(lambda number: ask(number, prediction=None), few, 1)
    texts = result["drafted 1"]["texts"]
    scorer = bleu()
    counts = scorer.statistics(Texts(asked["predictions"], texts, asked["finals"]))
    result["bleu"] = round(float(scorer.figure(counts.sum(axis=0))), 2)
    kept = [
        compare(draft, text, asked["names"], as_of=month).kept
        for draft, text, month in zip(asked["predictions"], texts, asked["months"], strict=True)
    ]
    result["facts_kept"] = round(sum(kept) / len(kept), 4)
    engine.close()
    finish(result)


if __name__ == "__main__":
    main()
