"""The pieces that sections are made of: headings, tables, figures, and what things are called."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

from markupsafe import Markup

__all__ = ["KIND_NAMES", "ROW_NAMES", "count", "grid", "page", "percent", "row_name", "scorer_name", "section"]

_PAGE = Markup(
    '<!doctype html>\n<html lang="ja">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    '<meta name="color-scheme" content="light dark">\n'
    "<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
)
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


def page(title: str, body: Markup) -> str:
    """A whole page that needs nothing else."""
    style = resources.files("tensaku.evaluate.report").joinpath("style.css").read_text(encoding="utf-8")
    return str(_PAGE.format(title=title, style=Markup(style), body=body))  # noqa: S704  our own file


def section(title: str, english: str, body: Markup) -> Markup:
    """A section with its heading in both languages."""
    return Markup('<section class="part"><h2>{}<small>{}</small></h2>{}</section>').format(title, english, body)


def grid(heads: Sequence[Any], rows: Sequence[Sequence[Any]], numbers_from: int = 1) -> Markup:
    """A table; columns from `numbers_from` on are set as figures, flush right."""

    def style(place: int) -> str:
        return "n" if place >= numbers_from else "w"

    cell = Markup('<td class="{}">{}</td>')
    head = Markup().join(Markup('<th class="{}">{}</th>').format(style(i), value) for i, value in enumerate(heads))
    body = Markup().join(
        Markup("<tr>{}</tr>").format(Markup().join(cell.format(style(i), value) for i, value in enumerate(row)))
        for row in rows
    )
    return Markup('<div class="scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>').format(
        head, body
    )


def count(n: float) -> str:
    """A whole number with its thousands set apart."""
    return f"{n:,.0f}"


def percent(share: float) -> str:
    """A share of 0 to 1 in percent with one decimal; 100 only if it is all."""
    shown = f"{100 * share:.1f}"
    return f"{'99.9' if shown == '100.0' and share < 1 else shown} %"


def row_name(name: str) -> Markup:
    """What a row is called."""
    japanese, english = ROW_NAMES.get(name, (name, ""))
    return Markup("{}<small>{}</small>").format(japanese, english)


def scorer_name(label: str) -> str:
    """What a scorer is called."""
    return SCORER_NAMES.get(label, label)
