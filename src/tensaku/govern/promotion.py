"""The promotion gate: a challenger against the champion on the same exam, sealed, with one page that says why.

Compared is output by output: the mean difference of the scores of single outputs, with a paired bootstrap over the
exam's drafts (Koehn, Statistical Significance Tests for Machine Translation Evaluation, 2004), of which families are
drawn whole, as evaluation does (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). "Not
worse" means that the lower end of the 95 % interval of the difference lies above minus the margin.

What was measured and wanted is sealed as values (`tensaku.govern.said`); every page words them in both languages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from tensaku.errors import UsageError
from tensaku.govern.changes import PARTS
from tensaku.govern.said import Saying, say, test_name, told
from tensaku.govern.sections import Promotion
from tensaku.report import grid, page, section
from tensaku.resampling import resamples
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
    """One test of the gate. `passed` is None where there was nothing to hold it against."""

    __test__ = False  # no test of pytest's
    name: str
    passed: bool | None
    measured: Saying
    wanted: Saying


@stage(version=3)
def promotion(  # noqa: PLR0913  each input is sealed by its own name
    bench: Bench,
    cfg: Promoting,
    *,
    challenger: Artifact,
    evaluation: Artifact,
    exam: Artifact | None = None,
    champion: Artifact | None = None,
    probe: Artifact | None = None,
    judged: Artifact | None = None,
    read: SourceFile | None = None,
) -> None:
    """Leave `promotion.json` and `promotion.html`; the verdict is in the facts `passed` and `failed`.

    Args:
        challenger: the release.
        evaluation: what measured it.
        exam: what it was measured on, which says which drafts are of one family; None: each is one of its own.
        champion: the evaluation of the release that answers now; None: there is none yet.
        probe: what `probe` found in it; None: it was not probed, which fails.
        judged: what the judge said of both; None where one is asked for fails.
        read: votes of blind readers on both, a line a vote; None where readers are asked for fails.

    Raises:
        UsageError: the evaluations are not of the same exam, or not of the one that is given.
    """
    if exam is not None and evaluation.inputs["exam"] != exam.ref:
        raise UsageError(f"{evaluation.ref} is not of the exam {exam.ref}", fix="Hand in the exam that it was made on")
    if champion is not None and champion.inputs["exam"] != evaluation.inputs["exam"]:
        fix = "Evaluate both on one exam: tensaku run evaluate, with the same [exam] section and sources"
        raise UsageError(f"{champion.ref} and {evaluation.ref} are of different exams", fix=fix)
    ours, theirs = _rows(evaluation), _rows(champion) if champion else None
    families = _families(exam)
    tests = [_beats_draft(evaluation), *_against(cfg, evaluation, ours, theirs, families), _probed(cfg, probe)]
    alone, differing = champion is None, _differing(evaluation, champion)
    if cfg.judge:
        votes = _votes(judged.file("votes.jsonl")) if judged is not None else []
        tests.append(
            preference("judge", cfg, votes, challenger.ref, alone=alone, differing=differing, families=families)
        )
    if cfg.readers:
        votes = _votes(read.path) if read is not None else []
        tests.append(
            preference("readers", cfg, votes, challenger.ref, alone=alone, differing=differing, families=families)
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


def _families(exam: Artifact | None) -> dict[str, str]:
    """The family of each draft of the exam by its name."""
    if exam is None:
        return {}
    with exam.file("exam.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {str(row["id"]): str(row.get("family") or row["id"]) for row in rows}


def _rows(evaluation: Artifact) -> list[dict[str, Any]]:
    return [{**row["rows"]["tuned"], "id": str(row["id"])} for row in _lines(evaluation)]


def _beats_draft(evaluation: Artifact) -> Test:
    gains = [gain for gain in evaluation.facts.get("gains", ()) if (gain["row"], gain["over"]) == ("tuned", "draft")]
    if not gains:
        return Test("draft", False, say("no-gain"), say("a-comparison"))
    gain = gains[0]
    name, low, high = gain["scorer"], gain["low"], gain["high"]
    better = high < 0 if name.replace("-", "_") in evaluation.facts.get("lower_is_better", ()) else low > 0
    measured = say("gain", scorer=name, value=gain["value"], low=low, high=high)
    return Test("draft", better, measured, say("off-zero"))


class Difference(NamedTuple):
    """A mean difference, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def values(self) -> dict[str, float | None]:
        """As they are sealed: None for an end that there is none of."""
        return {name: None if np.isnan(one) else one for name, one in self._asdict().items()}


