"""The steps that keep pairs clear of an exam, and that blend sources by weight."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import pydantic

from tensaku.curate.dedup.contained import Known
from tensaku.curate.steps import By, Step, drop, one_by_one
from tensaku.errors import DataError, UsageError
from tensaku.plugins import NamedFile, steps
from tensaku.records import Pair

__all__ = ["blend", "decontaminate"]


@steps.register("decontaminate")
@one_by_one
def decontaminate(
    rows: Iterable[Pair],
    tally: Counter[str],
    /,
    *,
    exam: NamedFile,
    run: Annotated[int, pydantic.Field(ge=5)] = 30,
    share: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.5,
) -> Step:
    """Drop pairs that an exam shares text with: `in-exam`. The desk's own exam is set aside by `lessons` already.

    Args:
        exam: a JSON Lines file; every text in it counts, whatever its fields are called.
        run: characters that must be equal in a row, width, case and white space aside.
        share: how much of a side must lie in such runs, 0 to 1.

    Raises:
        UsageError: there is no such file.
        DataError: it is no JSON Lines file, or holds no text of `run` characters.
    """
    known = Known(_texts(Path(exam).expanduser()), run)
    if not known:
        raise DataError(f"no text in it has {run} characters", file=exam, fix="Make run smaller")
    for pair in rows:
        found = {side: known.share(text) for side, text in (("draft", pair.draft), ("final", pair.final))}
        tally["pairs that share a run"] += any(found.values())
        side = max(found, key=lambda side: found[side])
        if found[side] >= share:
            yield drop(pair, "in-exam", f"{found[side]:.0%} of the {side} stands in {Path(exam).name}")
        else:
            yield pair


def _texts(path: Path) -> list[str]:
    if not path.is_file():
        raise UsageError("there is no such exam", where=path, fix="Correct exam in step 'decontaminate'")
    texts: list[str] = []
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line in file:
                number += 1
                if line.strip():
                    values = json.loads(line)
                    held = values.values() if isinstance(values, dict) else [values]
                    texts += [value for value in held if isinstance(value, str)]
    except ValueError as error:
        raise DataError(f"the line is not JSON ({error})", file=path, line=number) from None
    return texts


@steps.register("blend")
def blend(
    rows: Iterable[Pair],
    tally: Counter[str],
    /,
    *,
    weights: dict[str, float],
    by: By = "source",
    seed: int = 0,
    order: Literal["kept", "shuffled"] = "shuffled",
) -> Step:
    """Blend sources by weight: as many pairs as keep the proportions and repeat none; the rest is `blended-out`.

    Args:
        weights: name -> its share, in any unit; a name that is not in it is left out whole.
        by: what the names are: files, or a label.
        seed: chooses and shuffles.

    Raises:
        UsageError: a weight is not above 0, or no pair has a name of `weights`.
    """
    if not weights or min(weights.values()) <= 0:
        raise UsageError(
            "weights must be above 0", where="step 'blend'", fix='Say weights = { "a.csv" = 2, "b.csv" = 1 }'
        )
    places: dict[str, list[int]] = {name: [] for name in weights}
    count = 0
    for place, pair in enumerate(rows):
        count += 1
        name = pair.source.rpartition(":")[0] if by == "source" else str(getattr(pair, by))
        if name in places:
            places[name].append(place)
    empty = [name for name, held in places.items() if not held]
    if empty and count:
        raise UsageError(f"no pair has the {by} {empty[0]!r}", where="step 'blend'", fix="Correct the name in weights")
    unit = min((len(held) / weights[name] for name, held in places.items()), default=0.0)
    dice = random.Random(seed)  # noqa: S311  seeded by design
    kept: set[int] = set()
    for name in sorted(places):
        kept.update(dice.sample(places[name], round(unit * weights[name])))
        tally[f"taken of {name}"] += round(unit * weights[name])
    held_back = []
    for place, pair in enumerate(rows):
        if place not in kept:
            yield drop(pair, "blended-out", "its source has more pairs than its weight asks for")
        elif order == "kept":
            yield pair
        else:
            held_back.append(pair)
    dice.shuffle(held_back)
    yield from held_back
