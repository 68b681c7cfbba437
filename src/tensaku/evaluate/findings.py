"""What BLEU hides: facts broken, sentences lost or said twice, edits needless or missed. One finding an output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tensaku import text
from tensaku.records import Change, FactKind, Pair, Verdict

__all__ = ["KINDS", "Edits", "Finding", "fact_table", "find", "summary"]

KINDS: tuple[FactKind, ...] = ("number", "percent", "date", "unit", "name", "negation")


@dataclass(frozen=True, slots=True)
class Edits:
    """Changes to the draft: `wanted` by the reference, `made` by the output.

    Of those made, `right` do exactly what the reference does, `needless` touch what it leaves alone, and the rest touch
    the right place with other words. Of those wanted, `missed` were left undone.
    """

    wanted: int
    made: int
    right: int
    needless: int
    missed: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What one output did. `dropped` are sentences of the reference, `doubled` sentences of the output."""

    verdict: Verdict
    dropped: tuple[str, ...]
    doubled: tuple[str, ...]
    exact: bool
    edits: Edits

    @property
    def whole(self) -> bool:
        """True if no sentence was lost and none said twice."""
        return not self.dropped and not self.doubled


def find(pair: Pair, output: str, verdict: Verdict) -> Finding:
    """Look at one output beside its draft and its reference.

    Args:
        verdict: the facts guard's, as the road that made the output gave it.
    """
    repeated = Counter(sentence.text for sentence in text.doubled(pair.final))  # what the house itself said twice
    doubled = Counter(sentence.text for sentence in text.doubled(output)) - repeated
    return Finding(
        verdict=verdict,
        dropped=tuple(sentence.text for sentence in text.dropped(pair.draft, pair.final, output)),
        doubled=tuple(doubled.elements()),
        exact=output == pair.final,
        edits=_edits(text.changes(pair.draft, pair.final), text.changes(pair.draft, output)),
    )


def _edits(wanted: Sequence[Change], made: Sequence[Change]) -> Edits:
    def same(one: Change, two: Change) -> bool:
        return (one.old_start, one.old_end, one.new) == (two.old_start, two.old_end, two.new)

    def touch(one: Change, two: Change) -> bool:
        start, end = max(one.old_start, two.old_start), min(one.old_end, two.old_end)
        inserts = one.op == "insert" or two.op == "insert"  # these have no width, so meeting at an edge is enough
        return start <= end if inserts else start < end

    return Edits(
        wanted=len(wanted),
        made=len(made),
        right=sum(any(same(change, other) for other in wanted) for change in made),
        needless=sum(not any(touch(change, other) for other in wanted) for change in made),
        missed=sum(not any(touch(change, other) for other in made) for change in wanted),
    )


def summary(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings of one row added up. `facts_kept` and `exact` are shares of outputs, 0 to 1; the rest are counts."""
    n = max(len(findings), 1)
    edits = {name: sum(getattr(f.edits, name) for f in findings) for name in asdict(Edits(0, 0, 0, 0, 0))}
    return {
        "n": len(findings),
        "facts_kept": sum(f.verdict.kept for f in findings) / n,
        "exact": sum(f.exact for f in findings) / n,
        "dropped_sentences": sum(len(f.dropped) for f in findings),
        "outputs_with_dropped": sum(bool(f.dropped) for f in findings),
        "doubled_sentences": sum(len(f.doubled) for f in findings),
        "outputs_with_doubled": sum(bool(f.doubled) for f in findings),
        "edits": edits,
    }


def fact_table(drafts: Sequence[str], verdicts: Sequence[Verdict], names: text.Names) -> dict[str, Mapping[str, int]]:
    """By kind of fact: how many stand in the drafts, how many of them are missing and how many were added."""
    held = Counter(fact.kind for draft in drafts for fact in text.facts(draft, names))
    broken: Counter[tuple[str, str]] = Counter(
        (found.fact.kind, found.what) for verdict in verdicts for found in verdict.breaks
    )
    return {
        kind: {"facts": held[kind], "missing": broken[kind, "missing"], "added": broken[kind, "added"]}
        for kind in KINDS
    }
