"""What to tell somebody whose training ran out of memory or disk."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from tensaku.errors import StageError

__all__ = ["explained"]

_MEMORY_WORDS = ("can't allocate memory", "not enough memory", "out of memory", "cannot allocate memory")
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def explained(scratch: Path) -> Iterator[None]:
    """Turn what torch and the operating system say of memory and disk into one clear error with advice.

    Raises:
        StageError: memory or disk ran out; what was saved before is kept.
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise _memory(scratch) from None
    except RuntimeError as error:
        if any(words in str(error).lower() for words in _MEMORY_WORDS):
            raise _memory(scratch) from None
        raise
    except OSError as error:
        if error.errno in _FULL or "no space left" in str(error).lower():
            why = "no space left on the disk for the next checkpoint; the last good one is kept"
            fix = "Free some space and run again, it goes on from there"
            raise StageError("tune", why, scratch=scratch, fix=fix) from None
        raise


def _memory(scratch: Path) -> StageError:
    fix = (
        'Set a smaller tune.batch or tune.context; or tune.method = "qlora" for a base from a GGUF file; '
        "or trim the vocabulary (trim.keep). Then run again"
    )
    return StageError(
        "tune", "not enough memory for a step; the last good checkpoint is kept", scratch=scratch, fix=fix
    )
