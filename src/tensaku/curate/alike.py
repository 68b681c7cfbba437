"""The steps that find pairs which are nearly the same as others, or stand within them."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import pydantic

from tensaku.curate.dedup import Link, Plan, components, near_links
from tensaku.curate.dedup.contained import covers
from tensaku.curate.dedup.near import likeness_of
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
    asked = {place for link in links for place in link[:2]}
    held = {place: pair for place, pair in enumerate(rows) if place in asked}
    if figures == "same":
        links = [link for link in links if figures_of(held[link.first], side) == figures_of(held[link.second], side)]
    if side == "both" and links:
        finals = likeness_of([(held[a].final, held[b].final) for a, b, _ in links], n, unit)
        tally["near drafts, unlike finals"] += int(sum(found < likeness for found in finals))
        links = [link for link, found in zip(links, finals, strict=True) if found >= likeness]
    stays = _stays(held, links, keep)
    best: dict[int, float] = {}
    for link in links:
        for place in link[:2]:
            best[place] = max(best.get(place, 0.0), link.likeness)
    for place, pair in enumerate(rows):
        kept = stays.get(place, place)
        if kept == place:
            yield pair
        else:
            partner = held[kept].source
            detail = f"it is nearly the same ({best[place]:.2f} alike) as a pair of the group kept at {partner}"
            yield drop(pair, "near-duplicate", detail, partner)


@contextmanager
def _room(rows: Iterable[Pair]) -> Iterator[Path | None]:
    """A folder for what is kept of each text while they are compared, if there are too many of them for the memory."""
    if not isinstance(rows, Shards) or len(rows) <= IN_MEMORY:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="near-", dir=rows.folder) as name:
        yield Path(name)


def figures_of(pair: Pair, side: str) -> list[str]:
    """The figures in one side, or in draft and then final, in their order."""
    text = pair.draft + "\n" + pair.final if side == "both" else getattr(pair, side)
    return _FIGURE.findall(fold(text))


def _stays(held: dict[int, Pair], links: list[Link], keep: str) -> dict[int, int]:
    """For each pair of a group the place of the one that stays."""
    if not links:
        return {}
    roots = components(max(held) + 1, links)
    groups: dict[int, list[int]] = {}
    for place in held:
        groups.setdefault(int(roots[place]), []).append(place)
    chosen = {}
    for group in groups.values():
        best = max(group, key=lambda place: (held[place].as_of, -place)) if keep == "newest" else min(group)
        chosen.update(dict.fromkeys(group, best))
    return chosen


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
