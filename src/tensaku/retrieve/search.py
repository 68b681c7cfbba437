"""Search by words and vectors, among what the asker may see, at the day and in the sources that are asked for.

Nothing of a document that the asker may not see has a part in what comes back: not in hits, not in counts, not in the
rarity of a word, for BM25's figures are those of the visible passages alone. There is no cache of answers.
"""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensaku.errors import UsageError
from tensaku.models.embed import Embedder, Local
from tensaku.retrieve.evidence import EVIDENCE, evidence
from tensaku.retrieve.rank import FEATURES, fuse, rerank, sureness
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.snapshot import Snapshot, open_current
from tensaku.retrieve.vectors import Near
from tensaku.retrieve.words import Asked, Synonyms, asked, folded, number_of

__all__ = ["Candidates", "Filters", "Hit", "Searcher", "Steps"]

_K1, _B = 0.9, 0.4  # the values of Anserini's runs: Yang, Fang and Lin, Anserini (2018)
_DEEP = 100
"""Candidates of each order."""
_POSTINGS = 1_000_000
"""Postings that are read as a whole; terms beyond count for the passages that stand out by then."""
_STANDING = 20_000
"""So many."""
_FEW = 16
"""A look-up of a hidden passage among those that hold a term costs as much as the looks at so many of these."""
_RERANKED = 30
"""Candidates that are looked at closely."""

_COVERED, _NEAR = FEATURES.index("covered"), FEATURES.index("near")

Scores = NDArray[np.float32]


@dataclass
class Candidates:
    """Passages that may answer, in their fused order, and of each a row of `FEATURES` in `known`.

    `orders` are the orders that were fused. `vector` is the question's, None without vectors; `trusted` says that it is
    of the model by whose cosines the weights were learnt.
    """

    at: NDArray[np.int64]
    known: Scores
    orders: dict[str, list[int]]
    vector: Scores | None = None
    trusted: bool = False

    @property
    def vectors(self) -> bool:
        """Whether vectors were searched."""
        return self.vector is not None


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
    """A passage that was found. `as_of` is the day from which its document counts, `version` the same where that tells
    one version of a file from another. `place` is its first and last block and the offset within the first;
    `sentences` are the offsets of its sentences. `ranks` says where it stood in each order ("words", "vectors").
    `covered` is the share of the question's words found in it (0 to 1), `near` the cosine of its nearest sentence,
    `sure` how likely it is that it answers the question, if it is the best (0 to 1).
    """

    passage: int
    document: str
    path: str
    title: str
    source: str
    fund: str
    as_of: str
    version: str
    headings: tuple[str, ...]
    clause: str
    page: int
    place: tuple[int, int, int]
    text: str
    sentences: tuple[tuple[int, int], ...]
    score: float = 0.0
    covered: float = 0.0
    near: float = 0.0
    sure: float = 0.0
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

    def candidates(self, question: str, person: str = "", steps: Steps | None = None) -> Candidates:
        """What a search would look at closely; for learning weights and for measuring.

        Raises:
            UsageError, EngineError: as `search`.
        """
        snapshot, near = self._current()
        seen, how = self._visible(snapshot, person, Filters()), steps or Steps()
        return _Search(snapshot, near, self._embedder, seen, how, self._synonyms).candidates(question, 1, ())

    def passage(self, number: int, person: str, index: str) -> Hit | None:
        """Passage `number` of the snapshot called `index`, None if there is none that `person` may see."""
        snapshot, _ = self._current()
        if snapshot.name != index or not 0 <= number < len(snapshot):
            return None
        told = snapshot.documents[int(snapshot.document_of[number])]
        open_ = self._rights.opens(person, "fund", [str(told["about"]["fund"])])
        if not open_ or not self._rights.sees(person, [told["path"]])[0]:
            return None
        return _hit(snapshot, number)

    def document(self, number: int, person: str, index: str) -> list[Hit]:
        """Every passage of the version that passage `number` belongs to, in order; empty as `passage` is None."""
        if self.passage(number, person, index) is None:
            return []
        snapshot, _ = self._current()
        return [_hit(snapshot, n) for n in snapshot.passages_of(int(snapshot.document_of[number]))]

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
        allowed = self._allowed(person, snapshot)
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

    def _allowed(self, person: str, snapshot: Snapshot) -> NDArray[np.bool_]:
        """Which documents the person may see: by the rules about their paths, and about the funds they speak of."""
        allowed = self._rights.sees(person, snapshot.paths)
        if not self._rights.barriers:
            return allowed
        return allowed & snapshot.funds.which(lambda fund: self._rights.opens(person, "fund", [fund]))

    def _visible(self, snapshot: Snapshot, person: str, filters: Filters) -> NDArray[np.bool_]:
        allowed = self._allowed(person, snapshot)
        day = int((filters.as_of or datetime.date.today()).strftime("%Y%m%d"))
        allowed = allowed & (snapshot.since <= day) & (day < snapshot.until)
        for named, wished in ((snapshot.sources, filters.sources), (snapshot.funds, filters.funds)):
            if wished:
                allowed = allowed & named.which(wished.__contains__)
        return np.asarray(allowed[snapshot.document_of]) if len(snapshot) else np.zeros(0, bool)


