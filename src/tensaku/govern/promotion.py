"""The promotion gate: a challenger against the champion on the same exam, sealed, with one page that says why.

Compared is output by output: the mean difference of the scores of single outputs, with a paired bootstrap over the
exam's drafts (Koehn, Statistical Significance Tests for Machine Translation Evaluation, 2004). "Not worse" means that
the lower end of the 95 % interval of the difference lies above minus the margin.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from tensaku.errors import UsageError
from tensaku.govern.changes import PARTS
from tensaku.govern.said import in_japanese
from tensaku.govern.sections import Promotion
from tensaku.report import grid, page, section
from tensaku.store import Artifact, Bench, SourceFile, stage

__all__ = ["Promoting", "Promotion", "Test", "preference", "promotion", "write_page"]


class Promoting(Promotion):
    """The gate of one challenger: the rules, and what is known of it from elsewhere than the inputs."""

    changes: tuple[dict[str, Any], ...] = ()
    """What changed since the champion, from lineage."""
    other: str = ""
    """The name under which judge and readers know what it is held against."""


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


@stage(version=2)
def promotion(
    bench: Bench,
    cfg: Promoting,
    *,
    challenger: Artifact,
    evaluation: Artifact,
    champion: Artifact | None = None,
    probe: Artifact | None = None,
    judged: Artifact | None = None,
    read: SourceFile | None = None,
) -> None:
    """Leave `promotion.json` and `promotion.html`; the verdict is in the facts `passed` and `failed`.

    Args:
        challenger: the release.
        evaluation: what measured it.
        champion: the evaluation of the release that answers now; None: there is none yet.
        probe: what `probe` found in it; None: it was not probed, which fails.
        judged: what the judge said of both; None where one is asked for fails.
        read: votes of blind readers on both, a line a vote; None where readers are asked for fails.

    Raises:
        UsageError: the evaluations are not of the same exam.
    """
    if champion is not None and champion.inputs["exam"] != evaluation.inputs["exam"]:
        fix = "Evaluate both on one exam: tensaku run evaluate, with the same [exam] section and sources"
        raise UsageError(f"{champion.ref} and {evaluation.ref} are of different exams", fix=fix)
    ours, theirs = _rows(evaluation), _rows(champion) if champion else None
    tests = [_beats_draft(evaluation), *_against(cfg, evaluation, ours, theirs), _probed(cfg, probe)]
    alone, differing = champion is None, _differing(evaluation, champion)
    if cfg.judge:
        votes = _votes(judged.file("votes.jsonl")) if judged is not None else []
        tests.append(
            preference("judge", "判定モデルの選好", cfg, votes, challenger.ref, alone=alone, differing=differing)
        )
    if cfg.readers:
        votes = _votes(read.path) if read is not None else []
        tests.append(
            preference("readers", "目隠しの読み手", cfg, votes, challenger.ref, alone=alone, differing=differing)
        )
    failed = [test.name for test in tests if test.passed is False]
    _write(bench, cfg, challenger, champion, tests)
    bench.facts.update(
        passed=not failed, failed=failed, challenger=challenger.ref, champion=champion.ref if champion else ""
    )
    for test in tests:
        word = "not measured" if test.passed is None else "passed" if test.passed else "FAILED"
        bench.say(f"{test.name}: {word} ({test.measured}; wanted {test.wanted})")


def _lines(evaluation: Artifact) -> list[dict[str, Any]]:
    with evaluation.file("outputs.jsonl").open(encoding="utf-8") as lines:
        return sorted((json.loads(line) for line in lines), key=lambda row: str(row["id"]))


def _rows(evaluation: Artifact) -> list[dict[str, Any]]:
    return [row["rows"]["tuned"] for row in _lines(evaluation)]


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


def _differing(evaluation: Artifact, champion: Artifact | None) -> int | None:
    """For how many drafts challenger and rival wrote other texts; None where the texts are not kept."""
    rivals = _lines(champion if champion is not None else evaluation)
    pairs = [
        (ours["rows"]["tuned"].get("text"), theirs["rows"]["tuned"].get("text") if champion else theirs.get("draft"))
        for ours, theirs in zip(_lines(evaluation), rivals, strict=True)
    ]
    return None if any(text is None for pair in pairs for text in pair) else sum(one != two for one, two in pairs)


def _votes(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def preference(
    name: str,
    japanese: str,
    cfg: Promoting,
    votes: Sequence[Mapping[str, Any]],
    ours: str,
    *,
    alone: bool,
    differing: int | None = None,
) -> Test:
    """Whether the challenger is preferred, or nearly as often as not.

    Each draft counts once: the mean of its votes, of which one for the challenger is 1, a tie one half. The interval is
    a bootstrap over drafts.

    Args:
        name: the test's name, and what it is called in Japanese.
        japanese: the same.
        cfg: the rules, and the name of what it was held against.
        votes: with `left`, `right`, `winner` (left, right, tie) and `item`.
        ours: the challenger's name in them.
        alone: there is no champion: what it was held against is the untouched draft, and it must be better.
        differing: for how many drafts the two wrote other texts, if that is known: nobody has to vote on the others.
    """
    drafts: dict[str, list[float]] = {}
    for vote in votes:
        if {vote["left"], vote["right"]} == {ours, cfg.other}:
            side = "left" if vote["left"] == ours else "right"
            drafts.setdefault(vote["item"], []).append({side: 1.0, "tie": 0.5}.get(vote["winner"], 0.0))
    least = cfg.readers if name == "readers" else 1
    least = min(least, differing) if differing else least
    bound = 0.5 if alone else 0.5 - cfg.preferred
    wanted = f"lower end {'above' if alone else 'at least'} {bound:.2f}"
    if name == "readers":
        wanted = f"{least} drafts read, {wanted}"
    if differing == 0:
        return Test(name, japanese, not alone, "both wrote the same", wanted)
    if len(drafts) < least:
        told = f"read {len(drafts)} drafts of {least}" if name == "readers" else "not asked"
        return Test(name, japanese, False, told, wanted)
    shares = [float(np.mean(held)) for held in drafts.values()]
    value, low, high = paired(shares, [0.0] * len(shares), cfg.resamples, cfg.seed)
    measured = f"preferred {value:.2f} [{low:.2f}, {high:.2f}] in {len(drafts)} drafts against {cfg.other}"
    return Test(name, japanese, low > bound if alone else low >= bound, measured, wanted)


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


def _write(
    bench: Bench, cfg: Promoting, challenger: Artifact, champion: Artifact | None, tests: Sequence[Test]
) -> None:
    passed = not any(test.passed is False for test in tests)
    content = {
        "passed": passed,
        "challenger": challenger.ref,
        "champion": champion.ref if champion else "",
        "tests": [asdict(test) for test in tests],
        "changes": list(cfg.changes),
    }
    (bench.path / "promotion.json").write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    (bench.path / "promotion.html").write_text(write_page(content), encoding="utf-8")


_STYLE = (
    ".why { margin: 0.5rem 0; padding: 0.2rem 0 0.2rem 1rem; border-left: 4px solid var(--red); }\n"
    ".verdict { color: var(--teal); } .verdict.no { color: var(--red); } td:first-child { white-space: nowrap; }\n"
)


def write_page(content: Mapping[str, Any]) -> str:
    """The gate's one page, from what is in `promotion.json`."""
    passed = content["passed"]
    verdict = ("合格", "passed") if passed else ("不合格", "not passed")
    opening = Markup(
        '<header class="opening"><p class="brand">添削<small>Tensaku</small></p>'
        '<h1>昇格判定: <span class="verdict {}">{}</span><small>Promotion gate: {}</small></h1>'
        '<p class="lead">{}</p></header>'
        "<p class='statement' style='margin-top: 1.6rem'>候補 {} は現行（{}）に対して{}。<small>{}</small></p>"
    ).format(
        "" if passed else "no",
        *verdict,
        content["challenger"],
        content["challenger"],
        content["champion"] or "なし",
        verdict[0],
        f"The challenger has {verdict[1]} against the champion."
        if content["champion"]
        else f"The challenger has {verdict[1]}; nothing answers yet that it could be held against.",
    )
    failed = [test for test in content["tests"] if test["passed"] is False]
    held = [test for test in content["tests"] if test["passed"]]
    parts = [opening]
    if failed:
        parts.append(section("不合格の理由", "Why not", Markup().join(_reason(test) for test in failed)))
    else:
        told = "、".join(test["japanese"] for test in held)
        english = ", ".join(test["name"] for test in held)
        why = Markup("<p>{} のすべてで基準を満たした。<small>It met every test: {}.</small></p>").format(told, english)
        parts.append(section("合格の理由", "Why", why))
    parts.append(section("試験", "Tests", _table(content["tests"])))
    if content.get("changes"):
        parts.append(section("現行からの変更", "Changes since the champion", _changed(content["changes"])))
    return page(f"昇格判定 Promotion gate {content['challenger']}", parts, _STYLE)


