"""From answers to figures: the rows that every table holds, and everything that is measured of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from tensaku import text
from tensaku.evaluate.costs import Costs
from tensaku.evaluate.decoding import Answer
from tensaku.evaluate.findings import fact_table, fates, find, summary
from tensaku.evaluate.labels import labels_of
from tensaku.evaluate.results import MODELLESS, Results, Row
from tensaku.evaluate.rewriting import Rule, rewrite
from tensaku.evaluate.scoring import Scorer, Texts, measure_rows
from tensaku.records import Pair, Verdict

__all__ = ["constant", "measured", "ruled", "untouched"]


def untouched(pairs: Sequence[Pair]) -> Row:
    """The row of the drafts as they came."""
    return Row("draft", {n: _made("draft", n, pair.draft, Verdict()) for n, pair in enumerate(pairs)})


def ruled(pairs: Sequence[Pair], rules: Sequence[Rule], names: text.Names) -> Row:
    """The row of the drafts as `rules` rewrite them."""
    answers = {}
    for n, pair in enumerate(pairs):
        made = rewrite(pair.draft, rules)
        answers[n] = _made("rules", n, made, text.compare(pair.draft, made, names, as_of=pair.as_of))
    return Row("rules", answers)


def constant(lessons: Sequence[Pair], pairs: Sequence[Pair], names: text.Names) -> Row | None:
    """The row of the exam's most frequent final given to every draft; None where finals are texts and not labels.

    It is the exam's and not the lessons', since these may have been levelled out: no one answer gets more right.
    """
    if not labels_of(lessons):
        return None
    finals = Counter(pair.final for pair in pairs)
    answer = min(finals, key=lambda final: (-finals[final], final))
    verdicts = [text.compare(pair.draft, answer, names, as_of=pair.as_of) for pair in pairs]
    return Row("majority", {n: _made("majority", n, answer, verdict) for n, verdict in enumerate(verdicts)})


def _made(row: str, number: int, made: str, verdict: Verdict) -> Answer:
    return Answer(row, number, made, "stop", 0, 0.0, verdict, {})


def measured(
    measures: Mapping[str, Scorer],
    rows: Mapping[str, Row],
    pairs: Sequence[Pair],
    names: text.Names,
    style: Sequence[text.StyleRule],
    resamples: int,
    seed: int,
    costs: Mapping[str, Costs] | None = None,
) -> Results:
    """Measure every row by every scorer, and look at each output.

    Raises:
        UsageError: a scorer refuses the language of the texts.
    """
    for row in rows.values():
        row.findings = {n: find(pairs[n], answer.text, answer.verdict, style) for n, answer in row.answers.items()}
        row.costs = (costs or {}).get(row.name, Costs())
    texts = {row.name: _texts(row, pairs) for row in rows.values()}
    results = Results(pairs, dict(rows), style=[rule.name for rule in style])
    for label, scorer in measures.items():
        found = measure_rows(label, scorer, texts, resamples, seed)
        single = found.single
        results.measured[label] = found
        results.gains += [
            found.gain(row, over)
            for place, over in enumerate(MODELLESS)
            if over in rows
            for row in rows
            if row not in MODELLESS[: place + 1] and found.paired(row, over)
        ]
        for name, row in rows.items():
            row.scores[label] = found.scores[name]
            row.single[label] = dict(zip(row.answers, single[name].tolist(), strict=True))
    for row in rows.values():
        held = row.findings.values()
        row.kinds = fact_table([pairs[n].draft for n in row.answers], [f.fates for f in held], names)
        row.summary = summary(list(held))
    _measure_references(results, names, style)
    return results


def _measure_references(results: Results, names: text.Names, style: Sequence[text.StyleRule]) -> None:
    """The house's own finals by the same rules: how far these can be trusted."""
    pairs = results.pairs
    verdicts = [text.compare(pair.draft, pair.final, names, as_of=pair.as_of) for pair in pairs]
    results.reference_kept = sum(verdict.kept for verdict in verdicts) / len(pairs)
    found = [fates(pair.draft, pair.final, verdict) for pair, verdict in zip(pairs, verdicts, strict=True)]
    results.reference_kinds = fact_table([pair.draft for pair in pairs], found, names)
    broken = [v.rule for pair in pairs for v in text.violations(pair.final, style)]
    results.reference_style = {rule: broken.count(rule) for rule in sorted(set(broken))}


def _texts(row: Row, pairs: Sequence[Pair]) -> Texts:
    asked = [pairs[n] for n in row.answers]
    outputs = [answer.text for answer in row.answers.values()]
    families = [pair.family or pair.id for pair in asked]
    return Texts([pair.draft for pair in asked], outputs, [pair.final for pair in asked], families)
