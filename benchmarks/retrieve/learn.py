"""Learn the weights of the last step of search, and of how sure it is, from questions whose paragraph is known.

    python -m benchmarks.retrieve.learn DATA [DATA ...] [--held DATA] [--write]

DATA are files in JSQuAD's form: questions and paragraphs of articles that are not those of the test. Each question is
asked twice, once with its paragraph and once with it hidden (by rights, so that nothing of it counts). The order is
learnt by the softmax over a question's candidates (Cao and others, Learning to Rank: From Pairwise Approach to Listwise
Approach, 2007), how sure it is by logistic regression over the best candidates. `--held` judges on another file,
`--write` puts the weights into src/tensaku/retrieve/weights.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.retrieve.jsquad import Hiding, lay_out, paths_of, read
from benchmarks.retrieve.remembering import Remembering
from numpy.typing import NDArray

import tensaku.retrieve
from tensaku.errors import TensakuError
from tensaku.models.embed import Embedder, Local
from tensaku.retrieve.indexing import Collection, index
from tensaku.retrieve.rank import FEATURES
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.search import Candidates, Searcher
from tensaku.retrieve.snapshot import open_current

Floats = NDArray[np.floating[Any]]
WEIGHTS = Path(tensaku.retrieve.__file__).parent / "weights.json"
VECTORS = ("near", "about", "second", "by_vectors")
RELATIVE = ("words", "pairs", "phrases", "by_words", "by_vectors")
"""Features that tell one candidate from another and nothing of whether any of them answers."""
DEEP = 30


@dataclass
class Asked:
    """The candidates of some questions: `known` (questions, 30, features), how many each has, where its paragraph is
    among them (-1: nowhere), and the same with the paragraph hidden.
    """

    known: Floats
    sizes: NDArray[np.int64]
    gold: NDArray[np.int64]
    hidden: Floats
    hidden_sizes: NDArray[np.int64]

    def without(self, names: tuple[str, ...]) -> Asked:
        """The same with some features always 0."""
        kept = np.asarray([name not in names for name in FEATURES], float)
        return Asked(self.known * kept, self.sizes, self.gold, self.hidden * kept, self.hidden_sizes)


def ask(path: Path, work: Path, embedder: Embedder) -> Asked:
    """Index a file's paragraphs, ask its questions. A killed run goes on with what it left in `work`."""
    kept, course = work / f"{path.stem}.asked.npz", read(path)
    rows: dict[str, list[Any]] = {name: [] for name in Asked.__dataclass_fields__}
    if kept.is_file():
        rows = {name: list(values) for name, values in np.load(kept).items()}
    if len(rows["gold"]) == len(course.questions):
        return Asked(**{name: np.asarray(values) for name, values in rows.items()})
    embedder = Remembering(embedder, work / f"{path.stem}.questions.npz")
    folder = work / path.stem
    lay_out(course, folder / "docs")
    index([Collection("jsquad", folder / "docs")], folder / "index", embedder, size=10_000)
    paths = paths_of(course)
    embedder.learn(course.questions)
    hiding = Hiding(frozenset(paths))
    searcher = Searcher(folder / "index", embedder, Rights(None, {"jsquad": hiding}))
    snapshot = open_current(folder / "index")
    numbers = {snapshot.documents[int(d)]["path"]: number for number, d in enumerate(snapshot.document_of)}
    for question, gold in list(zip(course.questions, course.gold, strict=True))[len(rows["gold"]) :]:
        hiding.path = ""
        found = searcher.candidates(question)
        hiding.path = paths[gold]
        hidden = searcher.candidates(question)
        at = list(found.at[:DEEP])
        want = numbers[paths[gold]]
        rows["gold"].append(at.index(want) if want in at else -1)
        for name, one in (("known", found), ("hidden", hidden)):
            rows[name].append(_filled(one))
        rows["sizes"].append(len(at))
        rows["hidden_sizes"].append(min(len(hidden.at), DEEP))
        if len(rows["gold"]) % 200 == 0 or len(rows["gold"]) == len(course.questions):
            np.savez(kept, **{name: np.asarray(values) for name, values in rows.items()})  # type: ignore[arg-type]
    return Asked(**{name: np.asarray(values) for name, values in rows.items()})


