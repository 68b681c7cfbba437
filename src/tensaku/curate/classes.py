"""The steps that a small classifier makes: whether a final reads like what the desk accepts, its section, its domain.

Nothing is judged by what was learnt from itself: the pool is cut by family into five parts, and each part is judged by
a classifier that has seen the other four.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import pydantic

from tensaku.curate.classifier import Classifier, fold_of
from tensaku.curate.steps import Step, drop
from tensaku.errors import DataError, UsageError
from tensaku.plugins import NamedFile, steps
from tensaku.records import Pair

__all__ = ["domain", "labels", "quality"]

Share = Annotated[float, pydantic.Field(ge=0.0, le=1.0)]
Side = Literal["draft", "final"]
_PARTS = 5
_MOST = 20_000
"""Examples that a classifier learns from; of more, that many are taken evenly."""
_FEW = 50
_AT_ONCE = 512


class _Example(NamedTuple):
    text: str
    name: str
    part: int


class _Judges:
    """A classifier for each part of the pool, learnt from the examples of the others and from those of no part (-1)."""

    def __init__(self, examples: Sequence[_Example], names: Sequence[str]) -> None:
        taken = examples[:: -(-len(examples) // _MOST)] if len(examples) > _MOST else examples
        number = {name: place for place, name in enumerate(names)}

        def learnt(part: int) -> Classifier:
            others = [example for example in taken if example.part != part]
            return Classifier([other.text for other in others], [number[other.name] for other in others], names)

        if all(example.part < 0 for example in taken):
            self._judges = [learnt(0)] * _PARTS
        else:
            self._judges = [learnt(part) for part in range(_PARTS)]

    def shares(self, rows: Iterable[Pair], side: Side) -> Iterator[tuple[Pair, list[float]]]:
        """Each pair with a probability for each name."""
        walk = iter(rows)
        while block := list(islice(walk, _AT_ONCE)):
            found: list[list[float]] = [[]] * len(block)
            parts = [fold_of(pair.family, _PARTS) for pair in block]
            for part, judge in enumerate(self._judges):
                places = [place for place, own in enumerate(parts) if own == part]
                shares = judge.shares([getattr(block[place], side) for place in places])
                for place, share in zip(places, shares.tolist(), strict=True):
                    found[place] = share
            yield from zip(block, found, strict=True)


@steps.register("quality")
def quality(
    rows: Iterable[Pair],
    tally: Counter[str],
    /,
    *,
    least: Share = 0.3,
    learn: Literal["all", "desk"] = "all",
    accepts: NamedFile = "",
) -> Step:
    """Drop pairs whose final reads like what the desk does not publish: `low-quality`.

    The score is the probability, 0 to 1, that a text is one the desk accepts. A classifier learns it from the pool:
    finals were accepted, drafts were not. The tally counts finals by score.

    Args:
        least: the least score that stays.
        learn: "all" learns from every final, "desk" only from those that writers saved at the desk.
        accepts: a JSON Lines file of more examples: { "text": "...", "accepted": true }, or the writers' decisions as
            the stage `decisions` takes them, of which finals were accepted and revisions that writers changed were not.

    Raises:
        UsageError, DataError: the file is not there or is another one; or there is nothing to learn from.
    """
    examples = list(_accepted(Path(accepts).expanduser())) if accepts else []
    for pair in rows:
        part = fold_of(pair.family, _PARTS)
        if learn == "all" or pair.source.startswith("ledger:"):
            examples.append(_Example(pair.final, "accepted", part))
        examples.append(_Example(pair.draft, "not", part))
    counts = Counter(example.name for example in examples)
    if min(counts["accepted"], counts["not"]) < _FEW:
        what = f"there are {counts['accepted']} accepted texts and {counts['not']} others to learn from, not {_FEW}"
        raise UsageError(
            what, where="step 'quality'", fix='Bring in more pairs, say learn = "all", or leave the step out'
        )
    for pair, shares in _Judges(examples, ("not", "accepted")).shares(rows, "final"):
        score = shares[1]
        tally[f"finals scored {min(int(score * 5), 4) / 5:.1f} to {min(int(score * 5), 4) / 5 + 0.2:.1f}"] += 1
        if score < least:
            yield drop(pair, "low-quality", f"the final reads like a text that is not accepted (score {score:.2f})")
        else:
            yield pair


def _accepted(path: Path) -> Iterator[_Example]:
    for number, row in _lines(path, "accepts"):
        if isinstance(row.get("text"), str) and isinstance(row.get("accepted"), bool):
            yield _Example(row["text"], "accepted" if row["accepted"] else "not", -1)
        elif isinstance(row.get("revision"), str) and isinstance(row.get("final"), str):
            yield _Example(row["final"], "accepted", -1)
            if "".join(row["revision"].split()) != "".join(row["final"].split()):
                yield _Example(row["revision"], "not", -1)
        else:
            fix = 'Write { "text": "...", "accepted": true } in each line'
            raise DataError(
                "the line says neither text and accepted nor revision and final", file=path, line=number, fix=fix
            )


def _lines(path: Path, setting: str) -> Iterator[tuple[int, dict[str, Any]]]:
    if not path.is_file():
        raise UsageError("there is no such file", where=path, fix=f"Correct {setting}")
    with path.open(encoding="utf-8-sig", errors="strict") as file:
        number = 0
        try:
            for line in file:
                number += 1
                if line.strip():
                    row = json.loads(line)
                    yield number, row if isinstance(row, dict) else {}
        except ValueError as error:
            raise DataError(f"the line is not JSON in UTF-8 ({error})", file=path, line=number) from None


@steps.register("labels")
def labels(
    rows: Iterable[Pair],
    tally: Counter[str],
    /,
    *,
    field: Literal["section", "manager", "fund"] = "section",
    side: Side = "final",
    unknown: Sequence[str] = ("不明", "unknown"),
    sure: Share = 0.9,
    doubt: Literal["count", "drop"] = "count",
) -> Step:
    """Classify texts by a label of the pool: fill it in where it is unknown, and find where it is unlikely.

    Args:
        field: the label. The pairs that have it are what is learnt from.
        side: the text that is read.
        unknown: values that stand for no value; where the classifier is sure, its own takes their place.
        sure: the least probability of another label, 0 to 1, to fill it in or to doubt what stands there.
        doubt: "count" counts unlikely labels, "drop" sets such pairs aside for people: `unlikely-label`.

    Raises:
        UsageError: fewer than two labels are known.
    """
    examples = [
        _Example(getattr(pair, side), getattr(pair, field), fold_of(pair.family, _PARTS))
        for pair in rows
        if getattr(pair, field) not in unknown
    ]
    names = sorted({example.name for example in examples})
    if len(names) < 2:
        fix = "Leave the step out, or name another field"
        raise UsageError(
            f"the pool knows {len(names)} {field}, two are needed to tell apart", where="step 'labels'", fix=fix
        )
    for pair, shares in _Judges(examples, names).shares(rows, side):
        share = max(shares)
        found, stands = names[shares.index(share)], getattr(pair, field)
        if stands in unknown:
            tally[f"{field} filled in" if share >= sure else f"{field} still unknown"] += 1
            told: dict[str, Any] = {field: found}
            yield replace(pair, **told) if share >= sure else pair
        elif found == stands or share < sure:
            yield pair
        else:
            tally[f"{field} in doubt"] += 1
            if doubt == "count":
                yield pair
            else:
                yield drop(pair, "unlikely-label", f"its {field} is {stands!r}, it reads like {found!r} ({share:.2f})")


@steps.register("domain")
def domain(
    rows: Iterable[Pair],
    tally: Counter[str],
    /,
    *,
    examples: NamedFile,
    keep: Sequence[str] = (),
    side: Side = "final",
) -> Step:
    """Count pairs by what they are about, learnt from examples, and keep those of some domains: `other-domain`.

    Args:
        examples: a JSON Lines file, { "text": "...", "domain": "株式" } in each line.
        keep: the domains that stay; none named: all of them.
        side: the text that is read.

    Raises:
        UsageError: there is no such file, or a domain of `keep` is not in it.
        DataError: a line is another one, or there are fewer than two domains.
    """
    path = Path(examples).expanduser()
    learnt = []
    for number, row in _lines(path, "examples"):
        if not isinstance(row.get("text"), str) or not isinstance(row.get("domain"), str):
            fix = 'Write { "text": "...", "domain": "..." } in each line'
            raise DataError("the line has no text and domain", file=path, line=number, fix=fix)
        learnt.append(_Example(row["text"], row["domain"], -1))
    names = sorted({example.name for example in learnt})
    if len(names) < 2:
        raise DataError(f"it names {len(names)} domains, two are needed to tell apart", file=path)
    for name in keep:
        if name not in names:
            raise UsageError(
                f"no example is of the domain {name!r}", where="step 'domain'", fix=f"There is: {', '.join(names)}"
            )
    for pair, shares in _Judges(learnt, names).shares(rows, side):
        found = names[shares.index(max(shares))]
        tally[f"{side}s about {found}"] += 1
        if keep and found not in keep:
            yield drop(pair, "other-domain", f"the {side} is about {found} ({max(shares):.2f})")
        else:
            yield pair
