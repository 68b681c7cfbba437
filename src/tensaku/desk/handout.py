"""Finals handed out as Word, Excel, CSV or JSON, one or many, with their history if wanted.

Nothing in a text becomes a formula, a field or a reference in the file: what a spreadsheet would compute is marked as
text, characters that XML cannot hold are left out, and so are marks that turn the direction of reading.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from tensaku.desk.handed import Handed, columns, gather, past, past_columns, seen, values_of
from tensaku.desk.handout_word import word
from tensaku.desk.words import WORDS, Language
from tensaku.errors import NotFound

__all__ = ["FORMS", "Form", "Handed", "gather", "handout", "media_type"]

Form = Literal["docx", "xlsx", "csv", "json"]
FORMS: tuple[Form, ...] = get_args(Form)

_MEDIA: Mapping[str, str] = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
_FORMULA = re.compile(r"^[\s'\"]*[=+\-@＝＋－＠|%]")


def media_type(form: Form) -> str:
    """The type that a browser is told."""
    return _MEDIA[form]


def handout(
    found: Sequence[Handed],
    form: str,
    *,
    language: Language = "ja",
    history: bool = False,
    template: Path | None = None,
) -> bytes:
    """The file's content.

    Args:
        found: what `gather` gave.
        form: one of `FORMS`.
        language: of headings; the texts stay as they are.
        history: with every earlier version and each decision, its reason and who made it.
        template: the house's own Word file (see `tensaku.desk.template`); None: a plain one.

    Raises:
        NotFound: no such form.
        UsageError: the template cannot be used, or has no place for one of the comments.
    """
    if form == "docx":
        return word(found, language, history, template)
    makers: Mapping[str, Callable[[Sequence[Handed], Language, bool], bytes]] = {
        "xlsx": _excel,
        "csv": _csv,
        "json": _json,
    }
    if form not in makers:
        raise NotFound("form", form, list(FORMS))
    return makers[form](found, language, history)


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: one that begins like one gets a leading apostrophe."""
    text = seen(text)
    return f"'{text}" if _FORMULA.match(text) else text


def _json(found: Sequence[Handed], language: Language, history: bool) -> bytes:
    rows: list[dict[str, Any]] = []
    for one in found:
        row: dict[str, Any] = {key: getattr(one.draft, key) for key in ("as_of", "fund", "section", "manager")}
        row |= {"text": one.final.text, "by": one.final.by, "at": one.final.at.isoformat()}
        row |= {"reasons": dict(one.final.reasons), "final": one.final.id, "draft": one.draft.id}
        if history:
            row["history"] = [dict(zip(past_columns("en"), line, strict=True)) for line in past(one, "en")]
        rows.append(row)
    return (json.dumps(rows, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace")


def _csv(found: Sequence[Handed], language: Language, history: bool) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(past_columns(language) if history else columns(language))
    for one in found:
        for row in past(one, language) if history else [values_of(one, language)]:
            writer.writerow([_cell(value) for value in row])
    return out.getvalue().encode("utf-8-sig")  # Excel reads UTF-8 only with its mark


def _excel(found: Sequence[Handed], language: Language, history: bool) -> bytes:
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font, PatternFill

    t = WORDS[language]
    book = Workbook()
    sheets = [(t["out_finals"], columns(language), [values_of(one, language) for one in found])]
    if history:
        sheets.append((t["history"], past_columns(language), [row for one in found for row in past(one, language)]))
    for number, (title, above, rows) in enumerate(sheets):
        sheet = book.active if number == 0 else book.create_sheet()
        sheet.title = title
        for x, values in enumerate([above, *rows], start=1):
            for y, value in enumerate(values, start=1):
                cell = sheet.cell(x, y)
                cell.value = _cell(value)
                cell.data_type = "s"  # whatever it begins with
                cell.alignment = Alignment(wrap_text=True, vertical="top")
                cell.font = Font(name="游ゴシック" if language == "ja" else "Calibri", size=11, bold=x == 1)
                if x == 1:
                    cell.fill = PatternFill("solid", start_color="E9EEF4")
        for y, column in enumerate(zip(above, *rows, strict=True), start=1):
            longest = max(len(value) for value in column)
            sheet.column_dimensions[sheet.cell(1, y).column_letter].width = min(70, max(12, 2 * min(longest, 35)))
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = sheet.dimensions
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
