"""Search by words and vectors, among what the asker may see, at the day and in the sources that are asked for.

Nothing of a document that the asker may not see has a part in what comes back: not in hits, not in counts, not in the
rarity of a word, for BM25's figures are those of the visible passages alone. There is no cache of answers.
"""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensaku.errors import UsageError
from tensaku.retrieve.embed import Embedder
from tensaku.retrieve.rank import Features, fuse, rerank, wanted
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.snapshot import Snapshot, open_current
from tensaku.retrieve.vectors import Near
from tensaku.retrieve.words import Asked, Synonyms, asked, folded, number_of

__all__ = ["Filters", "Hit", "Searcher", "Steps"]

_K1, _B = 0.9, 0.4  # the values of Anserini's runs: Yang, Fang and Lin, Anserini (2018)
_DEEP = 100
"""Candidates of each order."""
_RERANKED = 30
"""Candidates that are looked at closely."""

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Steps:
    """Which steps a search takes."""

    words: bool = True
    vectors: bool = True
    rerank: bool = True
    synonyms: bool = True


@dataclass(frozen=True, slots=True)
class Filters:
    """What is searched: sources and funds (empty: all), the day that counts (None: today)."""

    sources: tuple[str, ...] = ()
    funds: tuple[str, ...] = ()
    as_of: datetime.date | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found. `place` is its first and last block and the offset within the first; `sentences` are
    the offsets of its sentences. `ranks` says where it stood in each order ("words", "vectors"), from 1.
    `covered` is the share of the question's words found in it (0 to 1), `near` the cosine of its nearest sentence.
    """

    passage: int
    document: str
    path: str
    title: str
    source: str
    fund: str
    as_of: str
    headings: tuple[str, ...]
    clause: str
    page: int
    place: tuple[int, int, int]
    text: str
    sentences: tuple[tuple[int, int], ...]
    score: float
    covered: float
    near: float
    ranks: dict[str, int] = field(default_factory=dict)
    nearness: tuple[float, ...] = ()
    """The cosine of each sentence, where vectors were searched."""

    @property
    def cited(self) -> str:
        """How it is cited: title, clause or heading, page."""
        parts = [self.title, *([self.clause] if self.clause else list(self.headings[-1:]))]
        return " ".join(dict.fromkeys(part for part in parts if part)) + f" p.{self.page}"


class Searcher:
    """Searches the index in `home`; safe to use from many threads. A new index is taken up with the next question.

    Args:
        home: the index's folder.
        embedder: the one it was indexed with; None: no vectors.
        rights: who may see what.
        synonyms: the desk's term list.
        even: a search ends on a multiple of so many seconds, so that its time tells nothing of what was passed over.
    """

    def __init__(
        self,
        home: Path,
        embedder: Embedder | None,
        rights: Rights,
        synonyms: Synonyms | None = None,
        *,
        even: float = 0.0,
    ) -> None:
        self._even = even
        self._home, self._embedder, self._rights, self._synonyms = home, embedder, rights, synonyms
        self._lock = threading.Lock()
        self._open: tuple[Snapshot, Near] | None = None

    def search(
        self,
        question: str,
        person: str = "",
        *,
        k: int = 5,
        filters: Filters | None = None,
        steps: Steps | None = None,
        also: Sequence[str] = (),
    ) -> list[Hit]:
        """The `k` passages that answer `question` best, among those that `person` may see.

        `also` are further wordings of the question; what they find is fused with the rest.

        Raises:
            UsageError: the question is empty, there is no index, or the rules cannot be read.
            EngineError: the embeddings did not come.
        """
        if not folded(question):
            raise UsageError("the question is empty", fix="Write what you want to know")
        began = time.monotonic()
        try:
            return self._searched(question, person, k, filters or Filters(), steps or Steps(), also)
        finally:
            if self._even:
                time.sleep(-(time.monotonic() - began) % self._even)

    def _searched(
        self, question: str, person: str, k: int, filters: Filters, steps: Steps, also: Sequence[str]
    ) -> list[Hit]:
        snapshot, near = self._current()
        seen = self._visible(snapshot, person, filters)
        if not seen.any():
            return []
        return _Search(snapshot, near, self._embedder, seen, steps, self._synonyms).best(question, k, also)

    def passage(self, number: int, person: str, index: str) -> Hit | None:
        """Passage `number` of the snapshot called `index`, None if there is none that `person` may see."""
        snapshot, _ = self._current()
        if snapshot.name != index or not 0 <= number < len(snapshot):
            return None
        document = int(snapshot.document_of[number])
        if not self._allowed(person, [snapshot.documents[document]])[0]:
            return None
        return _hit(snapshot, number, 0.0, 0.0, 0.0, {})

    def document(self, number: int, person: str, index: str) -> list[Hit]:
        """Every passage of the version that passage `number` belongs to, in order; empty as `passage` is None."""
        if self.passage(number, person, index) is None:
            return []
        snapshot, _ = self._current()
        return [_hit(snapshot, n, 0, 0, 0, {}) for n in snapshot.passages_of(int(snapshot.document_of[number]))]

    @property
    def index(self) -> str:
        """The name of the snapshot in use.

        Raises:
            UsageError: there is none.
        """
        return self._current()[0].name

    def sources(self, person: str) -> dict[str, int]:
        """Source -> how many of its documents `person` may see; sources of which none are not named."""
        snapshot, _ = self._current()
        allowed = self._allowed(person, snapshot.documents)
        found: dict[str, set[str]] = {}
        for document, may in zip(snapshot.documents, allowed, strict=True):
            if may:
                found.setdefault(document["about"]["source"], set()).add(document["document"])
        return {source: len(documents) for source, documents in sorted(found.items())}

    def _current(self) -> tuple[Snapshot, Near]:
        with self._lock:
            former = self._open[0] if self._open else None
            snapshot = open_current(self._home, former)
            if self._embedder is not None and snapshot.model != self._embedder.name:
                what = f"the index was made with {snapshot.model!r} and is asked with {self._embedder.name!r}"
                raise UsageError(what, where=self._home, fix="Run: tensaku index")
            if self._open is None or snapshot is not former:
                self._open = snapshot, Near(snapshot.vectors, snapshot.vector_passages, len(snapshot))
            return self._open

    def _allowed(self, person: str, documents: Sequence[dict[str, Any]]) -> NDArray[np.bool_]:
        """Which documents the person may see: by the rules about their paths, and about the funds they speak of."""
        allowed = self._rights.sees(person, [one["path"] for one in documents])
        funds = {str(one["about"]["fund"]) for one in documents}
        closed = {fund for fund in funds if not self._rights.opens(person, "fund", [fund])}
        if not closed:
            return allowed
        return np.asarray(allowed & np.asarray([one["about"]["fund"] not in closed for one in documents], bool))

    def _visible(self, snapshot: Snapshot, person: str, filters: Filters) -> NDArray[np.bool_]:
        allowed = self._allowed(person, snapshot.documents)
        day = int((filters.as_of or datetime.date.today()).strftime("%Y%m%d"))
        allowed = allowed & (snapshot.since <= day) & (day < snapshot.until)
        for name, wished in (("source", filters.sources), ("fund", filters.funds)):
            if wished:
                allowed = allowed & np.asarray([d["about"][name] in wished for d in snapshot.documents], bool)
        return np.asarray(allowed[snapshot.document_of]) if len(snapshot) else np.zeros(0, bool)


class _Search:
    """One search over the passages that `seen` marks."""

    def __init__(
        self,
        snapshot: Snapshot,
        near: Near,
        embedder: Embedder | None,
        seen: NDArray[np.bool_],
        steps: Steps,
        synonyms: Synonyms | None,
    ) -> None:
        self._snapshot, self._near, self._embedder, self._seen = snapshot, near, embedder, seen
        self._steps, self._synonyms = steps, synonyms
        self._size = int(seen.sum())
        self._mean = float(snapshot.lengths[seen].mean()) or 1.0

    def best(self, question: str, k: int, also: Sequence[str]) -> list[Hit]:
        told = asked(question, self._synonyms if self._steps.synonyms else None)
        words, pairs, phrases, covered = self._words(told)
        orders: dict[str, list[int]] = {}
        if self._steps.words:
            orders["words"] = _top(words + pairs, _DEEP)
        nearest, vector = np.zeros(len(self._snapshot), np.float32), None
        if self._steps.vectors and self._embedder is not None and self._near.size:
            vector = self._embedder.question(question)
            nearest = self._near.nearest(vector, self._seen)
            orders["vectors"] = _top(nearest, _DEEP)
        for number, wording in enumerate(also):
            more, pair, *_ = self._words(asked(wording, None))
            orders[f"wording {number + 1}"] = _top(more + pair, _DEEP)
        fused = fuse(list(orders.values()))[: max(_RERANKED, k)]
        if not fused:
            return []
        at = np.asarray(fused)
        if self._steps.rerank:
            scores = rerank(self._features(question, at, (words, pairs, phrases, covered), nearest, vector))
        else:
            scores = -np.arange(len(fused), dtype=np.float32)
        order = np.lexsort((at, -scores))[:k]
        ranks = {name: {p: r for r, p in enumerate(found, start=1)} for name, found in orders.items()}
        found = [
            _hit(
                self._snapshot,
                int(at[i]),
                float(scores[i]),
                float(covered[at[i]]),
                float(nearest[at[i]]),
                {name: found[int(at[i])] for name, found in ranks.items() if int(at[i]) in found},
            )
            for i in order
        ]
        if vector is None:
            return found
        return [replace(hit, nearness=self._near.each(hit.passage, vector)) for hit in found]

    def _features(
        self,
        question: str,
        at: NDArray[np.int64],
        sums: tuple[Scores, Scores, Scores, Scores],
        nearest: Scores,
        vector: Scores | None,
    ) -> Features:
        words, pairs, phrases, covered = (values[at] for values in sums)
        holds = wanted(question)
        texts = [self._snapshot.record(int(passage))["text"] for passage in at] if holds else []
        fitting = np.asarray([bool(holds and holds.search(text)) for text in texts] or np.zeros(len(at)), np.float32)
        about = np.zeros(len(at), np.float32) if vector is None else self._near.about(at, vector)
        return Features(words, pairs, phrases, covered, nearest[at], about, fitting)

    def _words(self, told: Asked) -> tuple[Scores, Scores, Scores, Scores]:
        """BM25 of words, of pairs of characters and of phrases, and the share of words found."""
        size = len(self._snapshot)
        words, pairs, phrases, covered = (np.zeros(size, np.float32) for _ in range(4))
        whole = 0.0
        for term in told.words:
            whole += self._add(term, 1.0, words, covered)
        for term in told.readings:
            self._add(term, 0.5, words)
        for term, weight in told.more:
            self._add(term, weight, words if term.startswith("w:") else pairs)
        for term in told.pairs:
            self._add(term, 1.0, pairs)
        for term in told.phrases:
            self._add(term, 1.0, phrases)
        self._stand_in(told, covered)
        if whole:
            covered /= whole
        return words, pairs, phrases, covered

    def _stand_in(self, told: Asked, covered: Scores) -> None:
        """Count a word of the question as found where a form of the term list stands for it."""
        for meant, forms in told.alike:
            missing = [self._holding(term) for term in meant if term in told.words]
            both = [self._holding(form) for form in forms]
            if not both or not missing:
                continue
            at = reduce(np.intersect1d, both)
            for holders in missing:
                rarity = self._rarity(len(holders))
                covered[np.setdiff1d(at, holders)] += rarity

    def _holding(self, term: str) -> NDArray[np.int32]:
        """The visible passages that hold a term."""
        holders, _ = self._snapshot.postings(number_of(term))
        return np.asarray(holders[self._seen[holders]])

    def _rarity(self, holders: int) -> float:
        return float(np.log1p((self._size - holders + 0.5) / (holders + 0.5)))

    def _add(self, term: str, weight: float, into: Scores, present: Scores | None = None) -> float:
        """Add a term's share to each visible passage that holds it; its rarity among them."""
        holders, counts = self._snapshot.postings(number_of(term))
        keep = self._seen[holders]
        holders, counts = holders[keep], counts[keep]
        rarity = self._rarity(len(holders))
        if len(holders):
            often = counts.astype(np.float32)
            damping = _K1 * (1 - _B + _B * self._snapshot.lengths[holders] / self._mean)
            into[holders] += weight * rarity * often * (_K1 + 1) / (often + damping)
            if present is not None:
                present[holders] += rarity
        return rarity


