"""What is no file yet and is to be a stage's input: written as a file that is named by its content.

A database, say, is no input whose content can be hashed, and it goes on changing while a stage reads.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tensaku.errors import UsageError
from tensaku.store.artifact import SourceFile

__all__ = ["frozen_bytes", "frozen_file"]


def frozen_file(rows: Iterable[dict[str, Any]], folder: Path, name: str) -> SourceFile:
    """Write `rows` as JSON lines in one fixed form, as `frozen_bytes` does: equal rows are one input.

    Raises:
        UsageError: the file cannot be written.
    """
    content = "".join(json.dumps(row, ensure_ascii=True, sort_keys=True) + "\n" for row in rows)
    return frozen_bytes(content.encode("ascii"), folder, name, ".jsonl")


def frozen_bytes(content: bytes, folder: Path, name: str, ending: str) -> SourceFile:
    """Write `content` into `folder`, whole or not at all, readable by its owner only, as the ledger is.

    Raises:
        UsageError: the file cannot be written.
    """
    path = folder / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}{ending}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != content:
            with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{name}-", delete=False) as file:
                file.write(content)
            Path(file.name).replace(path)
    except OSError as error:
        fix = "Give the account write access, or make room"
        raise UsageError(f"the {name} cannot be written ({error.strerror})", where=folder, fix=fix) from None
    return SourceFile(path)
