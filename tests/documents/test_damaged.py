"""Files with bytes turned at random: every one is read or refused with a reason, and never anything else."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from tensaku.documents import Limits, Unreadable, read
from tensaku.sampledesk.reports import write_reports

LIMITS = Limits(seconds=10, memory_bytes=900 << 20)


def _damaged(content: bytes, rng: random.Random) -> bytes:
    found = bytearray(content)
    kind = rng.randrange(4)
    if kind == 0:
        return bytes(found[: rng.randrange(1, len(found))])
    for _ in range(rng.choice((1, 8, 64))):
        at = rng.randrange(len(found))
        if kind == 1:
            found[at] = rng.randrange(256)
        elif kind == 2:
            del found[at : at + rng.randrange(1, 30)]
        else:
            found[at:at] = rng.randbytes(rng.randrange(1, 30))
    return bytes(found) or b"x"


def _try(folder: Path, rounds: int) -> tuple[int, int]:
    """How many were read and refused; anything else is raised."""
    reasons: Counter[str] = Counter()
    rng = random.Random(20261127)
    write_reports(folder / "whole")
    files = sorted((folder / "whole").iterdir())
    for number in range(rounds):
        source = files[number % len(files)]
        path = folder / f"damaged{source.suffix}"
        path.write_bytes(_damaged(source.read_bytes(), rng))
        try:
            read(path, limits=LIMITS)
            reasons["whole"] += 1
        except Unreadable as fault:
            reasons[fault.reason] += 1
    assert not reasons.keys() & {"too-long", "reader-died"}
    return reasons["whole"], reasons.total() - reasons["whole"]


def test_some_damaged_files(tmp_path: Path) -> None:
    whole, refused = _try(tmp_path, 10)
    assert whole + refused == 10
    assert refused > 0


@pytest.mark.slow
def test_many_damaged_files(tmp_path: Path) -> None:
    whole, refused = _try(tmp_path, 200)
    assert whole > 20
    assert refused > 20
