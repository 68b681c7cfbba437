"""The log's head noted outside the database, once a day: what shows a cut tail, an old copy, a chain computed anew."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tensaku.errors import DataError, GateError, UsageError
from tensaku.ledger import Ledger

__all__ = ["Anchor", "add_anchor", "check_log", "parse_anchor", "read_anchors"]


@dataclass(frozen=True, slots=True)
class Anchor:
    """The newest entry at a moment: its number, its hash (64 hexadecimal digits), when it was noted."""

    seq: int
    hash: str
    at: str = ""

    @property
    def line(self) -> str:
        """As it is printed on paper and typed in again."""
        return f"{self.seq}:{self.hash}"


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
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read: {error}", file=file) from None
    found = []
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
            found.append(
                Anchor(int(values["seq"]), parse_anchor(f"{values['seq']}:{values['hash']}").hash, values["at"])
            )
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


def add_anchor(ledger: Ledger, file: Path) -> Anchor:
    """Note the log's head in the file, after holding the log against what the file has already.

    Raises:
        GateError: the log does not hold; nothing is noted, for a note would make the fault look right.
        DataError: the file holds something else than anchors.
        UsageError: the file cannot be written.
    """
    check_log(ledger, read_anchors(file))
    made = Anchor(*ledger.log_end(), datetime.now(UTC).isoformat(timespec="seconds"))
    try:
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(asdict(made)) + "\n")
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise UsageError(
            f"cannot be written: {error.strerror}", where=file, fix="Name another file with --to"
        ) from None
    return made
