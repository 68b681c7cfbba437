"""The stage `judge`: a model compares the candidates' outputs two by two, always in both orders, and grades each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import sqrt
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import pydantic

from tensaku import text
from tensaku.config import Section
from tensaku.engines.asks import Asked, ask_all
from tensaku.engines.consent import check_consent, leaves_the_house
from tensaku.evaluate.agreement import agreement, by_voter
from tensaku.evaluate.decoding import opener
from tensaku.evaluate.entries import Entry, read_row
from tensaku.evaluate.inputs import exam_pairs
from tensaku.evaluate.judging import Answers, grade, rubric, schema, verdict, versus
from tensaku.evaluate.reading import likelier, read_outputs
from tensaku.evaluate.scorers import language_of_texts
from tensaku.evaluate.votes import Vote
from tensaku.records import Pair
from tensaku.store import Artifact, Bench, SourceFile, stage

__all__ = ["NEARER", "Judge", "Judging", "judge", "nearer", "share", "side_bias"]

NEARER = "nearer to the reference"
"""The voter that always prefers the output with fewer key strokes to the reference: not a person, a yardstick."""
_SEPARATOR = "\x1f"


class _Asking(Section):
    """What both sections say of the judge."""

    engine: dict[str, Any] = pydantic.Field(default_factory=dict)
    """The engine that judges, as in { engine = "openai", url = "http://host:8000/v1" }; empty: there is no judge."""
    consent: str = ""
    """Who allowed, and when, that drafts and outputs leave this machine: needed if the engine is elsewhere."""
    sample: int = pydantic.Field(30, ge=0)
    """How many drafts, evenly over the exam, are judged; 0: all. Each takes two questions for every two candidates."""
    answers: Literal["reason", "choice", "likelihood"] = "reason"
    """`reason`: a sentence of reason, then the verdict. `choice`: the verdict alone, held to a JSON schema, so that a
    small model gives one too. `likelihood`: none is asked for; what the model of [base] holds likelier is the better
    output (no `engine`, no grades)."""
    rubric: bool = True
    """Whether each output is also graded by itself, from 1 to 5."""
    itself: tuple[str, ...] = ()
    """Candidates that the judge's own model wrote: its preference for them is measured."""
    max_tokens: int = pydantic.Field(200, ge=8, le=4096)
    """Longest answer of the judge."""
    at_once: int = pydantic.Field(8, ge=1, le=256)
    """Questions asked at the same time."""

    @pydantic.model_validator(mode="after")
    def _reads_with_the_base(self) -> Self:
        if self.answers == "likelihood" and self.engine:
            raise ValueError("takes no engine where answers is likelihood: the model of [base] reads")
        return self

    @property
    def there(self) -> bool:
        """Whether there is a judge at all."""
        return bool(self.engine) or self.answers == "likelihood"

    @property
    def asks(self) -> Answers:
        """How a judge that is asked answers."""
        return "choice" if self.answers == "choice" else "reason"


class Judge(_Asking):
    """A model that compares candidates two by two, in both orders."""


class Judging(_Asking):
    """The judge with the candidates that it compares."""

    entries: tuple[Entry, ...]
    """Every candidate that answered."""


