"""What the small classifier and the model of meaning tell apart on the sample desk.

    python -m benchmarks.curate.told_apart [--pairs 90]

The classifier is asked about families that it has not seen, in three parts. The model of meaning is asked about the
first pairs whose family has more than one: a couple of one family says the same, any other does not.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tensaku.curate.alike import figures_of
from tensaku.curate.classifier import Classifier, fold_of
from tensaku.models.embed import Local
from tensaku.records import Pair
from tensaku.sampledesk import folder

PARTS = 3
LIKENESS = (0.93, 0.95, 0.97, 0.98)


def sample() -> list[Pair]:
    """The sample desk's pairs."""
    return [Pair(**json.loads(line)) for line in (folder() / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]


def labels(pairs: list[Pair], field: str) -> float:
    """The share of drafts whose label is told rightly."""
    names = sorted({getattr(pair, field) for pair in pairs})
    right = 0
    for part in range(PARTS):
        learnt = [pair for pair in pairs if fold_of(pair.family, PARTS) != part]
        asked = [pair for pair in pairs if fold_of(pair.family, PARTS) == part]
        judge = Classifier([p.draft for p in learnt], [names.index(getattr(p, field)) for p in learnt], names)
        told = judge.shares([pair.draft for pair in asked]).argmax(axis=1)
        right += sum(names[int(place)] == getattr(pair, field) for place, pair in zip(told, asked, strict=True))
    return right / len(pairs)


def quality(pairs: list[Pair]) -> float:
    """Of all couples of a final and a draft the share whose final scores higher."""
    scores: dict[str, list[float]] = {"draft": [], "final": []}
    for part in range(PARTS):
        learnt = [pair for pair in pairs if fold_of(pair.family, PARTS) != part]
        texts = [pair.final for pair in learnt] + [pair.draft for pair in learnt]
        judge = Classifier(texts, [1] * len(learnt) + [0] * len(learnt), ("not", "accepted"))
        for side, held in scores.items():
            asked = [getattr(pair, side) for pair in pairs if fold_of(pair.family, PARTS) == part]
            held += judge.shares(asked)[:, 1].tolist()
    return float((np.array(scores["final"])[:, None] > np.array(scores["draft"])[None]).mean())


def meaning(pairs: list[Pair]) -> None:
    """Print the couples that reach each likeness on both sides: right and wrong, with equal figures and with any."""
    model = Local()
    sides: list[NDArray[np.float32]] = []
    for side in ("draft", "final"):
        rows = model.passages([getattr(pair, side) for pair in pairs])
        sides.append(rows @ rows.T)
    both = np.minimum(*sides)
    for likeness in LIKENESS:
        found: Counter[str] = Counter()
        for one, two in combinations(range(len(pairs)), 2):
            if both[one, two] >= likeness:
                kind = "right" if pairs[one].family == pairs[two].family else "wrong"
                found[f"{kind}, any figures"] += 1
                found[f"{kind}, same figures"] += figures_of(pairs[one], "both") == figures_of(pairs[two], "both")
        print(json.dumps({"likeness": likeness, **dict(sorted(found.items()))}))


def main() -> None:
    """Print a line a question."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=90)
    given = options.parse_args()
    pairs = sample()
    for field in ("section", "manager", "fund"):
        print(json.dumps({"label": field, "right": labels(pairs, field)}))
    print(json.dumps({"finals above drafts": quality(pairs)}), flush=True)
    families = Counter(pair.family for pair in pairs)
    meaning([pair for pair in pairs if families[pair.family] > 1][: given.pairs])


if __name__ == "__main__":
    main()
