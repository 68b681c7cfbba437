"""Where the figures come from: the data with everything that was set aside, and the artifacts that went in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from markupsafe import Markup

from tensaku.evaluate.report.pieces import DASH, row_words, scorer_name
from tensaku.evaluate.results import Results
from tensaku.report import count, grid, section
from tensaku.store import Artifact

__all__ = ["data_section", "discipline_section", "lineage_section"]

REASONS = {
    "not-json": "JSON でない行",
    "not-an-object": "オブジェクトでない行",
    "not-csv": "CSV でない行",
    "field-count": "列の数が合わない行",
    "missing-field": "必要な列がない行",
    "wrong-type": "型の誤り",
    "lone-surrogate": "壊れた文字",
    "empty-field": "空の項目",
    "bad-as-of": "年月が読めない行",
    "lost-characters": "失われた文字",
    "empty-draft": "原稿が空",
    "empty-final": "公表文が空",
    "too-long": "長すぎる文章",
    "identical-sides": "原稿と公表文が同じ",
    "duplicate": "同じ対の重複",
    "contradictory-twin": "同じ原稿に別の公表文",
    "duplicate-id": "番号の重複",
    "exam-family": "試験と同じ族",
    "exam-draft": "試験と同じ原稿",
    "exam-final": "試験と同じ公表文",
    "near-exam": "試験に酷似",
}
"""What a reason for setting a row aside is called in the report; one that is not here shows by its own name."""

INPUTS = {"exam": "試験", "lessons": "学習用の対", "base": "基盤モデル", "adapter": "調整したもの"}


def data_section(exam: Mapping[str, Any], lessons: Mapping[str, Any]) -> Markup:
    """How many rows came in, what was set aside and why, what became lessons and what the exam."""
    pool: Mapping[str, Any] = lessons.get("pool", {})
    source: Mapping[str, Any] = pool.get("source", {})
    came = sum(file["rows"] for file in source.get("files", ()))
    flow = [
        ("取り込んだ行", "rows read", came or pool.get("n", 0)),
        ("整えた対", "pairs in the pool", pool.get("n", 0)),
        ("学習用", "lessons", lessons.get("n", 0)),
        ("試験", "exam", exam.get("n", 0)),
    ]
    boxes = [
        Markup("<div><b>{}</b><span>{}</span><small>{}</small></div>").format(count(n), name, english)
        for name, english, n in flow
    ]
    joined = Markup('{}<span class="arrow">→</span>{}<span class="arrow">→</span>{}<span class="arrow">＋</span>{}')
    steps = joined.format(*boxes)
    return section(
        "データの由来",
        "Where the data come from",
        Markup('<div class="flow">{}</div>').format(steps)
        + _set_aside(source, pool, lessons)
        + _overlap(exam, lessons),
    )


def _set_aside(source: Mapping[str, Any], pool: Mapping[str, Any], lessons: Mapping[str, Any]) -> Markup:
    rows: list[list[Any]] = []
    for file in source.get("files", ()):
        rows += [["取り込み ingest", *_reason(reason), file["file"], n] for reason, n in file["set_aside"].items()]
    for step in pool.get("steps", ()):
        rows += [["整え curate", *_reason(reason), f"step {step['step']}", n] for reason, n in step["dropped"].items()]
    rows += [["試験との照合 lessons", *_reason(reason), "", n] for reason, n in lessons.get("dropped", {}).items()]
    if not rows:
        return Markup("<p>除いた行はない。<small>No row was set aside.</small></p>")
    cells = [
        [stage, Markup("{}<small>{}</small>").format(name, reason), where, count(n)]
        for stage, name, reason, where, n in rows
    ]
    cells.append([Markup("<b>計</b>"), "", "", Markup("<b>{}</b>").format(count(sum(row[-1] for row in rows)))])
    return grid(["段階 stage", "理由 reason", "場所 where", "件 rows"], cells, numbers_from=3)


def _reason(reason: str) -> tuple[str, str]:
    return REASONS.get(reason, reason), reason


def _overlap(exam: Mapping[str, Any], lessons: Mapping[str, Any]) -> Markup:
    """How much of the exam the lessons could have given away."""
    share = 100 * float(lessons.get("form_seen_share", 0.0))
    exam_months, lesson_months = exam.get("months", {}), lessons.get("months", {})
    return Markup(
        "<p>学習は {} から {} まで、試験は {} から {} まで。"
        "同じ族が両方に立つことはない（またいだ族 {}）。"
        "試験の公表文の文のうち {:.1f} % は、数値や名称を伏せた形が学習用の公表文にもある。"
        "酷似する学習用の対は {}（類似 {} 以上）。"
        "<small>Split by date; no family on both sides. {:.1f} % of the exam's sentences have a form, facts masked, "
        "that also stands in the lessons.</small></p>"
    ).format(
        *(lesson_months.get(end, "?") for end in ("first", "last")),
        *(exam_months.get(end, "?") for end in ("first", "last")),
        exam.get("families_across", 0),
        share,
        lessons.get("near_copies", 0),
        lessons.get("near", "?"),
        share,
    )


def lineage_section(lineage: Mapping[str, Artifact], results: Results) -> Markup:
    """The artifacts that went in, with their own inputs, and who answered."""
    rows = []
    for name, artifact in lineage.items():
        inputs = Markup("<br>").join(
            Markup("{} <code>{}</code>").format(key, ref) for key, ref in artifact.inputs.items()
        )
        rows.append(
            [
                Markup("{}<small>{}</small>").format(INPUTS.get(name, name), name),
                Markup("<code>{}</code>").format(artifact.ref),
                inputs or "—",
            ]
        )
    body = grid(["入力 input", "成果物 artifact", "その元 made from"], rows, numbers_from=9)
    base = lineage["base"].facts
    held = [("base SHA-256", base.get("sha256") or base.get("hash")), ("licence", base.get("licence"))]
    answers = results.rows["tuned"].answers
    if answers:
        held += list(next(iter(answers.values())).provenance.items())
    listed = Markup().join(
        Markup("<dt>{}</dt><dd><code>{}</code></dd>").format(key, value) for key, value in held if value
    )
    return section("系譜", "Lineage", body + Markup('<dl class="keys">{}</dl>').format(listed))


_NETS = {
    "exact": ("学習用と同じ文章", "equal to a lesson"),
    "near": ("酷似（5 文字の連なりの Jaccard 0.8 以上）", "near-copy: Jaccard of runs of 5 characters, 0.8 or more"),
    "run": ("50 文字以上の同じ連なり", "50 characters in a row"),
}


def discipline_section(results: Results, called: Callable[[str], str] = row_words) -> Markup:
    """What of the exam the lessons give away, the scores without it, and months that could not be known.

    Args:
        called: what a row is called.
    """
    found = results.discipline
    if not found:
        return Markup()
    label = results.first
    rows = [name for name, row in results.rows.items() if len(row.answers) == len(results.pairs)]
    heads: list[Any] = ["", "件 n", *map(called, rows)]
    whole = [_with_interval(asdict(results.rows[name].scores[label])) for name in rows]
    lines: list[list[Any]] = [[Markup("試験の全体<small>the whole exam</small>"), len(results.pairs), *whole]]
    for net, (japanese, english) in _NETS.items():
        held = found["clean"][net]
        figures = [_with_interval(held["rows"][name][label]) if name in held["rows"] else DASH for name in rows]
        more = ("除く", "without") if net == "exact" else ("さらに除く", "nor")
        lines.append(
            [Markup("{}: {}<small>{}: {}</small>").format(more[0], japanese, more[1], english), held["n"], *figures]
        )
    named = Markup().join(
        Markup("<li><code>{}</code> {} → <code>{}</code>（{:.0f} %）</li>").format(
            one["id"], "原稿" if one["side"] == "draft" else "公表文", one["lesson"], 100 * one["likeness"]
        )
        for one in found["overlaps"]
    )
    ahead = Markup().join(
        Markup("<li><code>{}</code> {}</li>").format(one["id"], one["text"]) for one in found["ahead"]
    )
    facts = Markup(
        "<p>試験の月以後の学習用の対 {}・合い札のある学習用の対 {}・合い札 <code>{}</code>"
        "<small>Lessons of the exam's months or later; lessons with a canary; this exam's canary.</small></p>"
    ).format(found["newer_lessons"], found["canaries_in_lessons"], found["canary"])
    lists = Markup(
        "<details><summary>重なる対 {}<small>pairs that overlap, with the lesson</small></summary><ul>{}</ul></details>"
        "<details><summary>対の月より後の年月 {}<small>months named that come after the pair's own</small></summary>"
        "<ul>{}</ul></details>"
    ).format(len(found["overlaps"]), named, len(found["ahead"]), ahead)
    note = Markup("<p>得点は {}（95 % 区間）。<small>Scores are {}, with 95 % intervals.</small></p>").format(
        scorer_name(label), label
    )
    return section("試験の純度", "How clean the exam is", grid(heads, lines) + note + facts + lists)


def _with_interval(score: Mapping[str, Any]) -> Markup:
    return Markup("<b>{:.1f}</b><small>{:.1f} – {:.1f}</small>").format(score["value"], score["low"], score["high"])
