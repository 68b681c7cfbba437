"""The log's head noted outside the database, once a day: what shows a cut tail, an old copy, a chain computed anew."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO

from tensaku.errors import DataError, GateError, TensakuError, UsageError
from tensaku.ledger import Ledger

__all__ = [
    "Anchor",
    "AnchoredLedger",
    "DailyAnchor",
    "add_anchor",
    "add_daily_anchor",
    "check_log",
    "missed_days",
    "parse_anchor",
    "read_anchors",
]

_PRINTING = 30.0
"""Seconds that the printing command may take."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The newest entry at a moment: its number, its hash (64 hexadecimal digits), when it was noted.

    `printed` says whether the printing command took it; None: there was none.
    """

    seq: int
    hash: str
    at: str = ""
    printed: bool | None = None

    @property
    def line(self) -> str:
        """As it is printed on paper and typed in again."""
        return f"{self.seq}:{self.hash}"

    @property
    def day(self) -> date | None:
        """The day on which it was noted, by this machine's clock."""
        return datetime.fromisoformat(self.at).astimezone().date() if self.at else None

    @property
    def values(self) -> dict[str, object]:
        """As plain values."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def parse_anchor(text: str) -> Anchor:
    """An anchor as it was printed: `NUMBER:HASH`.

    Raises:
        UsageError: it is none.
    """
    found = re.fullmatch(r"\s*(\d{1,12}):([0-9a-fA-F]{64})\s*", text)
    if found is None:
        fix = "Write the entry's number, a colon, and its 64 hexadecimal digits"
        raise UsageError(f"{text!r} is no anchor", fix=fix)
    return Anchor(int(found[1]), found[2].lower())


def read_anchors(file: Path) -> list[Anchor]:
    """The anchors of a file, oldest first; none where there is no file yet.

    Raises:
        DataError: a line is no anchor, or the file cannot be read.
    """
    try:
        return _anchors(file.read_bytes(), file)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=file) from None


def _anchors(content: bytes, file: Path) -> list[Anchor]:
    """The anchors in a file's content. What stands after the last line end was cut short by a crash, and is none."""
    found = []
    for number, line in enumerate(content[: content.rfind(b"\n") + 1].splitlines(), 1):
        try:
            values = json.loads(line)
            hash_ = parse_anchor(f"{values['seq']}:{values['hash']}").hash
            datetime.fromisoformat(values["at"])
            found.append(Anchor(int(values["seq"]), hash_, values["at"], values.get("printed")))
        except (ValueError, KeyError, TypeError, UsageError):
            fix = "Put the file back from where it is kept; an anchor that can be changed proves nothing"
            raise DataError("this line is no anchor", file=file, line=number, fix=fix) from None
    return found


