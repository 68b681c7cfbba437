"""The worst outputs, side by side with draft and reference, the differences coloured word by word."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from tensaku import text
from tensaku.evaluate.findings import Finding
from tensaku.evaluate.report.pieces import KIND_NAMES, scorer_name
from tensaku.evaluate.results import Results
from tensaku.report import section
from tensaku.revise import SECTIONS

__all__ = ["case", "marked", "worst_outputs"]


def worst_outputs(results: Results, n: int) -> Markup:
    """The section with the `n` worst outputs of the tuned model; nothing if all are exact or `n` is 0."""
    numbers = results.worst(n)
    if not numbers:
        return Markup()
    legend = Markup(
        '<p class="legend"><span><del>原稿から消えた語</del> words taken out</span>'
        "<span><mark>公表文にない語</mark> not in the reference</span>"
        "<span><ins>公表文にだけある語</ins> only in the reference</span></p>"
    )
    note = Markup(
        "<p>事実の不一致があるもの、文の欠落や重複があるもの、{} の悪いものの順。"
        "<small>Broken facts first, then lost or repeated sentences, then the worst score.</small></p>"
    ).format(scorer_name(results.first))
    cards = Markup().join(case(results, "tuned", place, number) for place, number in enumerate(numbers, 1))
    return section(f"下位 {len(numbers)} 件の出力", f"The {len(numbers)} worst outputs", note + legend + cards)


def case(results: Results, name: str, place: int, number: int, kinds: str = "") -> Markup:
    """One output of the row `name` beside its draft and its reference.

    Args:
        place: the figure that is shown before it.
        kinds: further style classes, our own words.
    """
    pair, row = results.pairs[number], results.rows[name]
    output = row.answers[number].text
    old = text.changes(pair.draft, output)
    off = text.changes(pair.final, output)
    columns = (
        ("原稿", "Draft", marked(pair.draft, [(c.old_start, c.old_end) for c in old], "del")),
        (
            "出力",
            "Output",
            marked(output, [(c.new_start, c.new_end) for c in off], "mark") or Markup("<em>空 empty</em>"),
        ),
        ("公表文", "Reference", marked(pair.final, [(c.old_start, c.old_end) for c in off], "ins")),
    )
    where = " ・ ".join([pair.as_of, pair.fund, SECTIONS["ja"].get(pair.section, pair.section), pair.manager])
    figures = Markup("　").join(
        Markup("{} <b>{:.1f}</b>").format(label, single[number]) for label, single in row.single.items()
    )
    return Markup(
        '<article class="case {}"><header><span class="place">{}</span><h3>{}<small>{}</small></h3>'
        '<p class="figures">{}</p></header>'
        '{}<div class="columns">{}</div></article>'
    ).format(
        kinds,
        place,
        where,
        pair.id,
        figures,
        _flags(row.findings[number], row.answers[number].finish),
        Markup().join(
            Markup('<section><h4>{}<small>{}</small></h4><p class="prose">{}</p></section>').format(*column)
            for column in columns
        ),
    )


def _flags(finding: Finding, finish: str) -> Markup:
    """What is wrong with an output, as short labels."""
    flags = []
    for found in finding.verdict.breaks:
        what = "原稿にあり出力にない missing" if found.what == "missing" else "出力で現れた added"
        flags.append(Markup("<li>{} <b>{}</b> {}</li>").format(KIND_NAMES[found.fact.kind][0], found.fact.text, what))
    flags += [Markup("<li>文の欠落 dropped <b>{}</b></li>").format(_short(sentence)) for sentence in finding.dropped]
    flags += [Markup("<li>文の重複 doubled <b>{}</b></li>").format(_short(sentence)) for sentence in finding.doubled]
    if finish == "length":
        flags.append(Markup("<li>長さの上限で打ち切り cut off</li>"))
    return Markup('<ul class="flags">{}</ul>').format(Markup().join(flags)) if flags else Markup()


def _short(sentence: str) -> str:
    sentence = sentence.strip()
    return sentence if len(sentence) <= 40 else sentence[:39] + "…"


_MARKS = {
    "del": Markup("<del>{}</del>"),
    "mark": Markup("<mark>{}</mark>"),
    "ins": Markup("<ins>{}</ins>"),
}


def marked(whole: str, spans: Sequence[tuple[int, int]], tag: str) -> Markup:
    """`whole`, escaped, with `spans` of it in the element `tag`: del, mark or ins."""
    parts: list[Markup] = []
    at = 0
    for start, end in sorted(spans):
        parts.append(escape(whole[at:start]))
        if end > start:
            parts.append(_MARKS[tag].format(whole[start:end]))
        at = max(at, end)
    parts.append(escape(whole[at:]))
    return Markup().join(parts)
