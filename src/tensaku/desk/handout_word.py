"""Finals as one Word file: in a plain form, or in the house's own template."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from tensaku.desk.handed import Handed, past, past_columns, section_name, seen
from tensaku.desk.template import FundMonth, open_template
from tensaku.desk.words import WORDS, Language, month_name

__all__ = ["word"]


def word(found: Sequence[Handed], language: Language, history: bool, template: Path | None) -> bytes:
    """The content of a .docx; funds in the order of `found`, each with its sections in that order.

    Raises:
        UsageError: the template cannot be used, or has no place for one of the comments.
    """
    document = _plain(found, language, history) if template is None else _filled(found, language, history, template)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _filled(found: Sequence[Handed], language: Language, history: bool, path: Path) -> Any:
    template = open_template(path, [one.draft.section for one in found])
    document = template.document
    if template.empty:
        _write(document, found, language, history)
        return document
    groups = [list(group) for _, group in groupby(found, key=_fund_month)]
    ends = template.fill([_fund(group) for group in groups], language, datetime.now().astimezone().date())
    if history:
        for group, end in zip(groups, ends, strict=True):
            for element in _histories(document, group, language):
                end.addnext(element)
                end = element
    return document


def _fund_month(one: Handed) -> tuple[str, str]:
    return one.draft.as_of, one.draft.fund


def _fund(group: Sequence[Handed]) -> FundMonth:
    """Several comments of one section, as of two managers, stand one after the other."""
    texts: dict[str, str] = {}
    for one in group:
        text, section = seen(one.final.text), one.draft.section
        texts[section] = f"{texts[section]}\n{text}" if section in texts else text
    managers = tuple(dict.fromkeys(seen(one.draft.manager) for one in group))
    return FundMonth(seen(group[0].draft.fund), group[0].draft.as_of, managers, texts)


def _plain(found: Sequence[Handed], language: Language, history: bool) -> Any:
    import docx
    from docx.oxml.ns import qn
    from docx.shared import Mm, Pt

    document = docx.Document()
    page = document.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    for name, size in (("Normal", 10.5), ("Title", 18), ("Heading 1", 14), ("Heading 2", 11.5), ("Heading 3", 10.5)):
        style = document.styles[name]
        style.font.size = Pt(size)
        if language == "ja":
            style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), "游明朝")
    _write(document, found, language, history)
    return document


def _write(document: Any, found: Sequence[Handed], language: Language, history: bool) -> None:
    """Fund, section and text under the document's own headings, behind what stands there."""
    for (as_of, fund), group in groupby(found, key=_fund_month):
        document.add_heading(f"{seen(fund)}　{month_name(as_of, language)}", 1)
        for one in group:
            document.add_heading(seen(section_name(one.draft, language)), 2)
            for line in seen(one.final.text).split("\n"):
                document.add_paragraph(line)
            if history:
                document.add_heading(WORDS[language]["history"], 3)
                _history(document, one, language)


def _histories(document: Any, group: Sequence[Handed], language: Language) -> list[Any]:
    """A title and a table for each comment, taken out of the document again to be put where they belong."""
    made = []
    for one in group:
        title = document.add_paragraph()
        title.add_run(f"{WORDS[language]['history']}　{seen(section_name(one.draft, language))}").bold = True
        made += [title._element, _history(document, one, language)._element]
    return made


def _history(document: Any, one: Handed, language: Language) -> Any:
    columns = past_columns(language)[3:]
    grid = "Table Grid" in {style.name for style in document.styles}  # a house's template may not have it
    table = document.add_table(rows=1, cols=len(columns), style="Table Grid" if grid else None)
    for values in [columns, *(row[3:] for row in past(one, language))]:
        cells = table.rows[0].cells if values is columns else table.add_row().cells
        for cell, value in zip(cells, values, strict=True):
            cell.text = seen(value)
    return table