def _filled(found: Candidates) -> NDArray[np.float32]:
    out = np.zeros((DEEP, len(FEATURES)), np.float32)
    out[: len(found.at)] = found.known[:DEEP]
    return out


def joined(parts: list[Asked]) -> Asked:
    """Several files as one."""
    return Asked(*(np.concatenate([getattr(p, name) for p in parts]) for name in Asked.__dataclass_fields__))


class Net:
    """What `tensaku.retrieve.rank.Net` computes, with its gradient."""

    def __init__(self, rows: Floats, units: int, seed: int, used: NDArray[np.bool_]) -> None:
        self.mean, spread = rows.mean(axis=0), rows.std(axis=0)
        self.scale = np.where(used & (spread > 1e-9), 1 / np.maximum(spread, 1e-9), 0.0)
        self.units, self.n = units, rows.shape[1]
        drawn = np.random.default_rng(seed)
        first = drawn.standard_normal((self.n, units)) / np.sqrt(self.n)
        out = drawn.standard_normal(units or self.n) * 0.1
        self.start = np.concatenate([first.ravel(), np.zeros(units + 1), out])

    def parts(self, w: Floats) -> tuple[Floats, Floats, Floats]:
        at = self.n * self.units
        return w[:at].reshape(self.n, self.units), w[at : at + self.units + 1], w[at + self.units + 1 :]

    def run(self, w: Floats, rows: Floats) -> tuple[Floats, Floats, Floats]:
        """Scores, units, standardised rows."""
        hidden, bias, out = self.parts(w)
        x = (rows - self.mean) * self.scale
        units = np.tanh(x @ hidden + bias[:-1]) if self.units else x
        return units @ out + bias[-1], units, x

    def back(self, w: Floats, grad: Floats, units: Floats, x: Floats) -> Floats:
        """The gradient by the weights from that by the scores."""
        _, _, out = self.parts(w)
        g = grad.reshape(-1)
        flat, rows = units.reshape(len(g), -1), x.reshape(len(g), -1)
        if not self.units:
            return np.concatenate([[g.sum()], flat.T @ g])
        inner = g[:, None] * out * (1 - flat**2)
        return np.concatenate([(rows.T @ inner).ravel(), inner.sum(axis=0), [g.sum()], flat.T @ g])

    def told(self, w: Floats) -> dict[str, Any]:
        """As weights.json holds it."""
        hidden, bias, out = self.parts(w)
        made = {"mean": self.mean, "scale": self.scale, "hidden": hidden, "bias": bias, "out": out}
        return {name: np.round(values, 5).tolist() for name, values in made.items()}


def descended(loss: Callable[[Floats], tuple[float, Floats]], start: Floats, steps: int = 500) -> Floats:
    """Where a loss with its gradient leads: Adam (Kingma and Ba, 2015) over all questions, the steps dying away."""
    w, first, second = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for step in range(1, steps + 1):
        _, grad = loss(w)
        first, second = 0.9 * first + 0.1 * grad, 0.999 * second + 0.001 * grad**2
        rate = 0.03 * (1 + np.cos(np.pi * step / steps)) / 2
        w -= rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return w


def learn_order(asked: Asked, units: int, decay: float, used: NDArray[np.bool_], seed: int = 0) -> tuple[Net, Floats]:
    """Weights under which the right paragraph gets the largest share of a question's softmax."""
    has = asked.gold >= 0
    rows, gold = asked.known[has].astype(float), asked.gold[has]
    there = np.arange(rows.shape[1]) < asked.sizes[has][:, None]
    net, at = Net(rows[there], units, seed, used), np.arange(len(gold))

    def loss(w: Floats) -> tuple[float, Floats]:
        scores, hidden, x = net.run(w, rows)
        scores = np.where(there, scores, -1e9)
        scores -= scores.max(axis=1, keepdims=True)
        share = np.exp(scores)
        share /= share.sum(axis=1, keepdims=True)
        grad = share.copy()
        grad[at, gold] -= 1
        value = -np.log(np.maximum(share[at, gold], 1e-12)).mean() + decay * float(w @ w)
        return value, net.back(w, grad / len(gold), hidden, x) + 2 * decay * w

    return net, descended(loss, net.start)


