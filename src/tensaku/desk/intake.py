"""A draft that a writer pastes or reads from a file, checked field by field."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tensaku.documents import Cleaner
from tensaku.documents.encoding import detect
from tensaku.errors import DataError
from tensaku.ledger import NewDraft
from tensaku.revise import LONGEST_DRAFT, SECTIONS
from tensaku.scratch import scratch

__all__ = ["LARGEST_FILE", "Fault", "decode", "new_draft"]

LARGEST_FILE = 400_000
"""Bytes: twenty thousand characters in any encoding, with room, and below what the page's socket takes at once."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, as a key of the page's words with its values, and in which field."""

    where: str
    word: str
    values: dict[str, str] = field(default_factory=dict)


def new_draft(values: Mapping[str, Any]) -> NewDraft | Fault:
    """The draft that the form holds, or its first fault.

    Characters that do not show, or that make text look other than it is, are no part of it.
    """
    clean = Cleaner()
    text = clean(str(values.get("text", ""))).strip()
    manager, fund = (" ".join(clean(str(values.get(key, ""))).split()) for key in ("manager", "fund"))
    section = str(values.get("section", ""))
    as_of = unicodedata.normalize("NFKC", str(values.get("as_of", ""))).strip().replace("/", "-")
    checks = (
        ("manager", "fault_manager", 0 < len(manager) <= 200),
        ("fund", "fault_fund", 0 < len(fund) <= 200),
        ("section", "fault_section", section in SECTIONS["ja"]),
        ("as_of", "fault_month", re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", as_of) is not None),
        ("text", "fault_text", bool(text)),
    )
    for name, word, good in checks:
        if not good:
            return Fault(name, word)
    if len(text) > LONGEST_DRAFT:
        return Fault("text", "fault_long", {"n": f"{len(text):,}", "limit": f"{LONGEST_DRAFT:,}"})
    origin = "file" if values.get("from_file") else "paste"
    return NewDraft(text, manager, fund, section, as_of, origin)


def decode(data: bytes) -> str | Fault:
    """The text of a file in any encoding that Japanese houses use; strict: nothing is replaced in silence.

    A report of another kind, such as PDF or Word, comes in on the page of reports.
    """
    if len(data) > LARGEST_FILE:
        limit = f"{LARGEST_FILE // 1000}"
        return Fault("text", "fault_file_large", {"n": f"{len(data) // 1000:,}", "limit": limit})
    with scratch("text") as folder:
        path = folder / "text"
        path.write_bytes(data)
        try:
            text = path.read_text(encoding=detect(path))
        except (DataError, UnicodeError):
            return Fault("text", "fault_file_kind")
    return Fault("text", "fault_file_kind") if _CONTROLS.search(text) else text.removeprefix("\ufeff")
