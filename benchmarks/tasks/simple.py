"""What a classifier without a language model makes of a task of labels: how hard is the task?

    python benchmarks/tasks/simple.py FOLDER

FOLDER is a workspace that prepare.py made. Softmax regression over runs of one to three characters
(`tensaku.curate.classifier`) learns from the very lessons that a model is tuned by, and answers the same exam.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tensaku.curate.classifier import Classifier
from tensaku.evaluate import Texts
from tensaku.evaluate.scoring import measure_rows
from tensaku.plugins import scorers

RESAMPLES, SEED = 1000, 1


def main(folder: Path) -> None:
    """Print both averages of F1 with their intervals, beside the most frequent answer alone."""
    with (folder / "data" / "pairs.jsonl").open(encoding="utf-8") as file:
        pairs = [json.loads(line) for line in file]
    newest = max(pair["as_of"] for pair in pairs)
    lessons, exam = ([pair for pair in pairs if (pair["as_of"] == newest) == asked] for asked in (False, True))
    names = sorted({pair["final"] for pair in lessons})
    learnt = Classifier(
        [pair["draft"] for pair in lessons], [names.index(pair["final"]) for pair in lessons], names, SEED
    )
    drafts, wanted = ([pair[side] for pair in exam] for side in ("draft", "final"))
    made = [names[best] for best in learnt.shares(drafts).argmax(axis=1)]
    usual = max(sorted(set(wanted)), key=wanted.count)
    families = [pair["family"] for pair in exam]
    rows = {
        "majority": Texts(drafts, [usual] * len(exam), wanted, families),
        "characters": Texts(drafts, made, wanted, families),
    }
    for average in ("macro", "micro"):
        scorer = scorers.build({"scorer": "f1", "average": average})()
        found = measure_rows(f"f1-{average}", scorer, rows, RESAMPLES, SEED)
        for row, score in found.scores.items():
            print(f"{score.scorer} {row}: {score.value:.1f} ({score.low:.1f}-{score.high:.1f}), n {score.n}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
