"""What the rows, facts and scorers of an evaluation are called in its report."""

from __future__ import annotations

from markupsafe import Markup

__all__ = ["KIND_NAMES", "ROW_NAMES", "row_name", "scorer_name"]

ROW_NAMES = {
    "draft": ("原稿のまま", "draft, untouched"),
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
SCORER_NAMES = {"bleu": "BLEU（語）", "bleu-char": "BLEU（文字）", "chrf": "chrF", "exact": "完全一致 %"}


def row_name(name: str) -> Markup:
    """What a row is called."""
    japanese, english = ROW_NAMES.get(name, (name, ""))
    return Markup("{}<small>{}</small>").format(japanese, english)


def scorer_name(label: str) -> str:
    """What a scorer is called."""
    return SCORER_NAMES.get(label, label)
