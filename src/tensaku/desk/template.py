"""The house's own Word template: a .docx whose named places are filled with the comments of one fund and month.

A place is a name in double braces, `{{fund}}`, or a content control with the name as its tag. Places: `fund`, `month`,
`manager`, `date`, and each section by its identifier or its name (`market`). Everything in the file stays as it is; its
body comes once for every fund. A template without any place lends its letterhead and its styles alone.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tensaku.desk.words import Language, month_name
from tensaku.documents import Limits, kind_of
from tensaku.errors import UsageError, nearest
from tensaku.revise import SECTIONS

__all__ = ["FundMonth", "Template", "TemplateFault", "open_template"]

_PLACE = re.compile(r"\{\{\s*([^{}]{1,80}?)\s*\}\}")
_ABOUT: Mapping[str, tuple[str, ...]] = {
    "fund": ("fund", "ファンド", "ファンド名"),
    "month": ("month", "対象月", "基準月"),
    "manager": ("manager", "運用会社"),
    "date": ("date", "作成日"),
}
_STYLES = ("Normal", "Heading 1", "Heading 2", "Heading 3")
"""What a template without places has to have."""


class TemplateFault(UsageError):
    """The template cannot be used as it is."""


@dataclass(frozen=True, slots=True)
class FundMonth:
    """What the places of one copy are filled with; `sections` holds identifier -> text, its lines as paragraphs."""

    fund: str
    month: str
    managers: tuple[str, ...]
    sections: Mapping[str, str]


def _names(language: Language) -> dict[str, str]:
    """Every name that a place may have -> what it means."""
    found = {name: key for key, names in _ABOUT.items() for name in names}
    for words in (SECTIONS["ja"], SECTIONS["en"], SECTIONS[language]):
        found |= {name: section for section, name in words.items()}
    return found | {section: section for section in SECTIONS["ja"]}


def open_template(path: Path, sections: Sequence[str] = ()) -> Template:
    """The template, looked over.

    Args:
        path: a .docx.
        sections: sections of the task's own, whose identifiers are names of places, too.

    Raises:
        TemplateFault: there is no such file, it is no Word file, or it names a place that there is not.
    """
    import docx
    from docx.opc.exceptions import OpcError

    if not path.is_file():
        raise TemplateFault("there is no such template", where=path, fix="Correct desk.template, or leave it out")
    try:
        kind = kind_of(path, Limits())
    except UsageError as error:
        raise TemplateFault(f"the template cannot be used: {error.what}", where=path, fix=error.fix) from None
    if kind != "docx":
        raise TemplateFault(f"the template is no Word file but {kind}", where=path, fix="Save it in Word as .docx")
    try:
        document = docx.Document(str(path))
    except (OpcError, KeyError, ValueError, SyntaxError) as error:
        what = f"the template cannot be read ({error})"
        raise TemplateFault(what, where=path, fix="Save it in Word as .docx (not as .dotx)") from None
    made = Template(path, document, tuple(sections))
    made.check()
    return made


class Template:
    """A template in memory; `fill` uses it up."""

    def __init__(self, path: Path, document: Any, sections: tuple[str, ...]) -> None:
        self._path, self.document = path, document
        self._meaning = {**_names("ja"), **{section: section for section in sections}}
        self._body = document.element.body
        for part in (self._body, *self._margins()):
            for control in part.iter(_w("sdt")):
                self._mark(control)
        self._named = {self._meaning.get(name) for name in self._places(self._body)}

    @property
    def empty(self) -> bool:
        """It names no place: only its letterhead and its styles are used."""
        return not self._named

    def check(self) -> None:
        """Refuse a template that cannot be filled.

        Raises:
            TemplateFault: places that there are not, none for a text, or, without any place, a style that is missing.
        """
        parts = (self._body, *self._margins())
        unknown = sorted({name for part in parts for name in self._places(part) if name not in self._meaning})
        if unknown:
            near = [close for name in unknown for close in nearest(name, self._meaning, 1)]
            hint = f"; nearest: {', '.join(near)}" if near else ""
            what = f"the template names places that there are not: {', '.join(unknown)}{hint}"
            raise TemplateFault(what, where=self._path, fix=f"Places are: {', '.join(dict.fromkeys(self._meaning))}")
        if self.empty:
            lacking = [name for name in _STYLES if name not in {style.name for style in self.document.styles}]
            if lacking:
                what = f"the template has neither a place nor the style {', '.join(map(repr, lacking))}"
                raise TemplateFault(what, where=self._path, fix="Put {{market}} and the like where the texts belong")
        elif self._named <= set(_ABOUT):
            what = "the template has no place for any text"
            raise TemplateFault(what, where=self._path, fix="Put {{market}} and the like where the texts belong")

    def fill(self, months: Sequence[FundMonth], language: Language, today: date) -> list[Any]:
        """Fill one copy of the body for each of `months`; gives the last element of each copy.

        Raises:
            TemplateFault: a comment has no place, or head or foot of the page name a fund and there are several.
        """
        self._check_places(months)
        model = [copy.deepcopy(element) for element in self._body if element.tag != _w("sectPr")]
        self._fill_margins(months, language, today)
        for element in [element for element in self._body if element.tag != _w("sectPr")]:
            self._body.remove(element)
        ends = []
        for number, one in enumerate(months):
            if number:
                self._append(_page_break())
            for element in model:
                self._append(copied := copy.deepcopy(element))
                self._fill(copied, self._values(one, language, today))
            ends.append(next(e for e in reversed(self._body) if e.tag != _w("sectPr")))
        return ends

    def _check_places(self, months: Sequence[FundMonth]) -> None:
        missing = sorted({section for one in months for section in one.sections if section not in self._named})
        if missing:
            what = f"the template has no place for: {', '.join(missing)}"
            raise TemplateFault(what, where=self._path, fix=f"Put {{{{{missing[0]}}}}} where that text belongs")
        margins = {self._meaning[name] for part in self._margins() for name in self._places(part)}
        if len(months) > 1 and margins - {"date"} and not self._same(months, margins):
            what = "head or foot of the template's pages name a fund, and there are several in this file"
            raise TemplateFault(what, where=self._path, fix="Hand out one fund, or put the name into the body")

    @staticmethod
    def _same(months: Sequence[FundMonth], named: set[str]) -> bool:
        """Whether what is named is the same for all: of several funds, at most the month."""
        return named <= {"date", "month"} and len({one.month for one in months}) == 1

    def _values(self, one: FundMonth, language: Language, today: date) -> dict[str, str]:
        day = f"{today.year}年{today.month}月{today.day}日" if language == "ja" else f"{today:%Y-%m-%d}"
        about = {"fund": one.fund, "month": month_name(one.month, language), "date": day}
        about["manager"] = ("、" if language == "ja" else ", ").join(one.managers)
        nothing = "（この区分の公表文は未保存です）" if language == "ja" else "(no comment of this section is saved)"
        texts = {section: one.sections.get(section, nothing) for section in self._named - set(_ABOUT) if section}
        return {**about, **texts}

    def _margins(self) -> Iterator[Any]:
        """Heads and feet of the pages that the template has of its own."""
        for section in self.document.sections:
            for part in (
                section.header, section.footer, section.first_page_header, section.first_page_footer,
                section.even_page_header, section.even_page_footer,
            ):  # fmt: skip
                if not part.is_linked_to_previous:
                    yield part._element

    def _fill_margins(self, months: Sequence[FundMonth], language: Language, today: date) -> None:
        for part in self._margins():
            self._fill(part, self._values(months[0], language, today))

    def _append(self, element: Any) -> None:
        """Add to the body's end, before the page's own settings, which stand last."""
        last = self._body[-1] if len(self._body) else None
        if last is not None and last.tag == _w("sectPr"):
            last.addprevious(element)
        else:
            self._body.append(element)

    def _places(self, part: Any) -> Iterator[str]:
        for paragraph in _paragraphs(part):
            yield from _PLACE.findall("".join(text.text or "" for text in _texts(paragraph)))

    def _mark(self, control: Any) -> None:
        """Turn a content control with one of our names into a place in braces."""
        tag = control.find(f"{_w('sdtPr')}/{_w('tag')}")
        name = "" if tag is None else tag.get(_w("val"), "")
        texts = list(control.iter(_w("t")))
        if name not in self._meaning or not texts:
            return
        for showing in list(control.iter(_w("showingPlcHdr"))):
            showing.getparent().remove(showing)
        texts[0].text = f"{{{{{name}}}}}"
        for text in texts[1:]:
            text.text = ""

    def _fill(self, part: Any, values: Mapping[str, str]) -> None:
        """Fill the places of every paragraph; what is filled in is never looked at for places."""
        for paragraph in list(_paragraphs(part)):
            whole = "".join(text.text or "" for text in _texts(paragraph))
            found = list(_PLACE.finditer(whole))
            if not found:
                continue
            lines = values[self._meaning[found[0][1]]].split("\n")
            if found[0].span() == (0, len(whole)) and len(lines) > 1:
                for line in lines[1:][::-1]:  # alone in its paragraph: a paragraph for each line, all of its form
                    more = copy.deepcopy(paragraph)
                    paragraph.addnext(more)
                    _put(more, [(found[0].span(), line)])
                _put(paragraph, [(found[0].span(), lines[0])])
            else:
                _put(paragraph, [(one.span(), values[self._meaning[one[1]]]) for one in found])


def _w(name: str) -> str:
    return f"{{http://schemas.openxmlformats.org/wordprocessingml/2006/main}}{name}"


def _paragraphs(part: Any) -> Iterator[Any]:
    yield from part.iter(_w("p"))


def _texts(paragraph: Any) -> list[Any]:
    """The runs' texts of a paragraph, not those of paragraphs within it (in text boxes)."""
    return [text for text in paragraph.iter(_w("t")) if next(text.iterancestors(_w("p"))) is paragraph]