def best_of(net: Net, w: Floats, known: Floats, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The candidate put first of each question."""
    scores = net.run(w, known.astype(float))[0]
    return np.asarray(np.where(np.arange(known.shape[1]) < sizes[:, None], scores, -1e9).argmax(axis=1))


def learn_sure(
    asked: Asked, order: tuple[Net, Floats], units: int, decay: float, used: NDArray[np.bool_]
) -> tuple[Net, Floats]:
    """Weights under which a best candidate that answers and one that does not are told apart."""
    rows, answers = answerable(asked, order)
    net = Net(rows, units, 0, used)

    def loss(w: Floats) -> tuple[float, Floats]:
        scores, hidden, x = net.run(w, rows)
        value = np.logaddexp(0, np.where(answers, -scores, scores)).mean() + decay * float(w @ w)
        grad = 1 / (1 + np.exp(-scores)) - answers
        return float(value), net.back(w, grad / len(rows), hidden, x) + 2 * decay * w

    return net, descended(loss, net.start)


def answerable(asked: Asked, order: tuple[Net, Floats]) -> tuple[Floats, NDArray[np.bool_]]:
    """The best candidates, with and without the right paragraph there, and which are which."""
    every = []
    for known, sizes in ((asked.known, asked.sizes), (asked.hidden, asked.hidden_sizes)):
        every.append(known[np.arange(len(known)), best_of(*order, known, sizes)].astype(float))
    return np.concatenate(every), np.arange(2 * len(asked.known)) < len(asked.known)


def judged(asked: Asked, order: tuple[Net, Floats], sure: tuple[Net, Floats]) -> dict[str, Any]:
    """Recall at 1; and of the questions that cannot be answered how many are told, where 94 % of the others are."""
    recall = float((best_of(*order, asked.known, asked.sizes) == asked.gold).mean() * 100)
    rows, answers = answerable(asked, order)
    scores = sure[0].run(sure[1], rows)[0]
    line = np.quantile(scores[answers], 0.061)
    return {
        "recall1": round(recall, 2),
        "told_at_94": round(float((scores[~answers] < line).mean()), 3),
        "at": round(float(1 / (1 + np.exp(-line))), 3),
    }


def main(argv: list[str] | None = None) -> int:
    """Learn, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--held", type=Path)
    parser.add_argument("--units", type=int, default=0)
    parser.add_argument("--decay", type=float, default=3e-3)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--work", type=Path, help="keep indexes and answers here")
    told = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        work, embedder = told.work or Path(temporary), Local()
        work.mkdir(parents=True, exist_ok=True)
        taught = joined([ask(path, work, embedder) for path in told.data])
        held = ask(told.held, work, embedder) if told.held else None
    nets: dict[str, Any] = {}
    for suffix, gone in (("", ()), (" without vectors", VECTORS)):
        used = np.asarray([name not in gone for name in FEATURES])
        own = taught.without(gone)
        order = learn_order(own, told.units, told.decay, used)
        absolute = used & np.asarray([name not in RELATIVE for name in FEATURES])
        sure = learn_sure(own, order, told.units, told.decay, absolute)
        print(f"taught{suffix}: {judged(own, order, sure)}")
        if held is not None:
            print(f"held{suffix}: {judged(held.without(gone), order, sure)}")
        nets |= {f"order{suffix}": order[0].told(order[1]), f"sure{suffix}": sure[0].told(sure[1])}
    if told.write:
        made = {"features": FEATURES, "questions": len(taught.gold), "nets": nets}
        WEIGHTS.write_text(json.dumps(made) + "\n", encoding="utf-8")
        print(WEIGHTS)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TensakuError as error:
        print(f"learn: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