def _reason(test: Mapping[str, Any]) -> Markup:
    line = Markup('<p class="why"><b>{}</b>: {}。基準: {}。<small>{}: {}; wanted {}.</small></p>')
    said = (in_japanese(test["measured"]), in_japanese(test["wanted"]))
    return line.format(test["japanese"], *said, test["name"], test["measured"], test["wanted"])


def _both(text: str) -> Markup:
    """Words in Japanese, with the English beneath where they differ."""
    japanese = in_japanese(text)
    return Markup("{}<small>{}</small>").format(japanese, text) if japanese != text else Markup("{}").format(text)


def _table(tests: Sequence[Mapping[str, Any]]) -> Markup:
    marks = {True: ("合格", "passed"), False: ("不合格", "FAILED"), None: ("対象なし", "not measured")}
    both = Markup("{}<small>{}</small>")
    rows = []
    for test in tests:
        mark = both.format(*marks[test["passed"]])
        said = [_both(test[name]) for name in ("measured", "wanted")]
        shown = Markup('<span class="bad">{}</span>').format(mark) if test["passed"] is False else mark
        rows.append((both.format(test["japanese"], test["name"]), shown, *said))
    return grid(("試験 Test", "判定 Verdict", "測定値 Measured", "基準 Wanted"), rows, numbers_from=9)


def _changed(changes: Sequence[Mapping[str, Any]]) -> Markup:
    both = Markup("{}<small>{}</small>")
    rows = [
        (
            both.format(*PARTS[change["part"]]),
            change["name"] or "—",
            change["before"],
            change["after"],
            both.format(*(("重要", "material") if change["material"] else ("軽微", "minor"))),
        )
        for change in changes
    ]
    heads = ("対象 Part", "項目 Item", "現行 Champion", "候補 Challenger", "重要性 Material")
    return grid(heads, rows, numbers_from=9)