def _put(paragraph: Any, filled: Sequence[tuple[tuple[int, int], str]]) -> None:
    """Put texts in place of spans of the paragraph's characters; each takes the form of the run it begins in."""
    texts = _texts(paragraph)
    for (start, end), value in reversed(filled):
        at, begun = 0, None
        for text in texts:
            own = text.text or ""
            low, high = max(start - at, 0), min(end - at, len(own))
            if low < high:
                if begun is None:
                    begun = text
                    text.text, tail = own[:low], own[high:]
                else:
                    text.text, tail = own[high:], ""
                if text is begun:
                    _write(text, value, tail)
            at += len(own)
        for text in texts:
            text.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")


def _write(text: Any, value: str, tail: str) -> None:
    """Write `value` behind what stands in `text`, its lines broken, and `tail` behind it."""
    first, *more = value.split("\n")
    text.text = (text.text or "") + first
    last = text
    for line in more:
        broken, last_next = text.makeelement(_w("br"), {}), text.makeelement(_w("t"), {})
        last.addnext(broken)
        broken.addnext(last_next)
        last_next.text = line
        last_next.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
        last = last_next
    last.text = (last.text or "") + tail


def _page_break() -> Any:
    from docx.oxml import OxmlElement

    paragraph, run, broken = OxmlElement("w:p"), OxmlElement("w:r"), OxmlElement("w:br")
    broken.set(_w("type"), "page")
    run.append(broken)
    paragraph.append(run)
    return paragraph
