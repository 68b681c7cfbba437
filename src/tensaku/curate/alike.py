"""The steps that find pairs which are nearly the same as others, or stand within them."""

from __future__ import annotations

import re
import shutil
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from tensaku.curate.dedup import Links, Plan, components, near_links, shingles
from tensaku.curate.dedup.contained import covers
from tensaku.curate.dedup.near import BLOCK
from tensaku.curate.dedup.shelf import ShingleShelf
from tensaku.curate.dedup.shingles import Unit
from tensaku.curate.overlap import fold
from tensaku.curate.shards import Shards
from tensaku.curate.steps import Step, drop
from tensaku.plugins import steps
from tensaku.records import Pair

__all__ = ["contained", "figures_of", "near_duplicates"]

Share = Annotated[float, pydantic.Field(ge=0.3, le=1.0)]
Run = Annotated[int, pydantic.Field(ge=5, le=10_000)]
IN_MEMORY = 100_000
"""Pairs of which all is kept in memory while they are compared, some 2 KB each; of more it is kept in files."""
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")


@steps.register("near-duplicates")
def near_duplicates(
    rows: Iterable[Pair],
    tally: Counter[str],
    /,
    *,
    side: Literal["both", "draft", "final"] = "both",
    likeness: Share = 0.8,
    n: Annotated[int, pydantic.Field(ge=1, le=50)] = 5,
    unit: Unit = "chars",
    figures: Literal["same", "any"] = "same",
    keep: Literal["newest", "first"] = "newest",
) -> Step:
    """Of pairs that are nearly the same keep one: `near-duplicate`, with its partner.

    Drafts that are near while their finals are not are counted (`near drafts, unlike finals`), not dropped.

    Args:
        side: "both" asks it of draft and final, else one side decides.
        likeness: the least Jaccard likeness of their shingles, 0.3 to 1.
        n: how many units a shingle is a run of.
        unit: characters, Sudachi's words ("words") or words between spaces ("spaced").
        figures: "same" takes texts whose figures differ for different: last month's comment with this month's numbers.
        keep: which pair of a group stays.
    """
    texts = (pair.final if side == "final" else pair.draft for pair in rows)
    with _room(rows) as folder:
        links = near_links(texts, Plan.at(likeness, n, unit), folder=folder)
    with _room(rows) as folder, _Told(rows, links, side, Runs(n, unit), folder) as told:
        links = told.links
        if figures == "same":
            links = links.those((told.figures[links.first] == told.figures[links.second]).all(axis=1))
        if side == "both":
            finals = told.finals.jaccard(links.first, links.second)
            tally["near drafts, unlike finals"] += int((finals < likeness).sum())
            links = links.those(finals >= likeness)
    stays = _stays(told.months, links, keep)
    best = np.zeros(len(stays))
    for ends in (links.first, links.second):
        np.maximum.at(best, ends, links.likeness)
    asked = chain(enumerate(told.places), [(-1, -1)])
    at, place_asked = next(asked)
    for place, pair in enumerate(rows):
        if place != place_asked:
            yield pair
            continue
        if stays[at] == at:
            yield pair
        else:
            partner = told.source(stays[at])
            detail = f"it is nearly the same ({best[at]:.2f} alike) as a pair of the group kept at {partner}"
            yield drop(pair, "near-duplicate", detail, partner)
        at, place_asked = next(asked)


class Runs(NamedTuple):
    """What a shingle is a run of."""

    n: int
    unit: Unit


