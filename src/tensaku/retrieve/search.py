"""Search by words and vectors, among what the asker may see, at the day and in the sources that are asked for.

Nothing of a document that the asker may not see has a part in what comes back: not in hits, not in counts, not in the
rarity of a word, for BM25's figures are those of the visible passages alone. There is no cache of answers.
"""

from __future__ import annotations

import datetime
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensaku.errors import UsageError
from tensaku.machine import cores
from tensaku.models.embed import Embedder, Local
from tensaku.retrieve.bm25 import Bm25, Scores, View, top
from tensaku.retrieve.evidence import EVIDENCE, evidence
from tensaku.retrieve.rank import FEATURES, fuse, rerank, sureness
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.snapshot import Snapshot, open_current
from tensaku.retrieve.vectors import Near
from tensaku.retrieve.words import Asked, Synonyms, asked, folded

__all__ = ["Candidates", "Filters", "Hit", "Searcher", "Steps"]

_log = logging.getLogger(__name__)
_DEEP = 100
"""Candidates of each order."""
_VIEWS = 4
"""Selections of documents of which it is kept which passages they are: the next question often asks the same."""
_RERANKED = 30
"""Candidates that are looked at closely."""

_COVERED, _NEAR = FEATURES.index("covered"), FEATURES.index("near")


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
        self._beside = ThreadPoolExecutor(cores(), "questions")
        self._open: _Opened | None = None
        self._holds = False

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
        opened = self._current()
        view = self._view(opened, person, filters)
        if not view.size:
            return []
        return self._search(opened, view, steps).best(question, k, also)

    def candidates(self, question: str, person: str = "", steps: Steps | None = None) -> Candidates:
        """What a search would look at closely; for learning weights and for measuring.

        Raises:
            UsageError, EngineError: as `search`.
        """
        opened = self._current()
        view = self._view(opened, person, Filters())
        return self._search(opened, view, steps or Steps()).candidates(question, 1, ())

    def _search(self, opened: _Opened, view: View, steps: Steps) -> _Search:
        return _Search(opened, view, self._embedder, steps, self._synonyms, self._beside)

    def hold(self) -> str:
        """Take the index, and each that replaces it, into memory; what is to be known of it, empty if nothing.

        Raises:
            UsageError: there is no index.
        """
        try:
            opened = self._current()
        finally:
            self._holds = True  # one that is not there yet, too
        try:
            whole = opened.snapshot.hold()
        except FileNotFoundError:  # a new one has just been written; the next question takes that up
            return ""
        with self._lock:
            if whole and self._open is opened:
                self._open = _Opened(opened.snapshot)
        told = f"its {opened.snapshot.mb:,.0f} MB do not fit in the memory that is left: answers may take seconds"
        return "" if whole else told

    def _hold_new(self) -> None:
        try:
            if told := self.hold():
                _log.warning("the new index: %s", told)
        except UsageError as error:  # it went away: the next question says so
            _log.info("the new index was not read: %s", error)

    def passage(self, number: int, person: str, index: str) -> Hit | None:
        """Passage `number` of the snapshot called `index`, None if there is none that `person` may see."""
        snapshot = self._current().snapshot
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
        snapshot = self._current().snapshot
        return [_hit(snapshot, n) for n in snapshot.passages_of(int(snapshot.document_of[number]))]

    @property
    def index(self) -> str:
        """The name of the snapshot in use.

        Raises:
            UsageError: there is none.
        """
        return self._current().snapshot.name

    def sources(self, person: str) -> dict[str, int]:
        """Source -> how many of its documents `person` may see; sources of which none are not named."""
        snapshot = self._current().snapshot
        allowed = self._allowed(person, snapshot)
        found: dict[str, set[str]] = {}
        for document, may in zip(snapshot.documents, allowed, strict=True):
            if may:
                found.setdefault(document["about"]["source"], set()).add(document["document"])
        return {source: len(documents) for source, documents in sorted(found.items())}

    def _current(self) -> _Opened:
        with self._lock:
            former = self._open.snapshot if self._open else None
            snapshot = open_current(self._home, former)
            if self._embedder is not None and snapshot.model != self._embedder.name:
                what = f"the index was made with {snapshot.model!r} and is asked with {self._embedder.name!r}"
                raise UsageError(what, where=self._home, fix="Run: tensaku index")
            if self._open is None or snapshot is not former:
                self._open = _Opened(snapshot)
                if self._holds:  # nobody waits for it: until then it is mapped
                    threading.Thread(target=self._hold_new, daemon=True).start()
            return self._open

    def _allowed(self, person: str, snapshot: Snapshot) -> NDArray[np.bool_]:
        """Which documents the person may see: by the rules about their paths, and about the funds they speak of."""
        allowed = self._rights.sees(person, snapshot.paths)
        if not self._rights.barriers:
            return allowed
        return allowed & snapshot.funds.which(lambda fund: self._rights.opens(person, "fund", [fund]))

    def _view(self, opened: _Opened, person: str, filters: Filters) -> View:
        """What the person may see and asks for."""
        snapshot = opened.snapshot
        allowed = self._allowed(person, snapshot)
        day = int((filters.as_of or datetime.date.today()).strftime("%Y%m%d"))
        allowed = allowed & (snapshot.since <= day) & (day < snapshot.until)
        for named, wished in ((snapshot.sources, filters.sources), (snapshot.funds, filters.funds)):
            if wished:
                allowed = allowed & named.which(wished.__contains__)
        return opened.view(allowed)


