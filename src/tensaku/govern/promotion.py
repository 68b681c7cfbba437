"""The promotion gate: a challenger against the champion on the same exam, sealed, with one page that says why.

Compared is output by output: the mean difference of the scores of single outputs, with a paired bootstrap over the
exam's drafts (Koehn, Statistical Significance Tests for Machine Translation Evaluation, 2004). "Not worse" means that
the lower end of the 95 % interval of the difference lies above minus the margin.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from pydantic import Field

from tensaku.config import Section
from tensaku.errors import UsageError
from tensaku.report import grid, page, section
from tensaku.store import Artifact, Bench, stage

__all__ = ["Promotion", "Test", "promotion", "write_page"]


class Promotion(Section):
    """What a challenger must show before it may take the champion's place."""

    margin: float = Field(1.0, ge=0)
    """By how many points of the first scorer it may be worse than the champion, at the lower end of the interval."""
    facts_margin: float = Field(0.02, ge=0, le=1)
    """By how much the share of outputs that keep every fact may be below the champion's, at the lower end."""
    facts_least: float = Field(0.98, ge=0, le=1)
    """The least share of outputs that keep every fact."""
    style_margin: float = Field(0.05, ge=0)
    """How many more breaches of the house style an output may have than the champion's, on average."""
    slower: float = Field(1.25, ge=1)
    """How many times the champion's seconds an answer may take."""
    given_back: float = Field(0.05, ge=0, le=1)
    """Most of the probed lessons that it may give back, beyond what the base model does."""
    resamples: int = Field(1000, ge=100)
    """Resamples of the paired bootstrap."""
    seed: int = 0
    """Which resamples."""


@dataclass(frozen=True, slots=True)
class Test:
    """One test of the gate. `passed` is None where there was nothing to hold it against; `why` says what that means."""

    __test__ = False  # no test of pytest's
    name: str
    japanese: str
    passed: bool | None
    measured: str
    wanted: str
    why: str = ""


@stage(version=1)
def promotion(
    bench: Bench,
    cfg: Promotion,
    *,
    challenger: Artifact,
    evaluation: Artifact,
    champion: Artifact | None = None,
    probe: Artifact | None = None,
) -> None:
    """Leave `promotion.json` and `promotion.html`; the verdict is in the facts `passed` and `failed`.

    Args:
        challenger: the release.
        evaluation: what measured it.
        champion: the evaluation of the release that answers now; None: there is none yet.
        probe: what `probe` found in it; None: it was not probed, which fails.

    Raises:
        UsageError: the evaluations are not of the same exam.
    """
    if champion is not None and champion.inputs["exam"] != evaluation.inputs["exam"]:
        fix = "Evaluate both on one exam: tensaku run evaluate, with the same [exam] section and sources"
        raise UsageError(f"{champion.ref} and {evaluation.ref} are of different exams", fix=fix)
    ours, theirs = _rows(evaluation), _rows(champion) if champion else None
    tests = [_beats_draft(evaluation), *_against(cfg, evaluation, ours, theirs), _probed(cfg, probe)]
    failed = [test.name for test in tests if test.passed is False]
    _write(bench, challenger, champion, tests)
    bench.facts.update(
        passed=not failed, failed=failed, challenger=challenger.ref, champion=champion.ref if champion else ""
    )
    for test in tests:
        word = "not measured" if test.passed is None else "passed" if test.passed else "FAILED"
        bench.say(f"{test.name}: {word} ({test.measured}; wanted {test.wanted})")


def _rows(evaluation: Artifact) -> list[dict[str, Any]]:
    with evaluation.file("outputs.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row["rows"]["tuned"] for row in sorted(rows, key=lambda row: row["id"])]


def _beats_draft(evaluation: Artifact) -> Test:
    gains = [gain for gain in evaluation.facts.get("gains", ()) if (gain["row"], gain["over"]) == ("tuned", "draft")]
    if not gains:
        return Test("draft", "原稿のままより良い", False, "no comparison with the untouched draft", "one")
    gain = gains[0]
    name, low, high = gain["scorer"], gain["low"], gain["high"]
    better = high < 0 if name.replace("-", "_") in evaluation.facts.get("lower_is_better", ()) else low > 0
    measured = f"{name} {gain['value']:+.2f} [{low:+.2f}, {high:+.2f}]"
    return Test("draft", "原稿のままより良い", better, measured, "an interval that does not reach 0")


def paired(ours: Sequence[float], theirs: Sequence[float], times: int, seed: int) -> tuple[float, float, float]:
    """The mean difference of paired figures, and the ends of its 95 % interval by paired bootstrap."""
    difference = np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float)
    drawn = np.random.default_rng(seed).integers(0, len(difference), (times, len(difference)))
    low, high = np.percentile(difference[drawn].mean(axis=1), [2.5, 97.5])
    return float(difference.mean()), float(low), float(high)


