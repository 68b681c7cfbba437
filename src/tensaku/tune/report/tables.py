"""The tables: lessons, settings, everything else that was found out, and how to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from typing import Any

from markupsafe import Markup

from tensaku.report import count, grid, section
from tensaku.tune.report.course import Course

__all__ = ["lessons", "reading", "results", "settings"]

LESSONS = {
    "lessons": ("学習に使った対", "lessons learnt from"),
    "validation_lessons": ("検証に取り分けた対", "held out to validate"),
    "too_long": ("長すぎて除いた対", "too long, left out"),
    "duplicates": ("ほかの対と答えが同じ対", "with an answer that another lesson has"),
}
"""Facts that count lessons; a list counts as its length."""

FACTS = {
    "method": ("方法", "method"),
    "form": ("成果の形", "form of the result"),
    "base": ("基盤モデル", "base model"),
    "steps": ("ステップ", "steps"),
    "kept_step": ("採用したステップ", "step whose weights were kept"),
    "trainable_parameters": ("学習した重みの数", "weights that learnt"),
    "tune_seconds": ("学習時間（秒）", "seconds"),
    "tokens_per_second": ("処理速度", "tokens a second"),
    "first_loss": ("最初の損失", "first loss"),
    "last_loss": ("最後の損失", "last loss"),
    "validation_loss": ("検証の損失", "validation loss"),
    "peak_memory_mb": ("最大メモリ（MB）", "peak memory, MB"),
    "peak_tree_mb": ("子プロセスを含む最大メモリ（MB）", "peak memory with child processes, MB"),
    "size_mb": ("成果の大きさ（MB）", "size of the result, MB"),
    "energy_joules": ("電力量（J）", "energy, J"),
    "cpu_cores_mean": ("平均 CPU コア", "mean cores in use"),
    "written_mb": ("書き込み（MB）", "written to disk, MB"),
    "runs": ("実行回数（再開を含む）", "runs, resumes included"),
    "watched_seconds": ("観測時間（秒）", "seconds watched"),
    "threads": ("スレッド", "threads"),
    "core": ("計算の中核", "training core"),
    "precision": ("数値の形式", "number format"),
    "processes": ("プロセス", "processes"),
    "matrix_gflops": ("行列積の速さ（GFLOP/s）", "speed of a plain product, GFLOP/s"),
    "k": ("例の数", "examples shown"),
    "order": ("例の並び", "order of the examples"),
}
"""What a fact is called; one that is not here shows by its own name."""

SETTINGS = {
    "method": "方法",
    "epochs": "反復回数",
    "learning_rate": "学習率",
    "batch": "一歩の対の数",
    "rank": "階数",
    "alpha": "重み係数",
    "layers": "学習する層（0 は全層）",
    "targets": "対象の行列（空は全部）",
    "rslora": "階数の平方根で割る",
    "dora": "大きさと向きを分ける",
    "dropout": "ドロップアウト",
    "context": "最大トークン数",
    "seed": "乱数の種",
    "validation": "検証の割合",
    "patience": "早期終了までの猶予",
    "precision": "数値の形式",
    "processes": "プロセス",
    "core": "計算の中核",
}

NOTES = (
    (
        "steps",
        "損失",
        "公表文の一トークンあたりの意外さ（自然対数）。薄い線は一歩ごと、濃い線は前後の平均。低いほどよい。",
        "Surprise per token of the final text, in nats; the bold line is a centred mean. Lower is better.",
    ),
    (
        "steps",
        "検証",
        "学習に使わない対での損失。学習の損失だけが下がり、これが上がれば、覚え込みの印。",
        "Loss on lessons held out. If it rises while the training loss falls, the lessons are being memorised.",
    ),
    (
        "samples",
        "CPU とメモリ",
        "この学習とその子プロセスの合計。コア 2 は二つを使い切ったこと。共有されたメモリは重ねて数える。",
        "This training and its child processes together; memory they share counts in each.",
    ),
    (
        "samples",
        "電力量",
        "処理装置全体の計数器から。同じ機械のほかの仕事も含む。",
        "From the counters of the whole processor, other work on the machine included.",
    ),
    (
        "resumed",
        "再開",
        "中断のあと、最後の保存点から続けた所。機械の図は失われた分も含み、速度の図は含まない。",
        "Where a broken run went on from its last checkpoint. Work that was lost is in the charts of the machine only.",
    ),
)
"""How to read what is shown: each note belongs to one kind of log."""


def lessons(facts: Mapping[str, Any]) -> Markup:
    """How many lessons there were and what became of them."""
    counts = [(name, _many(facts[key])) for key, name in LESSONS.items() if key in facts]
    known = [(name, n) for name, n in counts if n is not None]
    if not known:
        return Markup()
    boxes = [
        Markup("<div><b>{}</b><span>{}</span><small>{}</small></div>").format(count(n), *name) for name, n in known
    ]
    body = Markup('<div class="flow">{}</div>').format(Markup().join(boxes))
    left_out = facts.get("too_long")
    if isinstance(left_out, Sequence) and not isinstance(left_out, str) and left_out:
        named = ", ".join(map(str, left_out[:20])) + (" ..." if len(left_out) > 20 else "")
        body += Markup("<p>長すぎて除いた対 left out as too long: <code>{}</code></p>").format(named)
    return section("学習用の対", "Lessons", body)


def settings(config: Mapping[str, Any]) -> Markup:
    """Every setting of the section."""
    if not config:
        return Markup()
    rows = [[Markup("<code>tune.{}</code>").format(key), SETTINGS.get(key, ""), _plain(config[key])] for key in config]
    return section("設定", "Settings", _halves(["設定 setting", "意味 meaning", "値 value"], rows, 2))


def results(course: Course, facts: Mapping[str, Any]) -> Markup:
    """Every fact that is one figure or word, besides those that count lessons."""
    rows = []
    ordered = [*(key for key in FACTS if key in facts), *(key for key in facts if key not in FACTS)]
    for key in ordered:
        value = facts[key]
        if key in LESSONS or not isinstance(value, int | float | str):
            continue
        japanese, english = FACTS.get(key, (key, ""))
        rows.append([Markup("{}<small>{}</small>").format(japanese, english or key), _plain(value)])
    if not rows:
        return Markup()
    return section("結果の一覧", "All figures", _halves(["項目 fact", "値 value"], rows, 1))


def reading(course: Course) -> Markup:
    """How to read the figures, of what is shown."""
    shown = {"steps": course.steps, "samples": course.samples, "resumed": course.resumed_seconds}
    notes = [note[1:] for note in NOTES if shown[note[0]]]
    if not notes:
        return Markup()
    listed = Markup().join(
        Markup("<dt>{}</dt><dd>{}<small>{}</small></dd>").format(name, japanese, english)
        for name, japanese, english in notes
    )
    return section("読み方", "How to read this", Markup('<dl class="notes">{}</dl>').format(listed))


def _halves(heads: Sequence[str], rows: Sequence[Sequence[Any]], numbers_from: int) -> Markup:
    """Two tables side by side."""
    middle = (len(rows) + 1) // 2
    tables = [grid(heads, half, numbers_from) for half in (rows[:middle], rows[middle:]) if half]
    return Markup('<div class="halves">{}</div>').format(Markup().join(tables))


def _many(value: Any) -> int | None:
    if isinstance(value, Sized) and not isinstance(value, str):
        return len(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _plain(value: Any) -> str:
    """A value as it is read: thousands set apart, no needless decimals."""
    if isinstance(value, bool):
        return "はい yes" if value else "いいえ no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value)) or "—"
    return "—" if value is None or value == "" else str(value)