class _Opened:
    """A snapshot in use, its vectors, and the passages of the documents that were last asked among."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.near = Near(snapshot.vectors, snapshot.vector_passages, len(snapshot), snapshot.signs)
        self._views: tuple[tuple[NDArray[np.bool_], View], ...] = ()

    def view(self, allowed: NDArray[np.bool_]) -> View:
        """The passages of the documents that are `allowed`, by their number."""
        for known, view in self._views:
            if np.array_equal(known, allowed):
                return view
        seen = allowed[self.snapshot.document_of] if len(self.snapshot) else np.zeros(0, bool)
        made = View(self.snapshot.lengths, seen)
        self._views = ((allowed, made), *self._views[: _VIEWS - 1])  # at once: other threads may be asking
        return made


class _Search:
    """One search over the passages that `view` shows."""

    def __init__(
        self,
        opened: _Opened,
        view: View,
        embedder: Embedder | None,
        steps: Steps,
        synonyms: Synonyms | None,
        beside: ThreadPoolExecutor,
    ) -> None:
        self._snapshot, self._near, self._seen = opened.snapshot, opened.near, view.seen
        self._bm25 = Bm25(opened.snapshot, view)
        self._embedder, self._steps, self._synonyms, self._beside = embedder, steps, synonyms, beside

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
        coming = self._embedding(question)
        told = asked(question, self._synonyms if self._steps.synonyms else None)
        orders: dict[str, list[int]] = {}
        if self._steps.words:
            orders["words"] = self._bm25.best(told, _DEEP)
        worded = [self._bm25.best(asked(wording, None), _DEEP) for wording in also]
        vector = coming() if coming is not None else None
        if vector is not None:
            orders["vectors"] = _nearest(*self._near.nearest(vector, self._seen))
        orders |= {f"wording {number}": order for number, order in enumerate(worded, start=1)}
        at = np.asarray(fuse(list(orders.values()))[: max(_RERANKED, k)], np.int64)
        found = Candidates(at, np.zeros((len(at), len(FEATURES)), np.float32), orders, vector)
        found.trusted = vector is not None and self._embedder is not None and self._embedder.name == Local.name
        self._know(found, told)
        return found

    def _embedding(self, question: str) -> Callable[[], Scores] | None:
        """Begin with the question's vector on another thread; what to call for it, None without vectors.

        Models and servers let go of the interpreter's lock, so the words are searched meanwhile. Where every other
        thread is taken, whoever calls makes the vector.
        """
        embedder = self._embedder
        if not self._steps.vectors or embedder is None or not self._near.size:
            return None
        begun = self._beside.submit(embedder.question, question)
        return lambda: embedder.question(question) if begun.cancel() else begun.result()

    def _know(self, found: Candidates, told: Asked) -> None:
        """Fill in what is known of the candidates. BM25 sums count relative to the best candidate's."""
        at, known = found.at, self._bm25.sums(told, found.at)
        for name in ("words", "pairs", "phrases"):
            known[name] = known[name] / max(float(known[name].max(initial=0.0)), 1e-6)
        for name in ("words", "vectors"):
            ranks = {passage: rank for rank, passage in enumerate(found.orders.get(name, ()), start=1)}
            known[f"by_{name}"] = np.asarray([1 / ranks.get(int(p), 2 * _DEEP) for p in at], np.float32)
        known["near"] = known["about"] = known["second"] = np.zeros(len(at), np.float32)
        if found.vector is not None:
            known["near"], known["about"], known["second"] = self._near.about(at, found.vector)
        rarities = [self._bm25.rarity(self._bm25.postings(term)) for term in told.words]
        looked = evidence(told, rarities, [self._snapshot.record(int(passage)) for passage in at])
        known |= dict(zip(EVIDENCE, looked.T, strict=True))
        for column, name in enumerate(FEATURES):
            found.known[:, column] = known[name]


def _nearest(passages: NDArray[np.int64], cosines: Scores) -> list[int]:
    """The `_DEEP` passages with the greatest cosines above 0, of equals the lower number first."""
    order = top(np.flatnonzero(cosines > 0), cosines, _DEEP)
    return [int(passage) for passage in passages[order]]


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
