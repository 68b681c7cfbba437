"""The road of a report: bytes kept, read, sorted, and entered into the ledger once, whatever happens on the way."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tensaku.documents import Found, Limits, Unreadable, gathered, read, to_values
from tensaku.errors import UsageError
from tensaku.intake.section_words import NONE, Reports, fold_heading
from tensaku.intake.sorting import Known, Reason, Sorted, sort_report, texts_by_fund
from tensaku.ledger import EVERY, SYSTEM, Ledger, NewDraft, NewReport, ReportRow

__all__ = ["Arrival", "Road"]

_CHUNK = 1 << 20


def _all_funds(fund: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of one file: `filed` as drafts, left in the `inbox`, or `known` already."""

    name: str
    what: Literal["filed", "inbox", "known"]
    report: ReportRow
    texts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Of each draft, by fund and section."""


@dataclass(frozen=True, slots=True)
class Road:
    """Brings reports into one ledger.

    `keep` is the folder where the files themselves are kept, by the hash of their bytes; None keeps none.
    """

    ledger: Ledger
    cfg: Reports = field(default_factory=Reports)
    keep: Path | None = None
    limits: Limits = field(default_factory=Limits)

    def bring(
        self,
        paths: Iterable[Path],
        *,
        given: Mapping[str, str] | None = None,
        by: str = SYSTEM,
        may: Callable[[str], bool] = _all_funds,
    ) -> Iterator[Arrival]:
        """Bring in files, folders and zips, one file after the other; each is in the ledger when it is yielded.

        Args:
            paths: what to bring in.
            given: `manager`, `fund` or `as_of`, if whoever brings them in says so.
            by: who that is.
            may: whether their rights reach a fund; a report of any other waits for somebody whose rights do.

        Raises:
            UsageError: a path is not there, or the ledger cannot be written to.
        """
        with gathered(paths, limits=self.limits) as files:
            for file in files:
                yield self._one(file, given or {}, by, may)

    def _one(self, file: Found, given: Mapping[str, str], by: str, may: Callable[[str], bool]) -> Arrival:
        key = _hash(file.path)
        if (before := self.ledger.report_of(key)) is not None:
            return Arrival(file.name, "known", before)
        self._keep(file.path, key)
        try:
            if file.fault is not None:
                raise file.fault
            document = read(file.path, name=file.name, limits=self.limits)
        except Unreadable as fault:
            reason = {"code": fault.reason, "detail": fault.detail}
            return self._enter(file.name, NewReport(key, file.name, reasons=(reason,)), [], {}, by)
        found = sort_report(file.name, document, self.cfg, self._known(given))
        reasons = found.reasons or self._rivals(found)
        others = sorted({fund for fund, _ in found.texts() if not may(fund)})
        if not reasons and others:
            reasons = (Reason("fund-of-others", "、".join(others)),)
        values = tuple({"code": reason.code, "detail": reason.detail} for reason in reasons)
        guess = found.guesses
        new = NewReport(
            key, file.name, guess["manager"], guess["fund"], guess["month"], values, found.parts, to_values(document)
        )
        drafts = [] if reasons else self._drafts(key, file.name, found.manager, found.as_of, found.texts())
        return self._enter(file.name, new, drafts, headings_of(found.parts), by)

    def _enter(
        self, name: str, new: NewReport, drafts: list[NewDraft], headings: Mapping[str, tuple[str, str]], by: str
    ) -> Arrival:
        report, fresh = self.ledger.add_report(new, drafts, headings=headings, by=by)
        if not fresh:  # another process was quicker
            return Arrival(name, "known", report)
        texts = {(draft.fund, draft.section): draft.text for draft in drafts}
        return Arrival(name, "filed" if drafts else "inbox", report, texts)

    def file(
        self,
        id: int,
        *,
        manager: str,
        fund: str,
        as_of: str,
        sections: Mapping[str, str],
        by: str,
        funds: Mapping[str, str] | None = None,
    ) -> ReportRow:
        """Make drafts of a report in the inbox, as a person says; the headings are learnt for this manager.

        Args:
            id: the report.
            manager: whose it is.
            fund: what it speaks of; parts that have a fund of their own are of that.
            as_of: the month, `YYYY-MM`.
            sections: number of the part (from 0) as text -> its section, or "-"; others keep what was found.
            by: who says so.
            funds: number of the part as text -> its fund, or "*": every fund of this file.

        Raises:
            UsageError: it does not wait in the inbox, a part has no section or fund yet, or no section has a text.
        """
        report = self.ledger.report(id)
        parts = [{**part, "section": sections.get(str(n), part["section"])} for n, part in enumerate(report.parts)]
        for number, said in (funds or {}).items():
            parts[int(number)]["fund"] = said
        several = any("fund" in part for part in parts)
        for part in parts:
            if not part["section"]:
                fix = f'Say which section it is, or "{NONE}" for none'
                raise UsageError(f"no section is named for {part['heading']!r}", where=report.name, fix=fix)
            if several and part["section"] != NONE and not part.get("fund"):
                fix = f'Say which fund it speaks of, or "{EVERY}" for every fund of the file'
                raise UsageError(f"no fund is named for {part['heading']!r}", where=report.name, fix=fix)
        drafts = self._drafts(report.sha256, report.name, manager, as_of, texts_by_fund(parts, fund))
        return self.ledger.file_report(id, drafts, headings=headings_of(parts), by=by)

    def correct(self, manager: str, heading: str, section: str, *, by: str, folded: str = "") -> None:
        """Say which section a manager means by a heading, from the next report on.

        `folded` is the heading as it was learnt, needed only for one that is known by the section above it.
        """
        self.ledger.set_heading(manager, folded or fold_heading(heading), heading, section, by=by)

    def known_sections(self) -> tuple[str, ...]:
        """The sections that a text may be of."""
        return tuple(dict.fromkeys(("market", "performance", "outlook", *self.cfg.sections)))

    def _known(self, given: Mapping[str, str]) -> Known:
        drafts = self.ledger.drafts()
        learnt: dict[str, dict[str, str]] = {}
        for row in self.ledger.headings():
            learnt.setdefault(row.manager, {})[row.folded] = row.section
        managers = {*self.cfg.managers, *(draft.manager for draft in drafts), *learnt}
        return Known(managers, {*self.cfg.funds, *(draft.fund for draft in drafts)}, learnt, given)

    def _rivals(self, found: Sorted) -> tuple[Reason, ...]:
        """Drafts of the same section from another report: one of the two is a correction, and a person says which."""
        texts = found.texts()
        there = self.ledger.drafts(as_of=found.as_of, manager=found.manager)
        held = [(draft.fund, draft.section, draft.text) for draft in there]
        several = len({fund for fund, _ in texts}) > 1
        other = sorted(
            {
                f"{fund} {section}" if several else section
                for fund, section, text in held
                if texts.get((fund, section), text) != text
            }
        )
        return (Reason("drafts-exist", "、".join(other)),) if other else ()

    def _drafts(
        self, key: str, name: str, manager: str, as_of: str, texts: Mapping[tuple[str, str], str]
    ) -> list[NewDraft]:
        return [
            NewDraft(text, manager, fund, section, as_of, name, f"report:{key[:16]}#{section}")
            for (fund, section), text in texts.items()
        ]

    def _keep(self, path: Path, key: str) -> None:
        """Copy the file under its hash, whole or not at all."""
        if self.keep is None or (self.keep / key).exists() or path.stat().st_size > self.limits.file_bytes:
            return
        self.keep.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=self.keep, prefix=".")  # of its own: two may bring the same file at once
        part = Path(name)
        try:
            with path.open("rb") as source, os.fdopen(handle, "wb") as copy:
                shutil.copyfileobj(source, copy, _CHUNK)
                copy.flush()
                os.fsync(copy.fileno())
            part.rename(self.keep / key)
        except OSError as error:
            raise UsageError(
                f"the file cannot be kept ({error.strerror})", where=self.keep, fix="Make room there"
            ) from None
        finally:
            with contextlib.suppress(OSError):
                part.unlink()


def headings_of(parts: Iterable[Mapping[str, str]]) -> dict[str, tuple[str, str]]:
    """What is learnt from parts whose sections are certain: folded heading -> the heading and its section."""
    return {
        part["folded"]: (part["heading"][:200], part["section"])
        for part in parts
        if part["heading"].strip() and part["folded"] and part["section"]
    }


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