def paired(
    ours: Sequence[float], theirs: Sequence[float], times: int, seed: int, families: Sequence[str] = ()
) -> Difference:
    """The mean difference of paired figures, and the ends of its 95 % interval (percentiles of resampled means).

    Pairs are resampled together, so that what is hard for both widens nothing (Koehn 2004), and families whole (Davison
    and Hinkley 1997, section 3.8): a resample of F families, drawn with replacement from the F there are, has the mean
    sum(c_f * s_f) / sum(c_f * n_f) of family sums s_f and sizes n_f, where c_f is how often family f was drawn.

    Args:
        ours: figures of the challenger.
        theirs: of the rival, in the same order.
        times: resamples.
        seed: which.
        families: the family of each; empty: each is one of its own. Of one family alone there is no interval: its ends
            are NaN, which is neither above nor below anything.
    """
    difference = np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float)
    value = float(difference.mean())
    if families and len(set(families)) < 2:
        return Difference(value, np.nan, np.nan)
    drawn = resamples(len(difference), times, seed, families)
    low, high = np.percentile(drawn @ difference / drawn.sum(axis=1), [2.5, 97.5])
    return Difference(value, float(low), float(high))


def _against(
    cfg: Promotion,
    evaluation: Artifact,
    ours: list[dict[str, Any]],
    theirs: list[dict[str, Any]] | None,
    families: Mapping[str, str],
) -> list[Test]:
    kept = sum(row["kept"] for row in ours) / len(ours)
    least = say("least-percent", bound=cfg.facts_least)
    facts = Test("facts", kept >= cfg.facts_least, say("kept-percent", share=kept), least)
    if theirs is None:
        first = [Test(name, None, say("no-champion"), say("nothing")) for name in ("champion", "style", "latency")]
        return [facts, *first]
    drawn = [families.get(row["id"], row["id"]) for row in ours] if families else []

    def compare(figure: Any) -> Difference:
        return paired([figure(row) for row in ours], [figure(row) for row in theirs], cfg.resamples, cfg.seed, drawn)

    scorer = next(iter(ours[0]["scores"]))
    sign = -1 if scorer.replace("-", "_") in evaluation.facts.get("lower_is_better", ()) else 1
    found = compare(lambda row: sign * row["scores"][scorer])
    measured = say("difference", scorer=scorer, **found.values)
    tests = [Test("champion", found.low >= -cfg.margin, measured, say("lower-end", bound=-cfg.margin))]
    found = compare(lambda row: float(row["kept"]))
    wanted = say("lower-end", bound=-cfg.facts_margin)
    lost = Test("facts-champion", found.low >= -cfg.facts_margin, say("share-difference", **found.values), wanted)
    found = compare(lambda row: float(len(row["style"])))
    wanted = say("most-more", bound=cfg.style_margin)
    style = Test("style", found.value <= cfg.style_margin, say("breaches", **found.values), wanted)
    slow, fast = (float(np.mean([row["seconds"] for row in rows])) for rows in (ours, theirs))
    ratio = slow / fast if fast > 0 else 1.0
    measured = say("seconds", seconds=slow, times=ratio)
    latency = Test("latency", ratio <= cfg.slower, measured, say("most-times", bound=cfg.slower))
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
    cfg: Promoting,
    votes: Sequence[Mapping[str, Any]],
    ours: str,
    *,
    alone: bool,
    differing: int | None = None,
    families: Mapping[str, str] | None = None,
) -> Test:
    """Whether the challenger is preferred, or nearly as often as not.

    Each draft counts once: the mean of its votes, of which one for the challenger is 1, a tie one half. The interval is
    a bootstrap over drafts, families whole.

    Args:
        name: the test's name.
        cfg: the rules, and the name of what it was held against.
        votes: with `left`, `right`, `winner` (left, right, tie) and `item`.
        ours: the challenger's name in them.
        alone: there is no champion: what it was held against is the untouched draft, and it must be better.
        differing: for how many drafts the two wrote other texts, if that is known: nobody has to vote on the others.
        families: the family of each draft; None: each is one of its own.
    """
    drafts: dict[str, list[float]] = {}
    for vote in votes:
        if {vote["left"], vote["right"]} == {ours, cfg.other}:
            side = "left" if vote["left"] == ours else "right"
            drafts.setdefault(vote["item"], []).append({side: 1.0, "tie": 0.5}.get(vote["winner"], 0.0))
    least = cfg.readers if name == "readers" else 1
    least = min(least, differing) if differing else least
    bound = 0.5 if alone else 0.5 - cfg.preferred
    wanted = say("lower-above" if alone else "lower-share", bound=bound)
    if name == "readers":
        wanted = say("read-above" if alone else "read-share", least=least, bound=bound)
    if differing == 0:
        return Test(name, not alone, say("wrote-the-same"), wanted)
    if len(drafts) < least:
        told = say("read-few", n=len(drafts), least=least) if name == "readers" else say("not-asked")
        return Test(name, False, told, wanted)
    shares = [float(np.mean(held)) for held in drafts.values()]
    drawn = [families.get(item, item) for item in drafts] if families else []
    found = paired(shares, [0.0] * len(shares), cfg.resamples, cfg.seed, drawn)
    sentence = "preferred-draft" if cfg.other == "draft" else "preferred"
    measured = say(sentence, **found.values, n=len(drafts), other=cfg.other)
    return Test(name, found.low > bound if alone else found.low >= bound, measured, wanted)


