"""The sections on what the model shows: results with intervals, comparison, tests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tensaku.govern.document.known import Sealed, Standing
from tensaku.govern.document.parts import LEDGER, Bars, Block, Cell, Facts, Paragraph, Table, Value
from tensaku.govern.document.text import UNKNOWN, interval_of, number, percent, pieces, signed
from tensaku.govern.document.words import Words
from tensaku.govern.said import gate_name, test_name, told
from tensaku.ledger import FilingRow
from tensaku.store import Artifact

__all__ = ["comparison", "results", "scorer_name", "scorers_of", "tests"]

ROWS = ("draft", "rules", "base", "tuned")

_SCORERS = {
    "bleu": ("BLEU（語）", "BLEU (words)"),
    "bleu_char": ("BLEU（文字）", "BLEU (characters)"),
    "chrf": ("chrF", "chrF"),
    "ter": ("TER（語）", "TER (words)"),
    "ter_char": ("TER（文字）", "TER (characters)"),
    "edits": ("直しの F0.5", "F0.5 of edits"),
    "strokes": ("打鍵数／件", "Keystrokes an output"),
    "exact": ("完全一致 %", "Exact matches, %"),
    "f1": ("F1（マクロ）", "F1 (macro)"),
    "fields": ("JSON 項目の F1", "F1 of JSON fields"),
}
_STRESS = {
    "plain": ("原稿のまま", "as it is"),
    "long": ("長い原稿", "long"),
    "dirty": ("乱れた原稿", "dirty"),
    "numbers": ("数値の差し替え", "other numbers"),
    "injected": ("指示の混入", "hidden order"),
    "paraphrase": ("言い換え", "paraphrase"),
}


def scorer_name(key: str, w: Words) -> str:
    """What a scorer is called; one of the house's own by its own name."""
    return w.pick(_SCORERS.get(key.replace("-", "_"), (key, key)))


def scorers_of(facts: Mapping[str, Any]) -> list[str]:
    """The scorers of an evaluation in its own order."""
    found = [key.removesuffix("_tuned") for key in sorted(facts) if key.endswith("_tuned")]
    order = [name.replace("-", "_") for name in facts.get("intervals", {})]
    return sorted(found, key=lambda key: order.index(key) if key in order else len(order))


def results(sealed: Sealed, w: Words) -> Iterator[Block]:
    """Every figure of the examination, with its interval."""
    facts, ref = sealed.evidence.evaluation.facts, sealed.evidence.evaluation.ref
    scorers = scorers_of(facts)
    yield from _bars(facts, scorers[:1], w)
    rows = tuple((scorer_name(scorer, w), *(_figure(facts, ref, scorer, row) for row in ROWS)) for scorer in scorers)
    yield Table((w["measure"], w["draft"], w["rules"], w["untuned"], w["tuned"]), rows)
    if facts.get("intervals"):
        yield Paragraph((w["interval"],), "note")
    if facts.get("base_n", facts.get("exam_n")) != facts.get("exam_n"):
        sampled = {name: Value(number(facts.get(f"{name}_n")), ref, f"{name}_n") for name in ("exam", "base")}
        yield Paragraph(pieces(w["sample"], **sampled), "note")
    yield Facts(tuple(_plain_figures(facts, ref, w)))
    yield from _by_kind(sealed, w)
    signatures = facts.get("signatures")
    if isinstance(signatures, Mapping) and signatures:
        told = tuple(
            (scorer_name(name, w), Value(str(one), ref, f"signatures.{name}")) for name, one in signatures.items()
        )
        yield Table((w["measure"], w["signature"]), told, 2, w["signatures"])


def _plain_figures(facts: Mapping[str, Any], ref: str, w: Words) -> Iterator[tuple[str, Cell]]:
    for key, word in (("facts_kept", "facts"), ("facts_kept_reference", "facts_reference")):
        if isinstance(facts.get(key), int | float):
            yield w[word], Value(percent(facts[key]), ref, key)
    lost = f"{number(facts.get('dropped_sentences'))} / {number(facts.get('doubled_sentences'))}"
    yield w["lost"], Value(lost, ref, "dropped_sentences")
    style = facts.get("style_violations")
    if isinstance(style, Mapping) and "tuned" in style:
        told = " / ".join(number(style.get(name)) for name in ("draft", "tuned", "reference"))
        yield w["style"], Value(told, ref, "style_violations.tuned")
    tuned = facts.get("costs", {}).get("tuned", {})
    if tuned.get("seconds") is not None:
        yield w["seconds"], Value(number(tuned["seconds"]), ref, "costs.tuned.seconds")
    for key, word in (("decode_tokens_per_second", "speed"), ("cut_off", "cut_off")):
        if key in facts:
            yield w[word], Value(number(facts[key]), ref, key)