class _Told:
    """Of the pairs that some link names, what decides which of them stays: some 100 bytes a pair and, without a folder,
    the shingles of their finals."""

    def __init__(self, rows: Iterable[Pair], links: Links, side: str, runs: Runs, folder: Path | None) -> None:
        self.places = np.unique(np.concatenate((links.first, links.second)))
        """Where they stand in the pool, ascending. All else is by their place among these."""
        first, second = (np.searchsorted(self.places, ends) for ends in (links.first, links.second))
        self.links = Links(first, second, links.likeness)
        self.finals = ShingleShelf(None if folder is None else folder / "finals.u32")
        figures, months, self._sources, self._ends = bytearray(), array("q"), bytearray(), array("q", [0])
        known: dict[str, int] = {}
        if isinstance(rows, Shards):
            wanted = rows.at(self.places)
        else:
            wanted = (pair for pair, is_named in zip(rows, _marks(iter(self.places)), strict=False) if is_named)
        while block := list(islice(wanted, BLOCK)):
            for pair in block:
                digest = blake2b("\0".join(figures_of(pair, side)).encode("utf-8", "surrogatepass"), digest_size=16)
                figures += digest.digest()
                months.append(known.setdefault(pair.as_of, len(known)))
                self._sources += pair.source.encode("utf-8", "surrogatepass")
                self._ends.append(len(self._sources))
            if side == "both":
                self.finals.add(shingles([pair.final for pair in block], runs.n, runs.unit))
        self.figures = np.frombuffer(bytes(figures), np.uint64).reshape(-1, 2)
        """Sixteen bytes that stand for the figures of each."""
        rank = {month: place for place, month in enumerate(sorted(known))}
        ranks = np.array([rank[month] for month in known], np.int64)
        self.months = ranks[np.frombuffer(months, np.int64)]
        """The months that the pairs speak of, counted upwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finals.__exit__()

    def source(self, place: int) -> str:
        """Where a pair comes from."""
        return self._sources[self._ends[place] : self._ends[place + 1]].decode("utf-8", "surrogatepass")


def _marks(places: Iterator[int]) -> Iterator[bool]:
    """For each number from 0 on whether it is among the ascending `places`, until there are no more of them."""
    at = 0
    for place in places:
        yield from repeat(False, place - at)
        yield True
        at = place + 1


@contextmanager
def _room(rows: Iterable[Pair]) -> Iterator[Path | None]:
    """A folder for what is kept of each text while they are compared, if there are too many of them for the memory."""
    if not isinstance(rows, Shards) or len(rows) <= IN_MEMORY:
        yield None
        return
    folder = rows.folder / "near"
    shutil.rmtree(folder, ignore_errors=True)  # of a killed run
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def figures_of(pair: Pair, side: str) -> list[str]:
    """The figures in one side, or in draft and then final, in their order."""
    text = pair.draft + "\n" + pair.final if side == "both" else getattr(pair, side)
    return _FIGURE.findall(fold(text))


def _stays(months: NDArray[np.int64], links: Links, keep: str) -> NDArray[np.int64]:
    """For each pair the place of the one of its group that stays: of the newest month, or else, the first."""
    roots = components(len(months), links)
    newest = months if keep == "newest" else np.zeros_like(months)
    order = np.lexsort((np.arange(len(months)), -newest, roots))
    grouped = roots[order]
    heads = np.flatnonzero(np.diff(grouped, prepend=-1))
    stays = np.empty_like(roots)
    stays[grouped[heads]] = order[heads]
    return stays[roots]


@steps.register("contained")
def contained(
    rows: Iterable[Pair],
    tally: Counter[str],
    /,
    *,
    side: Literal["draft", "final"] = "draft",
    run: Run = 50,
    share: Share = 0.9,
) -> Step:
    """Drop pairs of which `share` of one side lies in runs of `run` characters that earlier pairs have: `contained`."""
    found = covers([getattr(pair, side) for pair in rows], run)
    sources = [pair.source for pair in rows]
    for pair, cover in zip(rows, found, strict=True):
        tally[f"{side}s that repeat {run} characters"] += cover.share > 0
        if cover.share >= share:
            partner = sources[cover.partner]
            detail = f"{cover.share:.0%} of the {side} stands in earlier pairs, most of it at {partner}"
            yield drop(pair, "contained", detail, partner)
        else:
            yield pair
