"""Every output, with differences coloured and filters that need no script: the style sheet hides what is not asked for.

The rules of the style sheet speak of numbers (`m3` is the fourth manager), never of what stands in the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from markupsafe import Markup

from tensaku.evaluate.groups import DIMENSIONS, LENGTHS
from tensaku.evaluate.report.pieces import row_words
from tensaku.evaluate.report.worst import case
from tensaku.evaluate.results import Results
from tensaku.records import Pair
from tensaku.report import section
from tensaku.revise import SECTIONS

__all__ = ["every_output", "filter_rules"]

_SELECTS = (
    ("m", "運用会社", "manager"),
    ("s", "欄", "section"),
    ("t", "月", "month"),
    ("l", "原稿の長さ", "length"),
)
"""The letter of a filter, its name in both languages; the English one is that of a dimension of the exam."""
_CHECKS = (
    ("changed", "原稿から変えた", "changed"),
    ("broken", "事実の不一致", "wrong facts"),
    ("holed", "文の欠落・重複", "sentences lost or doubled"),
    ("inexact", "公表文と異なる", "not the reference"),
)
_MOST = 60
"""Values of a filter; a further one is only under all."""


def every_output(results: Results, rows: Sequence[str], called: Callable[[str], str] = row_words) -> Markup:
    """The section with every output of `rows`, in the order of the exam.

    Args:
        called: what a row is called.
    """
    pairs = results.pairs
    values = _values(pairs)
    shown = list(dict.fromkeys(rows))
    selects = [_select("r", "候補", "candidate", list(map(called, shown)), first=True)] if len(shown) > 1 else []
    names = {"s": SECTIONS["ja"]}
    selects += [
        _select(key, japanese, english, [names.get(key, {}).get(value, value) for value in values[key]])
        for key, japanese, english in _SELECTS
    ]
    checks = [
        Markup('<label class="check"><input type="checkbox" class="f-{}">{}<small>{}</small></label>').format(*check)
        for check in _CHECKS
    ]
    form = Markup('<form class="filters" autocomplete="off">{}<div class="checks">{}</div></form>').format(
        Markup().join(selects), Markup().join(checks)
    )
    cases = Markup("\n").join(_cases(results, shown, values))
    body = Markup('<div class="every">{}<div class="cases">{}</div><p class="tally"></p></div>').format(form, cases)
    return section("すべての出力", "Every output", body)


def filter_rules(results: Results, rows: Sequence[str]) -> str:
    """The style rules of the filters of `every_output`."""
    counts = {key: len(found) for key, found in _values(results.pairs).items()} | {"r": len(dict.fromkeys(rows))}
    rules = [
        f'.every:has(.f-{key} option[value="{n}"]:checked) .case:not(.{key}{n}) {{ display: none; }}'
        for key, count in counts.items()
        for n in range(count)
    ]
    rules += [f".every:has(.f-{what}:checked) .case:not(.{what}) {{ display: none; }}" for what, _, _ in _CHECKS]
    return "\n".join(rules) + "\n"


def _values(pairs: Sequence[Pair]) -> dict[str, list[str]]:
    """By letter of a filter: what can be chosen, in the order in which it is offered."""
    found = {}
    for key, _, dimension in _SELECTS:
        held = set(map(DIMENSIONS[dimension](pairs), pairs))
        found[key] = [name for name in LENGTHS if name in held] if dimension == "length" else sorted(held)[:_MOST]
    return found


def _select(key: str, japanese: str, english: str, values: Sequence[str], *, first: bool = False) -> Markup:
    options = Markup().join(Markup('<option value="{}">{}</option>').format(n, value) for n, value in enumerate(values))
    whole = Markup() if first else Markup('<option value="">すべて all</option>')
    return Markup('<label>{}<small>{}</small><select class="f-{}">{}{}</select></label>').format(
        japanese, english, key, whole, options
    )


def _cases(results: Results, rows: Sequence[str], values: Mapping[str, Sequence[str]]) -> Iterator[Markup]:
    parts = [(key, DIMENSIONS[dimension](results.pairs)) for key, _, dimension in _SELECTS]
    for place, name in enumerate(rows):
        row = results.rows[name]
        for number in row.answers:
            pair, finding = results.pairs[number], row.findings[number]
            kinds = [f"r{place}"]
            kinds += [f"{key}{values[key].index(part)}" for key, of in parts if (part := of(pair)) in values[key]]
            changed = row.answers[number].text != pair.draft
            told = (changed, not finding.verdict.kept, not finding.whole, not finding.exact)
            kinds += [what for (what, _, _), holds in zip(_CHECKS, told, strict=True) if holds]
            yield case(results, name, number + 1, number, " ".join(kinds))