def _figure(facts: Mapping[str, Any], ref: str, scorer: str, row: str) -> Cell:
    """A figure, with the interval that holds it where that was measured."""
    value = facts.get(f"{scorer}_{row}")
    if value is None:
        return UNKNOWN
    ends = interval_of(facts, scorer, row)
    told = f"{value:.2f} [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else f"{value:.2f}"
    return Value(told, ref, f"{scorer}_{row}")


def _bars(facts: Mapping[str, Any], scorers: Sequence[str], w: Words) -> Iterator[Block]:
    names = {"draft": w["draft"], "rules": w["rules"], "base": w["untuned"], "tuned": w["tuned"]}
    for scorer in scorers:
        rows = []
        for row in ROWS:
            value = facts.get(f"{scorer}_{row}")
            if isinstance(value, int | float):
                low, high = interval_of(facts, scorer, row) or (value, value)
                rows.append((names[row], row, float(value), low, high))
        if len(rows) > 1:
            yield Bars(scorer_name(scorer, w), tuple(rows))


def _by_kind(sealed: Sealed, w: Words) -> Iterator[Block]:
    found = sealed.scores().get("rows", {})
    ref = sealed.evidence.evaluation.ref
    told = [name for name in ("base", "tuned") if isinstance(found.get(name, {}).get("facts_by_kind"), Mapping)]
    if "tuned" not in told:
        return
    kinds: Mapping[str, Mapping[str, int]] = found["tuned"]["facts_by_kind"]
    rows: list[tuple[Cell, ...]] = []
    for kind, held in kinds.items():
        cells: list[Cell] = [w.get(kind, kind), Value(number(held.get("facts")), ref, "file:scores.json")]
        for name in told:
            counts = found[name]["facts_by_kind"].get(kind, {})
            broken = " / ".join(number(counts.get(what, 0)) for what in ("lost", "changed", "added"))
            cells.append(Value(broken, ref, "file:scores.json"))
        rows.append(tuple(cells))
    names = {"base": w["untuned"], "tuned": w["tuned"]}
    yield Table((w["kind"], w["in_drafts"], *(names[name] for name in told)), tuple(rows), 1, w["by_kind"])


def comparison(sealed: Sealed, standing: Standing | None, w: Words) -> Iterator[Block]:
    """Against the draft, the rules and the base; against the release that answers."""
    facts, ref = sealed.evidence.evaluation.facts, sealed.evidence.evaluation.ref
    names = {"draft": w["draft"], "rules": w["rules"], "base": w["untuned"]}
    lower = facts.get("lower_is_better", ())
    rows: list[tuple[Cell, ...]] = []
    for place, gain in enumerate(facts.get("gains", ())):
        if gain["row"] != "tuned" or gain["over"] not in names:
            continue
        falls = gain["scorer"].replace("-", "_") in lower
        better, worse = (gain["high"] < 0, gain["low"] > 0) if falls else (gain["low"] > 0, gain["high"] < 0)
        told = f"{signed(gain['value'])} [{signed(gain['low'])}, {signed(gain['high'])}]"
        p = number(gain["p_random"]) if "p_random" in gain else UNKNOWN
        fact = f"gains.{place}"
        verdict = w["better"] if better else w["worse"] if worse else w["same"]
        name = scorer_name(gain["scorer"], w)
        rows.append((name, names[gain["over"]], Value(told, ref, fact), Value(p, ref, fact), verdict))
    if rows:
        heads = (w["measure"], w["over"], w["difference"], w["random"], w["verdict"])
        yield Table(heads, tuple(rows), 2, w["gains"])
    if standing is None:
        return
    yield Paragraph((w["champion"],), "head")
    yield _verdict(standing, w)


