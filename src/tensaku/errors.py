"""The one tree of errors. The exit code of a command sits on the class.

TensakuError
  x UsageError      you can fix this: what, where, what to do; no traceback      exit 2
    + ConfigError   the task file
    + NotFound      no such thing; names the nearest ones
    + MissingExtra  a part is not installed; names the pip command
    + DataError     a file, with its line and field
  x GateError       a check refused the release: which, measured, wanted         exit 3
  x StageError      the work failed; says where the scratch folder is            exit 1
  x EngineError     a model did not answer; `retryable` is a field               exit 1
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "ConfigError",
    "DataError",
    "EngineError",
    "GateError",
    "MissingExtra",
    "NotFound",
    "StageError",
    "TensakuError",
    "UsageError",
    "nearest",
]


def nearest(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """The up to `n` names in `known` that look most like `name`, best first."""
    return difflib.get_close_matches(name, list(known), n=n, cutoff=0.5)


class TensakuError(Exception):
    """Base of every error that Tensaku raises on purpose."""

    exit_code = 1


class UsageError(TensakuError):
    """Something that the user can put right.

    Args:
        what: what is wrong, as one sentence without a final full stop.
        where: the file, key, command or address it was found in.
        fix: what to do about it.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | Path | None = None, fix: str | None = None) -> None:
        self.what = what
        self.where = str(where) if where is not None else None
        self.fix = fix
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.fix}" if self.fix else text


class ConfigError(UsageError):
    """The task file is wrong. `faults` holds every fault found, not the first only."""

    def __init__(self, faults: list[str], *, where: str | Path | None = None, fix: str | None = None) -> None:
        self.faults = faults
        what = faults[0] if len(faults) == 1 else "\n  - ".join([f"{len(faults)} faults", *faults])
        super().__init__(what, where=where, fix=fix)


class NotFound(UsageError):
    """There is no `kind` called `name`; the nearest of `known` are named."""

    def __init__(self, kind: str, name: str, known: Iterable[str] = (), *, where: str | Path | None = None) -> None:
        known = list(known)
        close = nearest(name, known)
        if close:
            fix = f"Did you mean {' or '.join(close)}?"
        elif known:
            fix = f"There is: {', '.join(sorted(known)[:12])}"
        else:
            fix = f"There is no {kind} yet"
        super().__init__(f"no {kind} {name!r}", where=where, fix=fix)


class MissingExtra(UsageError):
    """A part that this work needs is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"the Python module {module!r} is not installed", fix=f"Run: pip install 'tensaku[{extra}]'")


class DataError(UsageError):
    """A file is not what it should be. `line` counts from 1; `field` is a column or key."""

    def __init__(
        self,
        what: str,
        *,
        file: str | Path,
        line: int | None = None,
        field: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.file, self.line, self.field = Path(file), line, field
        where = str(file)
        if line is not None:
            where += f", line {line}"
        if field is not None:
            where += f", field {field!r}"
        super().__init__(what, where=where, fix=fix)


class GateError(TensakuError):
    """A check refused the release."""

    exit_code = 3

    def __init__(self, gate: str, *, measured: str, wanted: str, fix: str | None = None) -> None:
        self.gate, self.measured, self.wanted = gate, measured, wanted
        text = f"gate {gate!r} refused: measured {measured}, wanted {wanted}"
        super().__init__(f"{text}. {fix}" if fix else text)


class StageError(TensakuError):
    """The work of a stage failed. `scratch` is the folder that holds what it had done."""

    def __init__(self, stage: str, why: str, *, scratch: Path | None = None, fix: str | None = None) -> None:
        self.stage, self.scratch = stage, scratch
        text = f"{stage}: {why}"
        if scratch is not None:
            text += f" (work so far is kept in {scratch})"
        super().__init__(f"{text}. {fix}" if fix else text)


class EngineError(TensakuError):
    """A model did not answer. `retryable` says whether the same request may work later."""

    def __init__(self, why: str, *, retryable: bool = False) -> None:
        self.retryable = retryable
        super().__init__(why)
