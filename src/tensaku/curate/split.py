"""The stages that set the exam aside and hand out the rest as lessons."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pydantic

from tensaku import text
from tensaku.config import Section
from tensaku.curate.dedup.edits import nearest_copies
from tensaku.curate.ingest import DROPS, PAIRS
from tensaku.curate.made import MADE, is_made
from tensaku.curate.overlap import fold, forms_seen
from tensaku.curate.rows import JsonlWriter, PairFile
from tensaku.curate.steps import drop
from tensaku.errors import UsageError
from tensaku.records import Drop, Pair
from tensaku.store import Artifact, Bench, SourceFile, stage
from tensaku.text.months import shift

__all__ = ["EXAM", "LESSONS", "Exam", "Guard", "Lessons", "exam", "lessons"]

EXAM = "exam.jsonl"
LESSONS = "lessons.jsonl"
_SPAN = re.compile(r"\s*(\d+)\s*(months?|years?|か月|ヶ月|ヵ月|年)\s*")


class Exam(Section):
    """Which pairs are set aside to examine models by. They are never taught."""

    newest: str = "6 months"
    """How far back from the newest month the exam reaches, as in "6 months" or "1 year"."""

    @pydantic.field_validator("newest")
    @classmethod
    def _is_span(cls, value: str) -> str:
        if not _months(value):
            raise ValueError('must say how many months, as in "6 months"')
        return value


class Lessons(Section):
    """Which pairs are taught."""

    near: float = pydantic.Field(default=0.9, ge=0.5, le=1.0)
    """Likeness to an exam text, 0.5 to 1, from which a text counts as its near-copy."""
    drop_near: bool = False
    """Whether lessons with a near-copy of an exam text on either side are set aside; if not, they are counted only."""
    labels: bool = False
    """Whether finals are labels or other set answers that many pairs share: then drafts alone are held to the exam."""


def _months(span: str) -> int:
    match = _SPAN.fullmatch(span)
    if match is None:
        return 0
    return int(match[1]) * (12 if match[2] in ("year", "years", "年") else 1)


@stage(version=1)
def exam(bench: Bench, cfg: Exam, *, pool: Artifact) -> None:
    """Leave `exam.jsonl`: the pairs of `pool` from its newest months.

    A family that reaches across the border stays in the exam with its new rows; `lessons` sets its old rows aside. A
    pair that was made up is never asked, wherever it comes from.

    Raises:
        UsageError: the pool is empty, or all of it lies within the newest months.
    """
    rows = PairFile(pool.path / PAIRS)
    months = Counter(pair.as_of for pair in rows if not is_made(pair))
    if not months:
        raise UsageError("the pool holds no pairs", where=pool.ref, fix="See its drops.jsonl for why they were dropped")
    last = max(months)
    first = shift(last, 1 - _months(cfg.newest))
    if min(months) >= first:
        raise UsageError(
            f"all pairs lie within the newest {cfg.newest} ({min(months)} to {last}), so none is left to learn from",
            where="[exam] newest",
            fix="Make the span shorter or bring in older pairs",
        )
    old_families: set[str] = set()
    new_families: set[str] = set()
    with JsonlWriter(bench.path / EXAM) as kept:
        for pair in rows:
            if is_made(pair):
                continue
            (new_families if pair.as_of >= first else old_families).add(pair.family)
            if pair.as_of >= first:
                kept.write(pair)
    bench.facts.update(
        n=kept.n,
        months={"first": min(month for month in months if month >= first), "last": last},
        families=len(new_families),
        families_across=len(new_families & old_families),
    )


@stage(version=1)
def lessons(
    bench: Bench,
    cfg: Lessons,
    *,
    pool: Artifact,
    exam: Artifact,
    names: SourceFile | None = None,
    made: Artifact | None = None,
) -> None:
    """Leave `lessons.jsonl`: the pairs of `pool` that are not in `exam` and give none of it away, then those made up.

    Set aside, with reasons in `drops.jsonl`: rows of a family of the exam (`exam-family`), rows whose draft or final
    equals one of the exam but for width, case and white space (`exam-draft`, `exam-final`; the draft alone if finals
    are `labels`) and, if `drop_near`, near-copies (`near-exam`).

    Args:
        names: the file of the house's names (TOML), so that a sentence's form is the same whatever fund it speaks of.
        made: what `synthesize` left; the same is asked of its pairs.

    Raises:
        UsageError: nothing is left to learn from.
    """
    asked = list(PairFile(exam.path / EXAM))
    guard = Guard(asked, labels=cfg.labels)
    taught: list[Pair] = []
    dropped: Counter[str] = Counter()
    with JsonlWriter(bench.path / DROPS) as drops:
        for pair in _given(pool, made):
            found = guard.check(pair)
            if found is None:
                taught.append(pair)
            elif found.reason != "exam":
                dropped[found.reason] += 1
                drops.write(found)
        near = _near(bench, cfg, asked, taught)
        if cfg.drop_near:
            for pair, likeness in zip(taught, near, strict=True):
                if likeness:
                    dropped["near-exam"] += 1
                    drops.write(drop(pair, "near-exam", f"a text is {likeness:.2f} like one of the exam"))
            taught = [pair for pair, likeness in zip(taught, near, strict=True) if not likeness]
    if not taught:
        raise UsageError("no lessons are left", where=pool.ref, fix="Make [exam] newest shorter or bring in more pairs")
    with JsonlWriter(bench.path / LESSONS) as kept:
        for pair in taught:
            kept.write(pair)
    seen = _forms(bench, asked, taught, _names(names))
    months = [pair.as_of for pair in taught]
    bench.facts.update(
        n=kept.n,
        months={"first": min(months), "last": max(months)},
        dropped=dict(sorted(dropped.items())),
        near_copies=sum(likeness > 0 for likeness in near),
        near=cfg.near,
        form_seen_share=round(seen.share, 4),
        forms_seen=seen.seen,
        exam_sentences=seen.sentences,
        **({"made": sum(map(is_made, taught))} if any(map(is_made, taught)) else {}),
        pool={key: pool.facts[key] for key in ("n", "dropped", "steps", "source", "datasheet") if key in pool.facts},
    )


def _given(pool: Artifact, made: Artifact | None) -> Iterator[Pair]:
    yield from PairFile(pool.path / PAIRS)
    if made is not None:
        yield from PairFile(made.file(MADE))


class Guard:
    """Says of a pair why it must not be taught."""

    def __init__(self, asked: Sequence[Pair], *, labels: bool) -> None:
        self.rows = {(pair.id, pair.source) for pair in asked}
        self.families = {pair.family for pair in asked}
        self.drafts = {fold(pair.draft) for pair in asked}
        self.finals = set() if labels else {fold(pair.final) for pair in asked}

    def check(self, pair: Pair) -> Drop | None:
        """Why the pair must not be taught, None if it may."""
        if (pair.id, pair.source) in self.rows:
            return drop(pair, "exam", "it is in the exam")
        if pair.family in self.families:
            return drop(pair, "exam-family", f"its family {pair.family!r} is in the exam")
        if fold(pair.draft) in self.drafts:
            return drop(pair, "exam-draft", "its draft is in the exam")
        if fold(pair.final) in self.finals:
            return drop(pair, "exam-final", "its final is in the exam")
        return None


def _near(bench: Bench, cfg: Lessons, asked: Sequence[Pair], taught: Sequence[Pair]) -> list[float]:
    """For each lesson how like its draft or its final is to one of the exam, 0 if below `cfg.near`."""
    compared = ("draft",) if cfg.labels else ("draft", "final")
    with bench.progress("compare lessons with the exam", len(compared) * len(taught)) as bar:
        sides = [
            nearest_copies(
                [fold(getattr(pair, side)) for pair in taught],
                [fold(getattr(pair, side)) for pair in asked],
                cfg.near,
                bar.advance,
            )
            for side in compared
        ]
    return [max(pair) for pair in zip(*sides, strict=True)]


def _forms(bench: Bench, asked: Sequence[Pair], taught: Sequence[Pair], names: text.Names) -> Any:
    @lru_cache(maxsize=1 << 17)  # what a house publishes repeats itself
    def masked(sentence: str) -> str:
        return text.mask(sentence, names)

    with bench.progress("compare sentence forms", len(asked) + len(taught)) as bar:

        def form(final: str) -> list[str]:
            bar.advance(1)
            return [masked(sentence.text.strip()) for sentence in text.sentences(final)]

        return forms_seen([pair.final for pair in asked], [pair.final for pair in taught], form)


def _names(file: SourceFile | None) -> Mapping[str, Sequence[str]]:
    """The canonical names and their written forms: the table `names` of a TOML file."""
    return {} if file is None else text.names_from(file.path.read_text(encoding="utf-8"), where=str(file.path))
