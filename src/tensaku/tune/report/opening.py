"""The head of the report: what was trained, the figures that matter most, the outcome in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from tensaku.report import Figure, cards, count, duration
from tensaku.tune.report.course import Course

__all__ = ["METHODS", "opening"]

METHODS = {
    "prompt": ("例示のみ（重みは変えない）", "prompt: examples only, no weights"),
    "lora": ("LoRA（低ランクの追加の重み）", "LoRA: low-rank weights beside the frozen base"),
    "qlora": ("QLoRA（量子化した基盤の上の LoRA）", "QLoRA: LoRA over a quantised base"),
    "full": ("全重みの調整", "full: every weight is tuned"),
    "dpo": ("DPO（書き手の採否から）", "DPO: from the writers' decisions"),
    "pretrain": ("継続事前学習", "continued pre-training"),
}


def opening(course: Course, facts: Mapping[str, Any]) -> Markup:
    """Title, figures, outcome and warnings."""
    method = str(facts.get("method", ""))
    japanese, english = METHODS.get(method, (method, ""))
    return Markup(
        '<header class="opening"><p class="brand">添削<small>Tensaku</small></p>'
        "<h1>学習報告書<small>Training report</small></h1>"
        '<p class="lead">{}<small>{}</small></p></header>{}{}{}'
    ).format(japanese, english, cards(_figures(course, facts)), _outcome(course), _warnings(facts))


def _figures(course: Course, facts: Mapping[str, Any]) -> list[Figure]:
    """Four figures at most, of those that are known."""
    found = []
    if course.steps:
        first, last = course.steps[0]["loss"], facts.get("last_loss", course.steps[-1]["loss"])
        found.append(Figure("学習の損失", f"{last:.3f}", f"最初は {first:.3f}", "training loss at the end"))
    best = _best(course)
    if best:
        meaning = f"ステップ {count(best[0])} で最小"
        found.append(Figure("検証の損失", f"{best[1]:.3f}", meaning, "lowest loss on lessons held out"))
    if _number(facts, "tune_seconds"):
        meaning = f"{count(len(course.steps))} ステップ" if course.steps else "探索を含む"
        found.append(Figure("所要時間", duration(facts["tune_seconds"]), meaning, "time taken"))
    if _number(facts, "lessons"):
        found.append(Figure("学習用の対", count(facts["lessons"]), "学習に使った件数", "lessons learnt from"))
    if _number(facts, "k"):
        found.append(Figure("例の数", count(facts["k"]), "一度に示す過去の対", "examples shown with each question"))
    if _number(facts, "peak_memory_mb"):
        found.append(Figure("最大メモリ", f"{count(facts['peak_memory_mb'])} MB", "学習中の最大", "peak memory"))
    if _number(facts, "size_mb"):
        found.append(
            Figure("成果の大きさ", f"{facts['size_mb']:,.1f} MB", "できあがったファイル", "size of the result")
        )
    return found if len(found) <= 4 else [figure for figure in found if figure.label != "学習用の対"][:4]


def _best(course: Course) -> tuple[int, float] | None:
    measured = [(int(step), loss) for step, loss in course.by_step("validation_loss") if loss is not None]
    return min(measured, key=lambda pair: pair[1], default=None)


def _outcome(course: Course) -> Markup:
    """How the loss went, in one sentence."""
    if len(course.steps) < 2:
        return Markup()
    tail = [row["loss"] for row in course.steps[-max(1, len(course.steps) // 10) :]]
    first, last = course.steps[0]["loss"], sum(tail) / len(tail)
    fell = last < first
    best, end = _best(course), course.steps[-1]["step"]
    japanese = f"学習の損失は {first:.3f} から {last:.3f} へ{'下がった' if fell else '下がらなかった'}。"
    english = f"The training loss went from {first:.3f} to {last:.3f}"
    if best:
        japanese += f"検証の損失はステップ {best[0]:,} で最も低く {best[1]:.3f}（全 {end:,} ステップ）。"
        english += f"; the validation loss was lowest at step {best[0]:,} of {end:,}: {best[1]:.3f}"
    else:
        japanese += "検証に取り分けた対はない。"
        english += "; no lessons were held out to validate"
    return Markup('<p class="statement{}">{}<small>{}.</small></p>').format("" if fell else " bad", japanese, english)


def _warnings(facts: Mapping[str, Any]) -> Markup:
    """What the training warns of."""
    held = facts.get("memorised")
    if not isinstance(held, Mapping):
        return Markup()
    text = Markup('<p class="warning"><b>注意</b><span>{}<small>{}</small></span></p>')
    return text.format(held.get("ja", ""), held.get("en", ""))


def _number(facts: Mapping[str, Any], name: str) -> bool:
    return isinstance(facts.get(name), int | float) and not isinstance(facts[name], bool)