def _probed(cfg: Promotion, probe: Artifact | None) -> Test:
    wanted = say("most-given-back", bound=cfg.given_back)
    if probe is None:
        return Test("memorisation", False, say("not-probed"), wanted)
    found = probe.facts
    share, base, personal = found["given_back"], found["given_back_base"], found["personal"]
    measured = say("given-back", n=found["n"], share=share, base=base, personal=personal)
    return Test("memorisation", share - base <= cfg.given_back and not personal, measured, wanted)


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
        told = "、".join(test_name(test["name"], japanese=True) for test in held)
        english = ", ".join(test["name"] for test in held)
        why = Markup("<p>{} のすべてで基準を満たした。<small>It met every test: {}.</small></p>").format(told, english)
        parts.append(section("合格の理由", "Why", why))
    parts.append(section("試験", "Tests", _table(content["tests"])))
    if content.get("changes"):
        parts.append(section("現行からの変更", "Changes since the champion", _changed(content["changes"])))
    return page(f"昇格判定 Promotion gate {content['challenger']}", parts, _STYLE)


def _reason(test: Mapping[str, Any]) -> Markup:
    line = Markup('<p class="why"><b>{}</b>: {}。基準: {}。<small>{}: {}; wanted {}.</small></p>')
    said = [told(test[which], japanese) for japanese in (True, False) for which in ("measured", "wanted")]
    return line.format(test_name(test["name"], japanese=True), *said[:2], test["name"], *said[2:])


def _both(held: str | Mapping[str, Any]) -> Markup:
    """Words in Japanese, with the English beneath where they differ."""
    japanese, english = told(held, japanese=True), told(held, japanese=False)
    return (
        Markup("{}<small>{}</small>").format(japanese, english) if japanese != english else Markup("{}").format(english)
    )


def _table(tests: Sequence[Mapping[str, Any]]) -> Markup:
    marks = {True: ("合格", "passed"), False: ("不合格", "FAILED"), None: ("対象なし", "not measured")}
    both = Markup("{}<small>{}</small>")
    rows = []
    for test in tests:
        mark = both.format(*marks[test["passed"]])
        said = [_both(test[name]) for name in ("measured", "wanted")]
        shown = Markup('<span class="bad">{}</span>').format(mark) if test["passed"] is False else mark
        rows.append((both.format(test_name(test["name"], japanese=True), test["name"]), shown, *said))
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
