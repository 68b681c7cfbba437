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
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from tensaku.desk.words import WORDS, Language, month_name
from tensaku.errors import NotFound, UsageError
from tensaku.ledger import DecisionRow, DraftRow, FinalRow, Ledger, RevisionRow
from tensaku.revise import SECTIONS

__all__ = ["FORMS", "Form", "Handed", "gather", "handout", "media_type"]

Form = Literal["docx", "xlsx", "csv", "json"]
FORMS: tuple[Form, ...] = get_args(Form)

_MEDIA: Mapping[str, str] = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)
_FORMULA = re.compile(r"^[\s'\"]*[=+\-@＝＋－＠|%]")


@dataclass(frozen=True, slots=True)
class Handed:
    """One final with what led to it. `decisions` are in order of time, the newest of a change last."""

    draft: DraftRow
    final: FinalRow
    finals: tuple[FinalRow, ...]
    revisions: tuple[RevisionRow, ...]
    decisions: tuple[DecisionRow, ...]


def media_type(form: Form) -> str:
    """The type that a browser is told."""
    return _MEDIA[form]


def gather(
    ledger: Ledger, *, draft: int | None = None, month: str | None = None, fund: str | None = None
) -> list[Handed]:
    """The newest finals of one draft, or of all that match, by month, fund and section as a report has them. Blocks.

    Where a second person reviews, a comment goes out only once its newest version is approved.

    Raises:
        NotFound: no such draft.
        UsageError: nothing that matches is saved, or nothing is approved, yet.
    """
    rows = [ledger.draft(draft)] if draft is not None else ledger.drafts(as_of=month, fund=fund)
    order = list(SECTIONS["ja"])
    rows.sort(key=lambda d: (d.as_of, d.fund, order.index(d.section) if d.section in order else 99, d.id))
    found, waiting = [], 0
    approved = ledger.approved_finals() if ledger.review else set()
    for row in rows:
        finals = ledger.finals(row.id)
        if finals and ledger.review and finals[0].id not in approved:
            waiting += 1
        elif finals:
            said = tuple(ledger.decisions(row.id, newest=False))
            found.append(Handed(row, finals[0], tuple(finals), tuple(ledger.revisions(row.id)), said))
    if not found and waiting:
        raise UsageError("what is saved waits for a second person's approval", fix="Have it reviewed at /review")
    if not found:
        raise UsageError("nothing is saved yet that could be handed out", fix="Save a comment, or name another month")
    return found


def handout(found: Sequence[Handed], form: str, *, language: Language = "ja", history: bool = False) -> bytes:
    """The file's content.

    Args:
        found: what `gather` gave.
        form: one of `FORMS`.
        language: of headings; the texts stay as they are.
        history: with every earlier version and each decision, its reason and who made it.

    Raises:
        NotFound: no such form.
    """
    makers: Mapping[str, Callable[[Sequence[Handed], Language, bool], bytes]] = {
        "docx": _word,
        "xlsx": _excel,
        "csv": _csv,
        "json": _json,
    }
    if form not in makers:
        raise NotFound("form", form, list(FORMS))
    return makers[form](found, language, history)


