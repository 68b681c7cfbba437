"""What BLEU hides: facts broken, sentences lost, said twice or moved, edits needless or missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from tensaku import text
from tensaku.evaluate.edits import CHANGE_KINDS, Counts, Edits, find_edits
from tensaku.records import Fact, FactKind, Pair, Verdict

__all__ = ["KINDS", "FactFate", "Finding", "fact_table", "fates", "find", "summary"]

KINDS: tuple[FactKind, ...] = ("number", "percent", "date", "unit", "name", "negation")


class FactFate(NamedTuple):
    """What became of a fact: `lost` (stands in the draft alone), `added` (in the output alone) or `changed`.

    `draft` and `output` are the fact on either side, None where there is none; each knows its place.
    """

    what: Literal["lost", "added", "changed"]
    draft: Fact | None
    output: Fact | None

    @property
    def kind(self) -> FactKind:
        """The kind of the fact in the draft; of one added, in the output."""
        fact = self.draft or self.output
        assert fact is not None
        return fact.kind


@dataclass(frozen=True, slots=True)
class Finding:
    """What one output did.

    `dropped` are sentences of the reference, `doubled` and `reordered` sentences of the output; `style` are the places
    of the output that break the house style.
    """

    verdict: Verdict
    fates: tuple[FactFate, ...]
    dropped: tuple[str, ...]
    doubled: tuple[str, ...]
    reordered: tuple[str, ...]
    exact: bool
    edits: Edits
    style: tuple[text.Violation, ...] = ()

    @property
    def whole(self) -> bool:
        """True if no sentence was lost and none said twice."""
        return not self.dropped and not self.doubled


def find(pair: Pair, output: str, verdict: Verdict, style: Sequence[text.StyleRule] = ()) -> Finding:
    """Look at one output beside its draft and its reference.

    Args:
        verdict: the facts guard's, as the road that made the output gave it.
        style: the house style, as far as it can be checked.
    """
    repeated = Counter(sentence.text for sentence in text.doubled(pair.final))  # what the house itself said twice
    doubled = Counter(sentence.text for sentence in text.doubled(output)) - repeated
    return Finding(
        verdict=verdict,
        fates=tuple(fates(pair.draft, output, verdict)),
        dropped=tuple(sentence.text for sentence in text.dropped(pair.draft, pair.final, output)),
        doubled=tuple(doubled.elements()),
        reordered=tuple(sentence.text for sentence in text.reordered(pair.final, output)),
        exact=output == pair.final,
        edits=find_edits(pair.draft, pair.final, output),
        style=tuple(text.violations(output, style)),
    )


def fates(draft: str, output: str, verdict: Verdict) -> list[FactFate]:
    """The breaks of `verdict`, a missing and an added fact that stand in one change taken together as a changed one.

    Figures of all kinds are one sort here: 3.2% that became 3.2 is a changed fact.
    """
    missing = [found.fact for found in verdict.breaks if found.what == "missing"]
    added = [found.fact for found in verdict.breaks if found.what == "added"]
    found: list[FactFate] = []
    for change in text.changes(draft, output) if missing and added else ():
        for fact in [f for f in missing if _within(f, change.old_start, change.old_end)]:
            same = (f for f in added if _within(f, change.new_start, change.new_end) and _sort(f) == _sort(fact))
            if (other := next(same, None)) is not None:
                found.append(FactFate("changed", fact, other))
                missing.remove(fact)
                added.remove(other)
    found += [FactFate("lost", fact, None) for fact in missing]
    return found + [FactFate("added", None, fact) for fact in added]


def _within(fact: Fact, start: int, end: int) -> bool:
    return fact.start < end and fact.end > start


def _sort(fact: Fact) -> str:
    return "figure" if fact.kind in ("number", "percent", "unit") else fact.kind


def summary(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings of one row added up.

    `facts_kept`, `exact`, `over_editing` (of the characters of the drafts that the references leave alone, those that
    were altered), `left_alone` (of the outputs whose reference is the draft itself, those that are it too; None if
    there are none) and precision, recall and F0.5 are shares, 0 to 1; the rest are counts.
    """
    n = max(len(findings), 1)
    untouched = [f for f in findings if not f.edits.counts.wanted]
    alone = sum(f.edits.alone for f in findings)
    kinds = {
        kind: _shares(sum((f.edits.kinds.get(kind, Counts()) for f in findings), Counts())) for kind in CHANGE_KINDS
    }
    return {
        "n": len(findings),
        "facts_kept": sum(f.verdict.kept for f in findings) / n,
        "exact": sum(f.exact for f in findings) / n,
        "dropped_sentences": sum(len(f.dropped) for f in findings),
        "outputs_with_dropped": sum(bool(f.dropped) for f in findings),
        "doubled_sentences": sum(len(f.doubled) for f in findings),
        "outputs_with_doubled": sum(bool(f.doubled) for f in findings),
        "reordered_sentences": sum(len(f.reordered) for f in findings),
        "edits": _shares(sum((f.edits.counts for f in findings), Counts())),
        "edits_by_kind": kinds,
        "over_editing": sum(f.edits.overdone for f in findings) / alone if alone else 0.0,
        "needs_nothing": len(untouched),
        "left_alone": sum(f.exact for f in untouched) / len(untouched) if untouched else None,
        "strokes": sum(f.edits.strokes for f in findings),
        "style": dict(sorted(Counter(v.rule for f in findings for v in f.style).items())),
    }


def _shares(counts: Counts) -> dict[str, Any]:
    shares = {"precision": counts.precision, "recall": counts.recall, "f0.5": counts.f_half}
    return {
        "wanted": counts.wanted,
        "made": counts.made,
        **asdict(counts),
        **shares,
    }


def fact_table(
    drafts: Sequence[str], found: Sequence[Sequence[FactFate]], names: text.Names
) -> dict[str, Mapping[str, int]]:
    """By kind of fact: how many stand in the drafts, and how many of them were kept, lost, changed; how many added."""
    held = Counter(fact.kind for draft in drafts for fact in text.facts(draft, names))
    broken = Counter((fate.kind, fate.what) for fates_of in found for fate in fates_of)
    return {
        kind: {
            "facts": held[kind],
            "kept": held[kind] - broken[kind, "lost"] - broken[kind, "changed"],
            **{what: broken[kind, what] for what in ("lost", "changed", "added")},
        }
        for kind in KINDS
    }
