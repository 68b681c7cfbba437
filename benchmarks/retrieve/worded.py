"""What becomes of answers that a model words: kept, removed, replaced by a quotation; and are they right?

    python -m benchmarks.retrieve.worded DATA MODEL [--questions 40]

DATA is a file in JSQuAD's form, MODEL the folder of a base model. Each question is answered by quotation and by the
model; "right" says that the answer holds the words that JSQuAD counts as the answer.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.retrieve.jsquad import lay_out, read

from tensaku.engines import open_engine
from tensaku.errors import TensakuError
from tensaku.library import EngineWriter
from tensaku.models.embed import Local
from tensaku.retrieve.answer import Answer, Answerer
from tensaku.retrieve.indexing import Collection, index
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.search import Searcher

RESULT = Path(__file__).parents[1] / "results" / "retrieve_worded.json"


def answers_of(path: Path) -> list[list[str]]:
    """What counts as the answer to each question."""
    told = json.loads(path.read_text(encoding="utf-8"))["data"]
    return [
        [one["text"] for one in qa["answers"]]
        for article in told
        for part in article["paragraphs"]
        for qa in part["qas"]
    ]


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def right(answer: Answer, wanted: list[str]) -> bool:
    """Whether a found answer holds one of the wanted ones."""
    return answer.found and any(_plain(one) in _plain(answer.text) for one in wanted)


def main(argv: list[str] | None = None) -> int:
    """Answer, count, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--work", type=Path, help="an index that `learn.py --work` has left")
    parser.add_argument("--out", type=Path, default=RESULT)
    told = parser.parse_args(argv)
    course, wanted = read(told.data), answers_of(told.data)
    drawn = np.linspace(0, len(course.questions) - 1, told.questions).astype(int)
    with tempfile.TemporaryDirectory() as temporary:
        folder, embedder = (told.work or Path(temporary)) / told.data.stem, Local()
        lay_out(course, folder / "docs")
        index([Collection("jsquad", folder / "docs")], folder / "index", embedder, size=10_000)
        searcher = Searcher(folder / "index", embedder, Rights(None))
        engine = open_engine({"engine": "native", "context": 2048}, told.model)
        rows: dict[str, list[Any]] = {"quoted": [], "worded": []}
        seconds = 0.0
        for number in drawn:
            question = course.questions[number]
            quoted = Answerer(searcher, sure=0.0).answer(question)
            began = time.perf_counter()
            worded = Answerer(searcher, sure=0.0, write=EngineWriter(lambda: engine)).answer(question)
            seconds += time.perf_counter() - began
            rows["quoted"].append((quoted, right(quoted, wanted[number])))
            rows["worded"].append((worded, right(worded, wanted[number])))
            if len(rows["worded"]) <= 12:
                print(f"{question}\n  {worded.by}: {worded.text}\n  removed: {worded.dropped}", flush=True)
        engine.close()
    by_model = [(one, is_right) for one, is_right in rows["worded"] if one.by == "model"]
    removed = sum(len(one.dropped) for one, _ in rows["worded"])
    kept = sum(len(one.said) for one, _ in by_model)
    out = {
        "questions": len(drawn),
        "quoted_right": sum(is_right for _, is_right in rows["quoted"]),
        "worded_or_quoted_right": sum(is_right for _, is_right in rows["worded"]),
        "answers_of_the_model": len(by_model),
        "of_those_right": sum(is_right for _, is_right in by_model),
        "sentences_kept": kept,
        "sentences_removed": removed,
        "seconds_each": round(seconds / len(drawn), 2),
    }
    print(out)
    told.out.parent.mkdir(parents=True, exist_ok=True)
    told.out.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TensakuError as error:
        print(f"worded: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