def seen(text: str) -> str:
    """A text without characters that no reader sees and some programs obey."""
    return _UNSEEN.sub("", text)


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: one that begins like one gets a leading apostrophe."""
    text = seen(text)
    return f"'{text}" if _FORMULA.match(text) else text


def _when(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def _section(row: DraftRow, language: Language) -> str:
    return SECTIONS[language].get(row.section, row.section)


def _columns(language: Language) -> list[str]:
    t = WORDS[language]
    return [t[key] for key in ("month", "fund", "section", "manager", "final", "out_by", "out_at", "out_reasons")]


def _row(one: Handed, language: Language) -> list[str]:
    reasons = "; ".join(f"{fact}: {reason}" for fact, reason in one.final.reasons.items())
    draft, final = one.draft, one.final
    about = [draft.as_of, draft.fund, _section(draft, language), draft.manager]
    return [*about, final.text, final.by, _when(final.at), reasons]


def _past_columns(language: Language) -> list[str]:
    t = WORDS[language]
    keys = ("fund", "section", "month", "out_what", "out_by", "out_at", "out_old", "out_new", "reason_kind", "note")
    return [t[key] for key in keys]


def _past(one: Handed, language: Language) -> list[list[str]]:
    """What happened to a comment, oldest first."""
    t, draft = WORDS[language], one.draft
    about = [draft.fund, _section(draft, language), draft.as_of]
    rows = [(draft.at, [t["event_draft"], draft.by, _when(draft.at), "", draft.text, "", ""])]
    rows += [(r.at, [t["event_revision"], r.by, _when(r.at), "", r.text, "", ""]) for r in one.revisions]
    rows += [(f.at, [t["event_final"], f.by, _when(f.at), "", f.text, "", ""]) for f in one.finals]
    for said in one.decisions:
        what = t["undecided"] if said.decision == "open" else t[f"decision_{said.decision}"]
        reason = t[f"reason_{said.reason}"] if said.reason else ""
        rows.append((said.at, [what, said.by, _when(said.at), said.old, said.new, reason, said.note]))
    return [[*about, *row] for _, row in sorted(rows, key=lambda pair: pair[0])]


def _json(found: Sequence[Handed], language: Language, history: bool) -> bytes:
    rows: list[dict[str, Any]] = []
    for one in found:
        row: dict[str, Any] = {key: getattr(one.draft, key) for key in ("as_of", "fund", "section", "manager")}
        row |= {"text": one.final.text, "by": one.final.by, "at": one.final.at.isoformat()}
        row |= {"reasons": dict(one.final.reasons), "final": one.final.id, "draft": one.draft.id}
        if history:
            row["history"] = [dict(zip(_past_columns("en"), past, strict=True)) for past in _past(one, "en")]
        rows.append(row)
    return (json.dumps(rows, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace")


def _csv(found: Sequence[Handed], language: Language, history: bool) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(_past_columns(language) if history else _columns(language))
    for one in found:
        for row in _past(one, language) if history else [_row(one, language)]:
            writer.writerow([_cell(value) for value in row])
    return out.getvalue().encode("utf-8-sig")  # Excel reads UTF-8 only with its mark


def _excel(found: Sequence[Handed], language: Language, history: bool) -> bytes:
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font, PatternFill

    t = WORDS[language]
    book = Workbook()
    sheets = [(t["out_finals"], _columns(language), [_row(one, language) for one in found])]
    if history:
        sheets.append((t["history"], _past_columns(language), [row for one in found for row in _past(one, language)]))
    for number, (title, columns, rows) in enumerate(sheets):
        sheet = book.active if number == 0 else book.create_sheet()
        sheet.title = title
        for x, values in enumerate([columns, *rows], start=1):
            for y, value in enumerate(values, start=1):
                cell = sheet.cell(x, y)
                cell.value = _cell(value)
                cell.data_type = "s"  # whatever it begins with
                cell.alignment = Alignment(wrap_text=True, vertical="top")
                cell.font = Font(name="游ゴシック" if language == "ja" else "Calibri", size=11, bold=x == 1)
                if x == 1:
                    cell.fill = PatternFill("solid", start_color="E9EEF4")
        for y, column in enumerate(zip(columns, *rows, strict=True), start=1):
            longest = max(len(value) for value in column)
            sheet.column_dimensions[sheet.cell(1, y).column_letter].width = min(70, max(12, 2 * min(longest, 35)))
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = sheet.dimensions
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _word(found: Sequence[Handed], language: Language, history: bool) -> bytes:
    import docx
    from docx.oxml.ns import qn
    from docx.shared import Mm, Pt

    t = WORDS[language]
    document = docx.Document()
    page = document.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    for name, size in (("Normal", 10.5), ("Title", 18), ("Heading 1", 14), ("Heading 2", 11.5), ("Heading 3", 10.5)):
        style = document.styles[name]
        style.font.size = Pt(size)
        if language == "ja":
            style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), "游明朝")
    at = None
    for one in found:
        if at != (one.draft.as_of, one.draft.fund):
            at = (one.draft.as_of, one.draft.fund)
            document.add_heading(f"{seen(one.draft.fund)}　{month_name(one.draft.as_of, language)}", 1)
        document.add_heading(seen(_section(one.draft, language)), 2)
        for line in seen(one.final.text).split("\n"):
            document.add_paragraph(line)
        if history:
            _word_history(document, one, language, t["history"])
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _word_history(document: Any, one: Handed, language: Language, title: str) -> None:
    document.add_heading(title, 3)
    columns = _past_columns(language)[3:]
    table = document.add_table(rows=1, cols=len(columns), style="Table Grid")
    for values in [columns, *(row[3:] for row in _past(one, language))]:
        cells = table.rows[0].cells if values is columns else table.add_row().cells
        for cell, value in zip(cells, values, strict=True):
            cell.text = seen(value)