@dataclass(frozen=True, slots=True)
class Postings:
    """Passages that hold a term, in order, hidden ones too, and how often it stands in each; `seen` is how many of them
    are visible.
    """

    holders: NDArray[np.int32]
    counts: NDArray[np.uint8]
    seen: int


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
        self._size = int(np.count_nonzero(seen))
        self._hidden = np.flatnonzero(~seen).astype(np.int32)
        self._read: dict[str, Postings] = {}
        self._mean = float(snapshot.lengths[seen].mean()) or 1.0

    def best(self, question: str, k: int, also: Sequence[str]) -> list[Hit]:
        found = self.candidates(question, k, also)
        known = found.known
        scores = rerank(known, found.vectors) if self._steps.rerank else -np.arange(len(found.at), dtype=np.float32)
        order = np.lexsort((found.at, -scores))[:k]
        ranks = {name: {p: r for r, p in enumerate(one, start=1)} for name, one in found.orders.items()}
        sure = sureness(known, found.trusted)
        return [
            _hit(
                self._snapshot,
                passage := int(found.at[i]),
                score=float(scores[i]),
                covered=float(known[i, _COVERED]),
                near=float(known[i, _NEAR]),
                sure=float(sure[i]),
                ranks={name: one[passage] for name, one in ranks.items() if passage in one},
                nearness=() if found.vector is None else self._near.each(passage, found.vector),
            )
            for i in order
        ]

    def candidates(self, question: str, k: int, also: Sequence[str]) -> Candidates:
        """The passages that the orders put first together, at least `k`, with what is known of them."""
        told = asked(question, self._synonyms if self._steps.synonyms else None)
        orders: dict[str, list[int]] = {}
        if self._steps.words:
            orders["words"] = _top(self._ordering(told), _DEEP)
        nearest, vector = np.zeros(0, np.float32), None
        if self._steps.vectors and self._embedder is not None and self._near.size:
            vector = self._embedder.question(question)
            nearest = self._near.nearest(vector, self._seen)
            orders["vectors"] = _top(nearest, _DEEP)
        for number, wording in enumerate(also):
            orders[f"wording {number + 1}"] = _top(self._ordering(asked(wording, None)), _DEEP)
        at = np.asarray(fuse(list(orders.values()))[: max(_RERANKED, k)], np.int64)
        found = Candidates(at, np.zeros((len(at), len(FEATURES)), np.float32), orders, vector)
        found.trusted = vector is not None and self._embedder is not None and self._embedder.name == Local.name
        self._know(found, told, nearest)
        return found

    def _know(self, found: Candidates, told: Asked, nearest: Scores) -> None:
        """Fill in what is known of the candidates. BM25 sums count relative to the best candidate's."""
        at, known = found.at, self._sums(told, found.at)
        for name in ("words", "pairs", "phrases"):
            known[name] = known[name] / max(float(known[name].max(initial=0.0)), 1e-6)
        for name in ("words", "vectors"):
            ranks = {passage: rank for rank, passage in enumerate(found.orders.get(name, ()), start=1)}
            known[f"by_{name}"] = np.asarray([1 / ranks.get(int(p), 2 * _DEEP) for p in at], np.float32)
        known["near"] = known["about"] = known["second"] = np.zeros(len(at), np.float32)
        if found.vector is not None:
            known["near"] = nearest[at]
            known["about"], known["second"] = self._near.about(at, found.vector)
        rarities = [self._rarity(self._postings(term)) for term in told.words]
        looked = evidence(told, rarities, [self._snapshot.record(int(passage)) for passage in at])
        known |= dict(zip(EVIDENCE, looked.T, strict=True))
        for column, name in enumerate(FEATURES):
            found.known[:, column] = known[name]

    def _weighted(self, told: Asked) -> Iterator[tuple[str, str, float]]:
        """What BM25 sums: the sum that a term belongs to, the term, its weight."""
        yield from (("words", term, 1.0) for term in told.words)
        yield from (("words", term, 0.5) for term in told.readings)
        yield from (("words" if term.startswith("w:") else "pairs", term, weight) for term, weight in told.more)
        yield from (("pairs", term, 1.0) for term in told.pairs)

    def _ordering(self, told: Asked) -> Scores:
        """BM25 of words and pairs together, of every passage; of frequent terms only where the others stand out.

        Rare terms come first. When as many postings were read as `_POSTINGS`, each further term is looked up for the
        `_STANDING` best passages alone: what stands in a large part of all passages hardly tells them apart.
        """
        total = np.zeros(len(self._snapshot), np.float32)
        every = [(self._postings(term), weight) for _, term, weight in self._weighted(told)]
        every.sort(key=lambda one: one[0].seen)
        read, at = 0, 0
        while at < len(every) and (not read or read + every[at][0].seen <= _POSTINGS):
            found, weight = every[at]
            holders, shares = self._shares(found)
            total[holders] += weight * shares
            read, at = read + found.seen, at + 1
        if at < len(every):
            standing = np.flatnonzero(total).astype(np.int32)
            if len(standing) > _STANDING:
                standing = np.sort(standing[np.argpartition(-total[standing], _STANDING)[:_STANDING]])
            for found, weight in every[at:]:
                total[standing] += weight * self._shares_at(found, standing)
        return total

    def _sums(self, told: Asked, at: NDArray[np.int64]) -> dict[str, Scores]:
        """BM25 of words, of pairs of characters and of phrases at some passages, and the share of words found there."""
        sums = {name: np.zeros(len(at), np.float32) for name in ("words", "pairs", "phrases", "covered")}
        for name, term, weight in (*self._weighted(told), *(("phrases", term, 1.0) for term in told.phrases)):
            sums[name] += weight * self._shares_at(self._postings(term), at)
        whole = 0.0
        for term in told.words:
            found = self._postings(term)
            rarity = self._rarity(found)
            sums["covered"] += rarity * _among(at, found.holders)
            whole += rarity
        self._stand_in(told, at, sums["covered"])
        if whole:
            sums["covered"] /= whole
        return sums

    def _stand_in(self, told: Asked, at: NDArray[np.int64], covered: Scores) -> None:
        """Count a word of the question as found where a form of the term list stands for it."""
        for meant, forms in told.alike:
            missing = [self._postings(term) for term in meant if term in told.words]
            both = [_among(at, self._postings(form).holders) for form in forms]
            if not both or not missing:
                continue
            here = np.logical_and.reduce(both)
            for found in missing:
                covered[here & ~_among(at, found.holders)] += self._rarity(found)

    def _postings(self, term: str) -> Postings:
        """The passages that hold a term, and how many of them are visible."""
        if term not in self._read:
            holders, counts = self._snapshot.postings(number_of(term))
            self._read[term] = Postings(holders, counts, self._count(holders))
        return self._read[term]

    def _count(self, holders: NDArray[np.int32]) -> int:
        """How many of `holders` are visible: by the hidden ones among them where those are few."""
        if len(self._hidden) * _FEW < len(holders):
            return len(holders) - int(np.count_nonzero(_among(self._hidden, holders)))
        return int(np.count_nonzero(self._seen[holders]))

    def _rarity(self, found: Postings) -> float:
        return float(np.log1p((self._size - found.seen + 0.5) / (found.seen + 0.5)))

    def _shares(self, found: Postings) -> tuple[NDArray[np.int32], Scores]:
        """The visible passages that hold a term, and its share in the score of each."""
        holders, counts = found.holders, found.counts
        if found.seen < len(holders):
            kept = self._seen[holders]
            holders, counts = holders[kept], counts[kept]
        often = counts.astype(np.float32)
        damping = np.float32(_K1 * (1 - _B)) + np.float32(_K1 * _B / self._mean) * self._snapshot.lengths[holders]
        shares = np.float32(self._rarity(found) * (_K1 + 1)) * often / (often + damping)
        return holders, np.asarray(shares, np.float32)

    def _shares_at(self, found: Postings, at: NDArray[np.integer[Any]]) -> Scores:
        """A term's share in the score of some visible passages, 0 where it does not stand."""
        out = np.zeros(len(at), np.float32)
        place, inside = _placed(at, found.holders)
        if inside.any():
            rarity, held = self._rarity(found), place[inside]
            often = found.counts[held].astype(np.float32)
            damping = _K1 * (1 - _B + _B * self._snapshot.lengths[found.holders[held]] / self._mean)
            out[inside] = rarity * (_K1 + 1) * often / (often + damping)
        return out