def check_log(ledger: Ledger, anchors: list[Anchor]) -> int:
    """Check the whole chain against the anchors, and every row against the log; the number of entries.

    Raises:
        GateError: something was altered, removed or put in; says what and where.
    """
    broken = ledger.verify_log(*((one.seq, one.hash) for one in anchors))
    if broken is not None:
        fix = "Keep the file as it is, and compare it with a backup older than the fault"
        raise GateError("log", measured=broken.why, wanted="an unbroken chain that meets every anchor", fix=fix)
    found = ledger.verify_records()
    if found:
        told = "; ".join(f"{one.subject} {one.why}" for one in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise GateError("log", measured=told + more, wanted="every row as it was logged")
    return ledger.log_end()[0]


def add_anchor(ledger: Ledger, file: Path, command: Sequence[str] = ()) -> Anchor:
    """Note the log's head in the file, after holding the log against what the file has already.

    Args:
        ledger: whose log.
        file: where it is noted; made if it is not there, its folder is not.
        command: is handed the anchor to print it; empty: there is none.

    Raises:
        GateError: the log does not hold; nothing is noted, for a note would make the fault look right.
        DataError: the file holds something else than anchors.
        UsageError: the file cannot be written, or the anchor could not be printed (it is noted then all the same).
    """
    with _held(file, wait=True) as out:
        assert out is not None
        check_log(ledger, _anchors(out.read(), file))
        return _note(ledger, out, command)


def add_daily_anchor(ledger: Ledger, file: Path, command: Sequence[str] = ()) -> Anchor | None:
    """Note the log's head if today's is not noted yet; None if it is, if nothing is new, or if another is at it.

    What stands in the log since the last anchor is held against it, which takes no longer the longer the log is; the
    rest is for `check_log`. An anchor that could not be printed today is tried again.

    Raises:
        GateError, DataError, UsageError: as `add_anchor`.
    """
    with _held(file, wait=False) as out:
        if out is None:
            return None
        anchors = _anchors(out.read(), file)
        last = anchors[-1] if anchors else Anchor(0, "")
        today = datetime.now().astimezone().date()
        unprinted = bool(command) and last.printed is False
        if (last.day == today or ledger.log_end()[0] == last.seq) and not unprinted:
            return None
        broken = ledger.verify_log(since=(last.seq, last.hash) if last.seq else None)
        if broken is not None:
            fix = "See: tensaku log verify"
            raise GateError("log", measured=broken.why, wanted="a chain that goes on from the last anchor", fix=fix)
        return _note(ledger, out, command)


def missed_days(ledger: Ledger, anchors: Sequence[Anchor]) -> list[date]:
    """Days, by this machine's clock, on which something was entered into the log and no anchor was noted, in order."""
    hours = (datetime.fromisoformat(f"{hour}:00:00+00:00") for hour in ledger.log_hours())
    return sorted({hour.astimezone().date() for hour in hours} - {one.day for one in anchors})


@contextmanager
def _held(file: Path, *, wait: bool) -> Iterator[BinaryIO | None]:
    """The file of anchors, open at its start and locked; None if another holds it and there is no waiting."""
    try:
        out = file.open("a+b")
    except OSError as error:
        told = f"the anchors cannot be noted: {error.strerror}"
        raise UsageError(told, where=file, fix="Name another file: [govern] anchors, or --to") from None
    with out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield None
            return
        out.seek(0)
        try:
            yield out
        finally:
            if os.fstat(out.fileno()).st_size == 0:  # nothing was noted in a new file: an empty one looks like a loss
                file.unlink(missing_ok=True)


def _note(ledger: Ledger, out: BinaryIO, command: Sequence[str]) -> Anchor:
    seq, hash_ = ledger.log_end()
    made, fault = Anchor(seq, hash_, datetime.now(UTC).isoformat(timespec="seconds")), ""
    if command:
        fault = _print(made, command)
        made = Anchor(made.seq, made.hash, made.at, not fault)
    try:
        out.seek(0)
        out.truncate(out.read().rfind(b"\n") + 1)  # half a line that a crash left is no anchor
        out.write((json.dumps(made.values) + "\n").encode())
        out.flush()
        os.fsync(out.fileno())
    except OSError as error:
        raise UsageError(f"the anchor cannot be noted: {error.strerror}", where=out.name) from None
    if fault:
        told = f"the anchor {made.line[:20]}... is noted and was not printed: {fault}"
        raise UsageError(told, where="govern.anchor_command", fix="It is tried again with the next entry of the log")
    return made


def _print(anchor: Anchor, command: Sequence[str]) -> str:
    """Hand the anchor to the command; what went wrong, or empty."""
    text = f"Tensaku, {anchor.at}\n{anchor.seq}:\n{anchor.hash}\n"
    try:
        done = subprocess.run(list(command), input=text, capture_output=True, text=True, timeout=_PRINTING, check=False)
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    except subprocess.TimeoutExpired:
        return f"{command[0]} took longer than {_PRINTING:g} seconds"
    words = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else f"{command[0]} ended with {done.returncode}: {words[-1] if words else ''}"


class DailyAnchor:
    """Notes an anchor a day by itself, at the first occasion at which the log has grown. Never raises.

    Args:
        file: where anchors are noted.
        command: prints each; empty: none does.
        tell: is told what went wrong, each fault once.
    """

    def __init__(self, file: Path, command: Sequence[str], tell: Callable[[str], None]) -> None:
        self.file, self._command, self._tell, self._told = file, tuple(command), tell, ""

    def keep(self, ledger: Ledger) -> None:
        """Note today's anchor, if it is not there yet."""
        try:
            add_daily_anchor(ledger, self.file, self._command)
            self._told = ""
        except TensakuError as error:
            if str(error) != self._told:
                self._tell(f"the log was not anchored: {error}")
            self._told = str(error)


class AnchoredLedger(Ledger):
    """A ledger that notes the day's anchor when it is closed after something was entered into its log."""

    _anchor: DailyAnchor | None = None
    _began = 0

    def anchor_with(self, anchor: DailyAnchor) -> None:
        """From now on, what is entered is anchored so."""
        self._anchor, self._began = anchor, self.log_end()[0]

    def close(self) -> None:
        """Let go of the database, the day's anchor noted."""
        try:
            if self._anchor is not None and self.log_end()[0] > self._began:
                self._anchor.keep(self)
        except TensakuError:  # the database is away; what was entered waits for the next occasion
            pass
        finally:
            super().close()
