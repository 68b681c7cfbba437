"""The page itself: one file, no script, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources

from markupsafe import Markup

__all__ = ["page"]

_PAGE = Markup(
    '<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    '<meta name="color-scheme" content="light dark">\n'
    "<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
)


def page(title: str, parts: Iterable[Markup], style: str = "", *, language: str = "ja") -> str:
    """A whole page with the parts that are not empty.

    Args:
        title: in both languages.
        parts: one after the other.
        style: more style sheet, for what only this report has; the project's own text, never data.
        language: that most of it is in.
    """
    common = resources.files("tensaku.report").joinpath("style.css").read_text(encoding="utf-8")
    body = Markup("\n").join(part for part in parts if part)
    style = Markup(common + style)  # noqa: S704  our own files
    return _PAGE.format(title=title, style=style, body=body, language=language)
