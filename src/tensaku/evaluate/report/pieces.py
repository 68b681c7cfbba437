"""What the rows, facts and scorers of an evaluation are called in its report."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from tensaku.report import Bar

__all__ = ["CHANGE_NAMES", "DASH", "KIND_NAMES", "ROW_NAMES", "row_name", "row_words", "scale_end", "scorer_name"]

DASH = "—"
"""What stands where there is no figure."""

ROW_NAMES = {
    "draft": ("原稿のまま", "draft, untouched"),
    "rules": ("規則だけ", "replacements alone"),
    "majority": ("最頻の答えだけ", "most frequent answer"),
    "base": ("基盤モデル", "base model"),
    "tuned": ("調整済みモデル", "tuned model"),
    "tuned_fp32": ("調整済み（fp32）", "tuned, weights in fp32"),
}
KIND_NAMES = {
    "number": ("数値", "number"),
    "percent": ("割合", "percent"),
    "date": ("日付", "date"),
    "unit": ("単位つきの値", "unit"),
    "name": ("名称", "name"),
    "negation": ("否定", "negation"),
}
SCORER_NAMES = {
    "bleu": "BLEU（語）",
    "bleu-char": "BLEU（文字）",
    "chrf": "chrF",
    "ter": "TER（語）",
    "ter-char": "TER（文字）",
    "edits": "直しの F0.5",
    "strokes": "打鍵数／件",
    "exact": "完全一致 %",
    "f1": "F1（マクロ）",
    "f1-macro": "F1（マクロ）",
    "f1-micro": "F1（マイクロ）",
    "fields": "JSON 項目の F1",
}
CHANGE_NAMES = {
    "figure": ("数値・日付の書き方", "figures and dates"),
    "term": ("語句", "words"),
    "ending": ("文末", "end of a sentence"),
    "joint": ("助詞・つなぎ", "particles and the like"),
    "mark": ("記号", "marks"),
    "cut": ("削除", "taken out"),
    "added": ("追加", "put in"),
}


def row_words(name: str) -> str:
    """A row's Japanese name alone; a candidate's own."""
    return ROW_NAMES.get(name, (name, ""))[0]


def scale_end(bars: Sequence[Bar]) -> float:
    """Where the scale ends: at 100, or for figures that go beyond it at the next round one."""
    most = round(max(bar.high for bar in bars), 6)  # a full score may come out a hair above 100
    return 100.0 if most <= 100 else 100.0 * math.ceil(most / 100)


def row_name(name: str) -> Markup:
    """What a row is called."""
    japanese, english = ROW_NAMES.get(name, (name, ""))
    return Markup("{}<small>{}</small>").format(japanese, english)


def scorer_name(label: str) -> str:
    """What a scorer is called."""
    return SCORER_NAMES.get(label, label)