@stage(version=2)
def judge(
    bench: Bench,
    cfg: Judging,
    *,
    exam: Artifact,
    base: Artifact,
    instruction: SourceFile,
    candidates: Mapping[str, Artifact],
) -> None:
    """Leave `judge.json`, `votes.jsonl` (a line a verdict) and `said.jsonl` (every answer of the judge, word for word).

    The untouched draft always takes part. An answer without one plain verdict is counted and not used.

    Args:
        base: the model that the engine is opened on, or that reads; one at another address may pass it by.
        candidates: by the name of each entry, what `evaluate` or `examine` left.

    Facts: `verdicts`, `unusable` (answers without one), `left_share` (of the verdicts that are no ties, those for the
    left one: 0.5 is without bias), `consistent` (share of comparisons with the same winner in both orders), `sent_to`.

    Raises:
        UsageError: outputs would leave this machine without consent, or are of another exam.
        EngineError: the judge failed; what it said before is kept, and the next run goes on from there.
    """
    check_consent(cfg.engine, cfg.consent, where="[judge] consent")
    pairs = exam_pairs(exam)
    texts = {"draft": [pair.draft for pair in pairs]}
    for entry in cfg.entries:
        answers = read_row(candidates[entry.name], entry, pairs, {}).answers
        texts[entry.name] = [answers[number].text for number in range(len(pairs))]
    numbers = _sample(len(pairs), cfg.sample)
    task = instruction.path.read_text(encoding="utf-8").strip()
    by_item = {pair.id: {name: held[n] for name, held in texts.items()} for n, pair in enumerate(pairs)}
    grades: dict[str, list[int]] = {}
    ungraded = Counter[str]()
    if cfg.answers == "likelihood":
        readings = read_outputs(bench, base.path, task, {n: pairs[n] for n in numbers}, texts)
        votes, unusable = likelier(readings, by_item, "judge")
        _write_lines(bench.path / "said.jsonl", (reading._asdict() for reading in readings))
    else:
        questions = list(_questions(cfg, task, pairs, texts, numbers))
        said = _said(bench, cfg, questions, base.path)
        votes, unusable = _votes(said, cfg.asks)
        grades, ungraded = _grades(said, cfg.asks)
        _write_lines(bench.path / "said.jsonl", ({"key": key.split(_SEPARATOR), **held} for key, held in said.items()))
    _write_lines(bench.path / "votes.jsonl", (vote._asdict() for vote in votes))
    near = nearer(votes, by_item, {pair.id: pair.final for pair in pairs})
    found: dict[str, Any] = {
        "engine": {key: value for key, value in cfg.engine.items() if "key" not in key},
        "answers": cfg.answers,
        "contestants": list(texts),
        "items": len(numbers),
        "questions": len(votes) + sum(unusable.values()) + sum(map(len, grades.values())) + sum(ungraded.values()),
        "verdicts": len(votes),
        "unusable": dict(unusable),
        "bias": side_bias(votes) if cfg.answers != "likelihood" else _without_sides(votes),
        "itself": [own_share(votes, near, name) for name in cfg.itself if name in texts],
        "nearer": agreement([*votes, *near]).plain(),
        "grades": {name: _graded(held) for name, held in grades.items()},
        "ungraded": dict(ungraded),
    }
    (bench.path / "judge.json").write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    bias = found["bias"]
    bench.facts.update(
        verdicts=len(votes), unusable=sum(unusable.values()), left_share=bias["left"]["share"],
        consistent=bias["consistent"]["share"], consent=cfg.consent, sent_to=leaves_the_house(cfg.engine),
    )  # fmt: skip


def _sample(n: int, wanted: int) -> list[int]:
    """`wanted` numbers below `n` at even distances, or all."""
    if wanted == 0 or wanted >= n:
        return list(range(n))
    numbers: list[int] = np.linspace(0, n - 1, wanted).round().astype(int).tolist()
    return numbers


def _questions(
    cfg: Judging, task: str, pairs: Sequence[Pair], texts: Mapping[str, Sequence[str]], numbers: Sequence[int]
) -> Iterator[Asked]:
    """Every two candidates in both orders, item by item; two equal outputs need no judge."""
    by = cfg.asks
    language: Literal["ja", "en"] = "ja" if language_of_texts([pair.final for pair in pairs]) == "ja" else "en"
    for n in numbers:
        pair = pairs[n]
        for one, two in combinations(texts, 2):
            if texts[one][n] == texts[two][n]:
                continue
            for left, right in ((one, two), (two, one)):
                words = versus(task, pair, texts[left][n], texts[right][n], language, by)
                yield Asked(_SEPARATOR.join((pair.id, left, right)), words, schema("versus", by))
        if cfg.rubric:
            for name in texts:
                words = rubric(task, pair, texts[name][n], language, by)
                yield Asked(_SEPARATOR.join((pair.id, name)), words, schema("rubric", by))


def _said(bench: Bench, cfg: Judging, questions: list[Asked], folder: Path) -> Mapping[str, dict[str, str]]:
    """What the judge said to each question, that of a killed run taken up again."""
    return ask_all(bench, "judge", lambda: opener()(cfg.engine, folder), questions, cfg.max_tokens, cfg.at_once)


def _votes(said: Mapping[str, Mapping[str, str]], by: Answers) -> tuple[list[Vote], Counter[str]]:
    votes, unusable = [], Counter[str]()
    for key, held in said.items():
        parts = key.split(_SEPARATOR)
        if len(parts) == 3:
            decided = verdict(held["text"], by)
            if decided is None:
                unusable[_why(held, "no plain verdict")] += 1
            else:
                votes.append(Vote(parts[1], parts[2], decided, parts[0], "judge"))
    return votes, unusable


def _grades(said: Mapping[str, Mapping[str, str]], by: Answers) -> tuple[dict[str, list[int]], Counter[str]]:
    grades: dict[str, list[int]] = {}
    ungraded = Counter[str]()
    for key, held in said.items():
        parts = key.split(_SEPARATOR)
        if len(parts) == 2:
            given = grade(held["text"], by)
            grades.setdefault(parts[1], [])
            if given is None:
                ungraded[_why(held, "no plain grade")] += 1
            else:
                grades[parts[1]].append(given)
    return grades, ungraded


