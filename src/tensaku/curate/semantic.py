"""The step that finds pairs which say the same as others in other words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from tensaku.curate.alike import figures_of
from tensaku.curate.dedup import Link
from tensaku.curate.dedup.vectors import KeptVectors, near_vectors
from tensaku.curate.shards import Shards
from tensaku.curate.steps import Step, drop
from tensaku.errors import UsageError
from tensaku.models.embed import Embedder, open_embedder
from tensaku.plugins import steps
from tensaku.records import Pair

__all__ = ["semantic_duplicates"]

Likeness = Annotated[float, pydantic.Field(ge=0.5, le=1.0)]
_STEP = "step 'semantic-duplicates'"


@steps.register("semantic-duplicates")
def semantic_duplicates(
    rows: Iterable[Pair],
    tally: Counter[str],
    /,
    *,
    side: Literal["both", "draft", "final"] = "both",
    likeness: Likeness = 0.97,
    figures: Literal["same", "any"] = "same",
    keep: Literal["newest", "first"] = "newest",
    embedding: dict[str, Any] | None = None,
) -> Step:
    """Of pairs that say the same keep one: `semantic-duplicate`, with its partner.

    A pair leaves only if it is itself alike to one that stays: likeness is not handed on from text to text.

    Args:
        side: "both" asks it of draft and final, else one side decides.
        likeness: the least cosine of two vectors, 0.5 to 1. The model's texts of one trade all lie above 0.8.
        figures: "same" takes texts whose figures differ for different.
        keep: which pair stays: the newest month's, or the first.
        embedding: as [retrieve] has it: { model = "local" } by default, or { model = "NAME", url = "http://host/v1" }.

    Raises:
        UsageError, MissingExtra: there is no such model.
        EngineError: the model did not answer.
    """
    embedder = open_embedder(embedding or {"model": "local"}, where=_STEP)
    if embedder is None:
        fix = 'Say embedding = { model = "local" }, or leave the step out'
        raise UsageError("without a model of meaning nothing can be compared", where=_STEP, fix=fix)
    held = _all_links(rows, embedder, side, likeness, rows.folder if isinstance(rows, Shards) else None)
    asked = {place for link in held for place in link[:2]}
    pairs = {place: pair for place, pair in enumerate(rows) if place in asked}
    if figures == "same":
        held = [link for link in held if figures_of(pairs[link.first], side) == figures_of(pairs[link.second], side)]
    tally["pairs that say the same"] += len(held)
    stays = _partners(pairs, held, keep)
    for place, pair in enumerate(rows):
        if place not in stays:
            yield pair
        else:
            partner, cosine = stays[place]
            detail = f"it says the same (cosine {cosine:.3f}) as the pair at {pairs[partner].source}, which stays"
            yield drop(pair, "semantic-duplicate", detail, pairs[partner].source)


def _all_links(rows: Iterable[Pair], embedder: Embedder, side: str, likeness: float, folder: Path | None) -> list[Link]:
    vectors = KeptVectors(embedder, folder)
    if side != "both":
        return near_vectors(vectors.of(getattr(pair, side) for pair in rows), likeness)
    finals = vectors.of(pair.final for pair in rows)
    drafts = vectors.of(pair.draft for pair in rows)
    links = near_vectors(finals, likeness)
    found = []
    for link in links:
        cosine = float(drafts[link.first].astype("f4") @ drafts[link.second].astype("f4"))
        if cosine >= likeness:
            found.append(Link(link.first, link.second, min(cosine, link.likeness)))
    return found


def _partners(pairs: dict[int, Pair], links: list[Link], keep: str) -> dict[int, tuple[int, float]]:
    """For each pair that leaves the one it is most alike to of those that stay, and how much.

    From the pair that has most right to stay downwards: each stays unless one that stays already is alike to it.
    """
    near: dict[int, dict[int, float]] = {}
    for one, two, cosine in links:
        near.setdefault(one, {})[two] = cosine
        near.setdefault(two, {})[one] = cosine
    leaves: dict[int, tuple[int, float]] = {}
    months = {place: pairs[place].as_of if keep == "newest" else "" for place in near}
    first = sorted(near)
    for place in sorted(first, key=lambda place: months[place], reverse=True):  # a stable sort: of equals the first
        stay = {other: cosine for other, cosine in near[place].items() if other not in leaves}
        # Those not looked at yet count as staying only if they come before this one.
        before = {o: c for o, c in stay.items() if (months[o], -o) > (months[place], -place)}
        if before:
            partner = max(before, key=lambda other: (before[other], -other))
            leaves[place] = (partner, before[partner])
    return leaves
