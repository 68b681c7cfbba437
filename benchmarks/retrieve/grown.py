"""Many passages from few: sentences of JSQuAD drawn anew, with names and figures that stand nowhere else."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.retrieve.jsquad import Course
from numpy.typing import NDArray

from tensaku.retrieve.catalogue import Catalogue, Entry, Known
from tensaku.retrieve.chunk import spans
from tensaku.retrieve.snapshot import seal
from tensaku.retrieve.words import number_of, terms_of
from tensaku.text import sentences

__all__ = ["fill", "grow"]

_A_FILE = 200
_OWN = "整理番号は{:08d}である。"


def _every(course: Course) -> list[str]:
    return [s.text.strip() for _, text in course.passages for s in sentences(text) if s.text.strip()]


def grow(course: Course, passages: int, folder: Path) -> None:
    """Write so many passages, two hundred to a file, each under a heading of its own; those that stand there stay."""
    if (folder / "whole").exists():
        return
    drawn, every = random.Random(1), _every(course)
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, passages, _A_FILE):
        parts = []
        for number in range(start, min(start + _A_FILE, passages)):
            body = "".join(drawn.choice(every) for _ in range(3))
            parts.append(f"# 資料{number}\n\n{body}{_OWN.format(drawn.randrange(10**8))}\n")
        (folder / f"f{start:07d}.md").write_text("\n".join(parts), encoding="utf-8")
    (folder / "whole").touch()


def fill(course: Course, passages: int, home: Path, vectors: Callable[[int], NDArray[Any]]) -> bool:
    """Put the index together that such passages would have, each sentence read once; whether there was anything to do.

    Reading a million passages takes hours that say no more than those of a hundred thousand. The terms of a passage are
    those of its sentences; pairs of words and characters across two of them are missing. `vectors` draws so many rows.
    What is in the catalogue already is kept, so a killed run goes on.
    """
    home.mkdir(parents=True, exist_ok=True)
    with Catalogue(home / "catalogue.db") as catalogue:
        catalogue.set_settings("grown")
        done = set(catalogue.files())
        if (home / "current").exists() and len(done) * _A_FILE >= passages:
            return False
        every = _every(course)
        known = [_terms(text) for text in every]
        for start in range(0, passages, _A_FILE):
            path, drawn = f"grown/f{start:07d}.md", random.Random(start)
            if path in done:
                continue
            (home / "current").unlink(missing_ok=True)
            entries = [_entry(n, every, known, drawn, vectors) for n in range(start, min(start + _A_FILE, passages))]
            about = {"source": "grown", "fund": "", "title": f"f{start}", "passages": len(entries)}
            catalogue.put(path, Known(1, 1, path), path, "", about, entries)
        seal(catalogue, home, "grown", "drawn-384", 384)
        return True


def _terms(text: str) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    found = Counter(number_of(term) for term in terms_of(text))
    return np.asarray(list(found), np.uint64), np.asarray([min(n, 255) for n in found.values()], np.uint8)


def _entry(
    number: int,
    every: list[str],
    known: list[tuple[NDArray[np.uint64], NDArray[np.uint8]]],
    drawn: random.Random,
    vectors: Callable[[int], NDArray[Any]],
) -> Entry:
    chosen = [drawn.randrange(len(every)) for _ in range(3)]
    figure = drawn.randrange(10**8)
    own = [f"w:{figure:08d}", f"w:{number}", "w:資料", "w:整理", "w:番号", "b:整理", "b:理番", "b:番号", "b:号は"]
    parts = [known[at] for at in chosen]
    parts.append((np.asarray([number_of(term) for term in own], np.uint64), np.ones(len(own), np.uint8)))
    terms, place = np.unique(np.concatenate([one for one, _ in parts]), return_inverse=True)
    counts = np.bincount(place, np.concatenate([often for _, often in parts]).astype(float))
    text = "".join(every[at] for at in chosen) + _OWN.format(figure)
    pieces = [list(piece) for piece in spans(text)]
    record = {
        "text": text,
        "headings": [f"資料{number}"],
        "clause": "",
        "page": 1,
        "place": [2 * number + 1, 2 * number + 1, 0],
        "sentences": pieces,
    }
    rows = np.clip(np.rint(vectors(len(pieces)) * 127), -127, 127).astype(np.int8).reshape(-1)
    return Entry(record, terms, np.minimum(counts, 255).astype(np.uint8), rows)