def _top(scores: Scores, k: int) -> list[int]:
    """The `k` best passages with a score above 0, of equals the lower number first."""
    k = min(k, len(scores))
    at = np.argpartition(-scores, k - 1)[:k] if k < len(scores) else np.arange(len(scores))
    if k < len(scores):
        at = np.flatnonzero(scores >= scores[at].min()) if scores[at].min() > 0 else at
    at = at[scores[at] > 0]
    return [int(p) for p in at[np.lexsort((at, -scores[at]))][:k]]


def _hit(snapshot: Snapshot, passage: int, score: float, covered: float, near: float, ranks: dict[str, int]) -> Hit:
    record: dict[str, Any] = snapshot.record(passage)
    told = snapshot.documents[int(snapshot.document_of[passage])]
    about = told["about"]
    first, last, start = record["place"]
    return Hit(
        passage=passage,
        document=told["document"],
        path=told["path"],
        title=about["title"],
        source=about["source"],
        fund=about["fund"],
        as_of=told["as_of"],
        headings=tuple(record["headings"]),
        clause=record["clause"],
        page=record["page"],
        place=(first, last, start),
        text=record["text"],
        sentences=tuple((a, b) for a, b in record["sentences"]),
        score=score,
        covered=covered,
        near=near,
        ranks=ranks,
    )