def _why(held: Mapping[str, str], otherwise: str) -> str:
    if held["finish"] == "too long":
        return "question longer than the context"
    return "empty" if not held["text"].strip() else "cut off" if held["finish"] == "length" else otherwise


def _graded(grades: Sequence[int]) -> dict[str, Any]:
    """Mean with its 95 % interval (normal approximation), and how often each grade was given."""
    n = len(grades)
    if not n:
        return {"n": 0, "mean": None, "low": None, "high": None, "given": [0] * 5}
    mean = sum(grades) / n
    error = 1.96 * float(np.std(grades, ddof=1)) / sqrt(n) if n > 1 else None
    low, high = (None, None) if error is None else (max(1.0, mean - error), min(5.0, mean + error))
    return {"n": n, "mean": mean, "low": low, "high": high, "given": [grades.count(g) for g in range(1, 6)]}


class _Share(NamedTuple):
    k: int
    n: int
    share: float | None
    low: float | None
    high: float | None


def share(k: int, n: int) -> dict[str, Any]:
    """`k` of `n` as a share with its 95 % interval (Wilson 1927); None without any."""
    if n == 0:
        return _Share(0, 0, None, None, None)._asdict()
    z = 1.959963984540054
    p, scale = k / n, 1 + z * z / n
    middle, half = (p + z * z / (2 * n)) / scale, z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale
    return _Share(k, n, p, max(0.0, middle - half), min(1.0, middle + half))._asdict()


def side_bias(votes: Sequence[Vote]) -> dict[str, Any]:
    """How far votes depend on the side where a candidate stood.

    `left`: of the votes that are no ties, those for the left one (0.5 is without bias). Of the comparisons seen in
    both orders: `consistent` (the same winner, or a tie twice), `by_side` (the same side won twice); what is left over
    is a tie in one order only. `ties`: share of all votes.
    """
    decided = [vote for vote in votes if vote.winner != "tie"]
    held: dict[tuple[str, str, str], dict[str, str]] = {}
    for vote in votes:
        first, second = sorted((vote.left, vote.right))
        said = {"left": vote.left, "right": vote.right, "tie": "tie"}[vote.winner]
        held.setdefault((vote.by + _SEPARATOR + vote.item, first, second), {})[vote.left] = said
    both = [said for said in held.values() if len(said) == 2]
    consistent = sum(len(set(said.values())) == 1 for said in both)
    by_side = sum("tie" not in said.values() and len(set(said.values())) == 2 for said in both)
    return {
        "left": share(sum(vote.winner == "left" for vote in decided), len(decided)),
        "consistent": share(consistent, len(both)),
        "by_side": share(by_side, len(both)),
        "ties": share(len(votes) - len(decided), len(votes)),
    }


def _without_sides(votes: Sequence[Vote]) -> dict[str, Any]:
    """The bias of a judge that knows no sides: only its ties can be told."""
    return {**dict.fromkeys(("left", "consistent", "by_side"), share(0, 0)), "ties": side_bias(votes)["ties"]}


def nearer(votes: Sequence[Vote], texts: Mapping[str, Mapping[str, str]], references: Mapping[str, str]) -> list[Vote]:
    """For every comparison in `votes`, which output is fewer key strokes from the reference.

    Args:
        texts: item -> candidate -> its output.
        references: item -> the published text.
    """
    strokes: dict[tuple[str, str], int] = {}

    def far(item: str, name: str) -> int:
        if (item, name) not in strokes:
            strokes[item, name] = text.strokes(texts[item][name], references[item])
        return strokes[item, name]

    found = []
    for item, one, two in sorted({(vote.item, *sorted((vote.left, vote.right))) for vote in votes}):
        a, b = far(item, one), far(item, two)
        found.append(Vote(one, two, "tie" if a == b else "left" if a < b else "right", item, NEARER))
    return found


def own_share(votes: Sequence[Vote], yardstick: Sequence[Vote], name: str) -> dict[str, Any]:
    """How often the judge prefers what its own model wrote, beside how often the yardstick does, on the same items."""
    judged, measured = (next(iter(by_voter(said).values()), {}) for said in (votes, yardstick))
    common = [key for key in judged if name in key[1:] and "tie" not in (judged[key], measured.get(key, "tie"))]
    ours, theirs = (sum(said[key] == name for key in common) for said in (judged, measured))
    n = len(common)
    return {
        "name": name, "judge": share(ours, n), "yardstick": share(theirs, n),
        "preference": (ours - theirs) / n if n else None,
    }  # fmt: skip


def _write_lines(path: Path, values: Iterator[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for value in values:
            file.write(json.dumps(value, ensure_ascii=False) + "\n")