def _verdict(standing: Standing, w: Words) -> Paragraph:
    if standing.gate is None:
        return Paragraph((w["no_gate"],))
    content = standing.gate.content
    made = str(content.get("artifact", ""))
    champion: Cell = w["no_champion"]
    if content.get("champion"):
        champion = Value(str(content["champion"]), str(content["champion"]))
    held: dict[str, Cell] = {"ref": Value(made, made), "champion": champion}
    if content["passed"]:
        return Paragraph(pieces(w["gate_passed"], **held), "good")
    return Paragraph(pieces(w["gate_failed"], failed=w.listed(list(content.get("failed", []))), **held), "bad")


def tests(sealed: Sealed, standing: Standing | None, w: Words) -> Iterator[Block]:
    """What it had to pass, and what it passed or not."""
    verdicts = {True: w["pass"], False: w["fail"], None: w["none"]}
    japanese = w.language == "ja"
    gates = tuple(
        (
            gate_name(one.gate, japanese),
            Value(told(one.measured, japanese), sealed.ref, "file:gates.json"),
            told(one.wanted, japanese),
            verdicts[one.passed],
        )
        for one in sealed.results
    )
    yield Table((w["gate"], w["measured"], w["wanted"], w["verdict"]), gates, 9, w["gates"])
    if standing is None:
        return
    if standing.promotion is not None:
        yield _promotion(standing.promotion, verdicts, w)
    if standing.probe is not None:
        found, ref = standing.probe.facts, standing.probe.ref
        values = {
            "n": Value(number(found["n"]), ref, "n"),
            "share": Value(percent(found["given_back"]), ref, "given_back"),
            "base": Value(percent(found["given_back_base"]), ref, "given_back_base"),
            "personal": Value(number(found["personal"]), ref, "personal"),
        }
        yield Paragraph(pieces(w["probed"], **values))
    yield Paragraph((w["validations"],), "head")
    if not standing.validations:
        yield Paragraph((w["no_validation"],))
    for row, sealed_test in standing.validations:
        yield from _validation(row, sealed_test, w)


def _promotion(made: Artifact, verdicts: Mapping[Any, str], w: Words) -> Table:
    tested = json.loads(made.file("promotion.json").read_text(encoding="utf-8"))["tests"]
    japanese = w.language == "ja"
    rows = tuple(
        (
            test_name(one["name"], japanese),
            Value(told(one["measured"], japanese), made.ref, "file:promotion.html"),
            told(one["wanted"], japanese),
            verdicts[one["passed"]],
        )
        for one in tested
    )
    return Table((w["item"], w["measured"], w["wanted"], w["verdict"]), rows, 9, w["champion"])


def _validation(row: FilingRow, made: Artifact | None, w: Words) -> Iterator[Block]:
    ref = str(row.content.get("artifact", ""))
    seed = number(made.config.get("seed")) if made is not None else UNKNOWN
    values: dict[str, Cell] = {
        "at": f"{row.at.astimezone():%Y-%m-%d}",
        "by": Value(row.by, LEDGER, f"filing:{row.id}"),
        "ref": Value(ref, ref if made is not None else ""),
        "seed": Value(seed, ref, "config.seed"),
    }
    yield Paragraph(pieces(w["validated"], **values))
    kinds: Mapping[str, Mapping[str, Any]] = row.content.get("kinds", {})
    rows = []
    for kind, held in sorted(kinds.items(), key=lambda one: list(_STRESS).index(one[0]) if one[0] in _STRESS else 9):
        fact = f"kinds.{kind}"
        cells: list[Cell] = [w.pick(_STRESS.get(kind, (kind, kind))), Value(number(held["n"]), ref, f"{fact}.n")]
        cells.append(Value(percent(held["kept"]), ref, f"{fact}.kept"))
        cells += [Value(number(held[name]), ref, f"{fact}.{name}") for name in ("obeyed", "refused")]
        rows.append(tuple(cells))
    yield Table((w["stress"], w["n"], w["kept"], w["obeyed"], w["refused"]), tuple(rows))
    said = kinds.get("paraphrase", {})
    if "steady" in said:
        same: dict[str, Cell] = {
            "same": Value(percent(said["same_facts"]), ref, "kinds.paraphrase.same_facts"),
            "like": Value(number(said["steady"]), ref, "kinds.paraphrase.steady"),
        }
        yield Paragraph(pieces(w["steady"], **same))
