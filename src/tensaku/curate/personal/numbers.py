"""Personal data with a form of its own: addresses of mail, phones, cards, accounts, official numbers, birthdays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tensaku.curate.personal.digits import is_card, is_corporate_number, is_iban, is_my_number

__all__ = ["Span", "number_spans"]


class Span(NamedTuple):
    """A place in a folded text (`tensaku.text.fold`) and what stands there."""

    kind: str
    start: int
    end: int


_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@(?:[\w-]+\.)+\w{2,}")
_DIGITS = re.compile(r"(?<![\d.,])\d(?:[ .-]?\d){11,18}(?!\d|[.,]\d)")
_LONG = re.compile(
    r"(?<!\d[ -])(?<![\d.,-])\d{4}[ -]?\d{4}[ -]?\d{4}(?!\d|[.,]\d|[ -]\d)|(?<![\d.,-])\d{13}(?!\d|[.,]\d)"
)
_PHONE_JA = re.compile(
    r"(?<![\d.,-])(?:\+81[- ]?(?:\(0\))?\d{1,4}[- ]|\(0\d{1,4}\) ?|0\d{1,4}[- (])\d{1,4}[- )]\d{3,4}(?![\d-])"
    r"|(?<![\d.,-])0[5789]0\d{8}(?!\d)"
)
_PHONE_CUE = r"(?:call|phone|tel|telephone|fax|mobile|cell|電話(?:番号)?|携帯|ファクス|ファックス|連絡先)"
_PHONE_AFTER_CUE = re.compile(
    _PHONE_CUE + r"[^\d+(\n]{0,24}(?P<value>[+(]?\d[\d() .-]{6,20}\d(?:\s?(?:x|ext\.?)\s?\d{1,6})?)", re.IGNORECASE
)
_PHONE_EN = re.compile(
    r"(?<![\w.,-])(?:\+\d{1,3}[-. ]|\d{1,3}[-.])?(?:\(\d{2,4}\)[-. ]?|\d{2,4}[-.])\d{3,4}[-. ]\d{3,4}"
    r"(?:\s?(?:x|ext\.?)\s?\d{1,6})?(?![\d-])"
)
_ACCOUNT = re.compile(
    r"(?:口座番号|(?:普通|当座|貯蓄)(?:預金)?(?:口座)?(?:番号)?|顧客番号|お客様番号"
    r"|(?:bank )?account(?: number| no\.?| #)?)"
    r"(?:は|が|:|の|#|\(|（|\s|is|番号|No\.?)*(?P<value>\d{3,4}-\d{3,8}|\d{6,12})(?!\d)",
    re.IGNORECASE,
)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_ERA = r"(?:明治|大正|昭和|平成|令和|[MTSHR])"
_DATE = (
    rf"(?:(?:\d{{4}}|{_ERA}\s?(?:\d{{1,2}}|元))\s?[年./-]\s?\d{{1,2}}\s?[月./-]\s?\d{{1,2}}日?"
    r"|\d{1,2}[/.-]\d{1,2}[/.-]\d{4}"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.? \d{1,2},? \d{4}"
    r"|\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.? \d{4})"
)
_BIRTH = re.compile(
    rf"(?:生年月日|誕生日|お誕生日|出生日"
    rf"|date of birth|birth ?(?:day|date)|DOB|born(?: on)?)[^\d\n]{{0,10}}?(?P<value>{_DATE})"
    rf"|(?P<before>{_DATE})\s?(?:生まれ|生(?=[\s)）、。]|$)|に?誕生)",
    re.IGNORECASE,
)


def number_spans(text: str) -> Iterator[Span]:
    """Every such place in a folded text; those of different kinds may overlap, the surer comes first."""
    for match in _EMAIL.finditer(text):
        yield Span("email", match.start(), match.end())
    yield from _checked(text)
    for match in _BIRTH.finditer(text):
        yield Span("birthday", *match.span("value" if match["value"] else "before"))
    for match in _ACCOUNT.finditer(text):
        yield Span("account", *match.span("value"))
    yield from _phones(text)


def _checked(text: str) -> Iterator[Span]:
    """Numbers that carry a check digit, which must be right."""
    for match in _LONG.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if is_my_number(digits):
            yield Span("my_number", match.start(), match.end())
        elif is_corporate_number(digits) and not _says_card(text, match.start()):
            yield Span("corporate_number", match.start(), match.end())
    for match in _IBAN.finditer(text):
        if is_iban(match[0].replace(" ", "")):
            yield Span("account", match.start(), match.end())
    for match in _DIGITS.finditer(text):
        if (length := _card_length(match[0])) is not None:
            yield Span("card", match.start(), match.start() + length)


def _says_card(text: str, at: int) -> bool:
    return re.search(r"カード|card", text[max(0, at - 12) : at], re.IGNORECASE) is not None


def _card_length(written: str) -> int | None:
    """How much of a run of digits is a card number: groups at its end may belong to something else."""
    ends = [len(written), *(match.start() for match in re.finditer(r"[ .-]", written))]
    for end in sorted(ends, reverse=True):
        digits = re.sub(r"\D", "", written[:end])
        if digits[:1] in "23456" and is_card(digits):
            return end
    return None


def _phones(text: str) -> Iterator[Span]:
    for match in _PHONE_JA.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        national = "0" + digits[2:].lstrip("0") if match[0].startswith("+81") else digits
        if len(national) in (10, 11):
            yield Span("phone", match.start(), match.end())
    for match in _PHONE_AFTER_CUE.finditer(text):
        if 7 <= len(re.sub(r"\D", "", match["value"])) <= 20:
            yield Span("phone", *match.span("value"))
    for match in _PHONE_EN.finditer(text):
        if 9 <= len(re.sub(r"\D", "", match[0])) <= 19:
            yield Span("phone", match.start(), match.end())