def _against(
    cfg: Promotion, evaluation: Artifact, ours: list[dict[str, Any]], theirs: list[dict[str, Any]] | None
) -> list[Test]:
    kept = sum(row["kept"] for row in ours) / len(ours)
    wanted = f"at least {cfg.facts_least:.1%}"
    facts = Test("facts", "事実を保つ", kept >= cfg.facts_least, f"{kept:.1%} of outputs keep every fact", wanted)
    if theirs is None:
        first = "there is no champion yet"
        names = (("champion", "現行モデルに劣らない"), ("style", "文体"), ("latency", "応答時間"))
        return [facts, *(Test(name, japanese, None, first, "-", first) for name, japanese in names)]

    def compare(figure: Any) -> tuple[float, float, float]:
        return paired([figure(row) for row in ours], [figure(row) for row in theirs], cfg.resamples, cfg.seed)

    scorer = next(iter(ours[0]["scores"]))
    sign = -1 if scorer.replace("-", "_") in evaluation.facts.get("lower_is_better", ()) else 1
    value, low, high = compare(lambda row: sign * row["scores"][scorer])
    tests = [
        Test(
            "champion",
            "現行モデルに劣らない",
            low >= -cfg.margin,
            _told(scorer, value, low, high),
            f"lower end at least {-cfg.margin:+.2f}",
        )
    ]
    value, low, high = compare(lambda row: float(row["kept"]))
    lost = Test(
        "facts-champion",
        "事実を現行並みに保つ",
        low >= -cfg.facts_margin,
        _told("share", value, low, high),
        f"lower end at least {-cfg.facts_margin:+.2f}",
    )
    value, low, high = compare(lambda row: float(len(row["style"])))
    style = Test(
        "style",
        "文体",
        value <= cfg.style_margin,
        _told("breaches an output", value, low, high),
        f"at most {cfg.style_margin:+.2f}",
    )
    slow, fast = (float(np.mean([row["seconds"] for row in rows])) for rows in (ours, theirs))
    ratio = slow / fast if fast > 0 else 1.0
    latency = Test(
        "latency",
        "応答時間",
        ratio <= cfg.slower,
        f"{slow:.3f} s an answer, {ratio:.2f} times the champion's",
        f"at most {cfg.slower:.2f} times",
    )
    return [*tests, facts, lost, style, latency]


def _told(what: str, value: float, low: float, high: float) -> str:
    return f"{what} {value:+.3f} [{low:+.3f}, {high:+.3f}]"


def _probed(cfg: Promotion, probe: Artifact | None) -> Test:
    wanted = f"at most {cfg.given_back:.0%} beyond the base, no personal data"
    if probe is None:
        return Test("memorisation", "学習文の再現", False, "not probed", wanted)
    found = probe.facts
    more = found["given_back"] - found["given_back_base"]
    measured = (
        f"{found['given_back']:.0%} of {found['n']} lessons given back, base {found['given_back_base']:.0%}; "
        f"{found['personal']} answers with personal data"
    )
    return Test("memorisation", "学習文の再現", more <= cfg.given_back and not found["personal"], measured, wanted)


def _write(bench: Bench, challenger: Artifact, champion: Artifact | None, tests: Sequence[Test]) -> None:
    passed = not any(test.passed is False for test in tests)
    content = {
        "passed": passed,
        "challenger": challenger.ref,
        "champion": champion.ref if champion else "",
        "tests": [asdict(test) for test in tests],
    }
    (bench.path / "promotion.json").write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    (bench.path / "promotion.html").write_text(write_page(content), encoding="utf-8")


def write_page(content: Mapping[str, Any]) -> str:
    """The gate's one page, from what is in `promotion.json`."""
    passed = content["passed"]
    verdict = ("合格", "passed") if passed else ("不合格", "not passed")
    marks = {True: "合格 passed", False: "不合格 FAILED", None: "対象なし not measured"}
    rows = [
        (f"{test['japanese']} {test['name']}", marks[test["passed"]], test["measured"], test["wanted"])
        for test in content["tests"]
    ]
    against = content["champion"] or "—"
    opening = Markup(
        '<header class="opening"><p class="brand">添削<small>Tensaku</small></p>'
        '<h1>昇格判定: {}<small>Promotion gate: {}</small></h1><p class="lead">{}</p></header>'
        "<p class='statement' style='margin-top: 1.6rem'>候補 {} は現行（{}）に対して{}。"
        "<small>The challenger has {} against the champion.</small></p>"
    ).format(*verdict, content["challenger"], content["challenger"], against, verdict[0], verdict[1])
    heads = ("試験 Test", "判定 Verdict", "測定値 Measured", "基準 Wanted")
    reasons = [row for row in rows if "FAILED" in row[1]]
    why = Markup("").join(Markup("<p>{}: {}（{}）</p>").format(row[0], row[2], row[3]) for row in reasons)
    parts = [opening, section("試験", "Tests", grid(heads, rows, numbers_from=9))]
    if reasons:
        parts.insert(1, section("不合格の理由", "Why not", why))
    return page(f"昇格判定 Promotion gate {content['challenger']}", parts)
