"""Rows of the ledger as a file: in one fixed form and order, named by its content, so that equal rows are one input.

A database is no input whose content can be hashed, and it goes on changing while a stage reads.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tensaku.errors import UsageError
from tensaku.store import SourceFile

__all__ = ["frozen_file"]


def frozen_file(rows: Iterable[dict[str, Any]], folder: Path, name: str) -> SourceFile:
    """Write `rows` as JSON lines into `folder`, readable by its owner only, as the ledger is.

    Raises:
        UsageError: the file cannot be written.
    """
    content = "".join(json.dumps(row, ensure_ascii=True, sort_keys=True) + "\n" for row in rows).encode("ascii")
    path = folder / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}.jsonl"
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
