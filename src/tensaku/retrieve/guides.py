"""The house's rules of writing and its terms: of each draft, those that it calls for, to be read beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tensaku.errors import DataError, UsageError
from tensaku.retrieve.blocks import read_blocks
from tensaku.retrieve.chunk import chunks, spans
from tensaku.retrieve.inert import cleaned, commands
from tensaku.retrieve.similar import Index, terms

__all__ = ["Guides"]

_SIZE = 160
"""Characters of a passage: a rule or two with their examples."""


@dataclass(frozen=True, eq=False)
class Guides:
    """Passages of style guides, and a term list; of both, what a draft calls for.

    A term is called for if the draft holds one of its other forms. Of the passages the `k` most like the draft are,
    by BM25 over pairs of characters (`Index`); those with nothing in common never. What the documents say is data:
    sentences that speak to a model are left out as they are read.
    """

    passages: tuple[str, ...]
    terms: Mapping[str, tuple[str, ...]]
    k: int

    @classmethod
    def read(cls, files: Iterable[Path], terms: Mapping[str, Iterable[str]], k: int) -> Guides:
        """The guides in `files`, of any kind that the index reads, and the names with the forms they are written in.

        Raises:
            UsageError: a file is not there.
            DataError: it cannot be read, or there is no text in it.
        """
        passages: list[str] = []
        for path in files:
            try:
                data = path.read_bytes()
            except OSError as error:
                what = f"the guide cannot be read ({error.strerror})"
                raise UsageError(what, where=path, fix="Correct task.guides") from None
            for chunk in chunks(read_blocks(path.name, data), _SIZE):
                pieces = [cleaned(chunk.text[start:end]).strip() for start, end in spans(chunk.text)]
                text = "".join(piece for piece in pieces if piece and not commands(piece))
                if text:
                    passages.append(f"{chunk.title}: {text}" if chunk.title else text)
        return cls(tuple(passages), {name: tuple(forms) for name, forms in terms.items()}, k)

    @classmethod
    def load(cls, path: Path) -> Guides:
        """What `dumped` gave, from a file.

        Raises:
            DataError: it is something else.
        """
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            return cls(tuple(told["passages"]), {n: tuple(f) for n, f in told["terms"].items()}, int(told["k"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"these are no guides ({error})", file=path, fix="Run the task again") from None

    def dumped(self) -> str:
        """Everything as JSON, the same for the same guides."""
        told = {"k": self.k, "passages": self.passages, "terms": self.terms}
        return json.dumps(told, ensure_ascii=False, sort_keys=True, indent=1) + "\n"

    def called_for(self, draft: str) -> list[str]:
        """The lines to read beside a draft: its terms first, then the passages, the most like it first."""
        found = []
        for name, forms in self.terms.items():
            here = [form for form in forms if form != name and form in draft and form not in name]
            if here and name not in draft:
                found.append(f"{'・'.join(here)} → {name}")
        asked = terms(draft)
        scores = self._index.scores(asked)
        best = [number for number in self._index.ranked(asked)[: self.k] if scores[number] > 0]
        return found + [self.passages[number] for number in best]

    @cached_property
    def _index(self) -> Index:
        return Index(terms(passage) for passage in self.passages)