def _among(at: NDArray[np.integer[Any]], holders: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which of `at` are among `holders`, which are in order."""
    return _placed(at, holders)[1]


def _placed(at: NDArray[np.integer[Any]], holders: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each of `at` stands in `holders`, which are in order, and whether it does."""
    wanted = at.astype(np.int32, copy=False)  # of another type NumPy would copy all holders, a million at times
    place = np.searchsorted(holders, wanted)
    inside = np.asarray(place < len(holders), bool)
    inside[inside] = holders[place[inside]] == wanted[inside]
    return place, inside


def _top(scores: Scores, k: int) -> list[int]:
    """The `k` best passages with a score above 0, of equals the lower number first."""
    at = np.flatnonzero(scores > 0)
    if len(at) > k:
        found = scores[at]
        at = at[found >= np.partition(found, -k)[-k]]
    return [int(p) for p in at[np.lexsort((at, -scores[at]))][:k]]


def _hit(snapshot: Snapshot, passage: int, **found: Any) -> Hit:
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
        version=told["as_of"] if about.get("file", True) else "",
        headings=tuple(record["headings"]),
        clause=record["clause"],
        page=record["page"],
        place=(first, last, start),
        text=record["text"],
        sentences=tuple((a, b) for a, b in record["sentences"]),
        **found,
    )
