"""The reading process: `python -m tensaku.documents.worker FILE KIND NAME LIMITS` prints what it read as JSON."""

from __future__ import annotations

import json
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

from tensaku.documents.faults import Unreadable
from tensaku.documents.limits import Limits
from tensaku.documents.model import ReadDocument, to_values
from tensaku.errors import MissingExtra

__all__ = ["main"]


def _bound(limits: Limits) -> None:
    """Let the system stop this process at its limits; where it cannot (Windows), the parent's clock still does."""
    try:
        import resource
    except ImportError:
        return
    bounds = (
        (resource.RLIMIT_CPU, limits.seconds),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.unpacked_bytes),
        (resource.RLIMIT_CORE, 0),
    )
    for kind, most in bounds:
        _, hard = resource.getrlimit(kind)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, hard))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)


def _read(path: Path, kind: str, name: str, limits: Limits) -> ReadDocument:
    if kind == "pdf":
        from tensaku.documents.pdf import read_pdf

        return read_pdf(path, limits)
    if kind == "docx":
        from tensaku.documents.word import read_docx

        return read_docx(path, limits)
    if kind == "xlsx":
        from tensaku.documents.excel import read_xlsx

        return read_xlsx(path, limits)
    if kind == "html":
        from tensaku.documents.html import read_html

        return read_html(path, limits)
    from tensaku.documents.plain import read_text

    return read_text(path, limits, name)


def main(words: list[str]) -> None:
    """Read one file and print what came of it."""
    path, kind, name = Path(words[0]), words[1], words[2]
    limits = Limits(**json.loads(words[3]))
    _bound(limits)
    warnings.simplefilter("ignore")
    answer: dict[str, Any]
    try:
        document = _read(path, kind, name, limits)
        if not any(block.kind != "furniture" for _, block in document.blocks()):
            raise Unreadable("no-text", path)
        answer = to_values(document)
    except Unreadable as fault:
        answer = fault.values()
    except MissingExtra as missing:
        answer = {"missing": missing.what.split("'")[1]}
    except (MemoryError, RecursionError) as error:
        answer = {"reason": "too-big-inside", "detail": type(error).__name__}
    except Exception as error:  # whatever a foreign file makes a reader raise, it is the file's fault to the user
        answer = {"reason": "damaged", "detail": f"{type(error).__name__}: {error}"[:120]}
    sys.stdout.buffer.write(json.dumps(answer, ensure_ascii=True).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
