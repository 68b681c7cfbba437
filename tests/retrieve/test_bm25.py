"""BM25 that looks frequent words up for the passages that stand out alone gives the very sums of reading everything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.retrieve import bm25
from tensaku.retrieve.bm25 import Bm25, View, top
from tensaku.retrieve.catalogue import Catalogue, Entry, Known
from tensaku.retrieve.snapshot import Snapshot, open_current, seal
from tensaku.retrieve.words import Asked, number_of

TERMS = [f"w:{n}" for n in range(12)] + [f"b:{n}" for n in range(12)]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Three thousand passages of terms from very rare to very frequent."""
    home, rng = tmp_path_factory.mktemp("index"), np.random.default_rng(5)
    often = np.geomspace(0.001, 0.95, len(TERMS))[rng.permutation(len(TERMS))]
    entries = []
    for _ in range(3000):
        held = sorted(number_of(TERMS[n]) for n in np.flatnonzero(rng.random(len(TERMS)) < often))
        counts = np.minimum(rng.geometric(0.4, len(held)), 255).astype(np.uint8)
        more = np.asarray([number_of(f"x:{n}") for n in range(int(rng.integers(0, 40)))], np.uint64)
        terms = np.concatenate([np.asarray(held, np.uint64), more])
        order = np.argsort(terms)
        both = np.concatenate([counts, np.ones(len(more), np.uint8)])[order]
        entries.append(Entry({"text": "x"}, terms[order], both, np.zeros(0, np.int8)))
    about = {"source": "s", "fund": "", "title": "t", "passages": len(entries)}
    with Catalogue(home / "catalogue.db") as catalogue:
        catalogue.set_settings("x")
        catalogue.put("s/a", Known(1, 1, "a"), "s/a", "", about, entries)
        seal(catalogue, home, "x", "none", 0)
    return open_current(home)


def plain(snapshot: Snapshot, seen: np.ndarray, told: Asked) -> np.ndarray:
    """The sums of all passages, 0 for hidden ones, added up in the order of rarity by the words of the formula."""
    size, mean = int(seen.sum()), float(snapshot.lengths[seen].mean())
    rows = []
    for _, term, weight in bm25._weighted(told):
        holders, counts = snapshot.postings(number_of(term))
        kept = seen[holders]
        rows.append((int(kept.sum()), weight, holders[kept], counts[kept].astype(float)))
    total = np.zeros(len(snapshot))
    for many, weight, holders, counts in sorted(rows, key=lambda row: row[0]):
        damping = 0.9 * (0.6 + 0.4 * snapshot.lengths[holders] / mean)
        total[holders] += weight * np.log1p((size - many + 0.5) / (many + 0.5)) * 1.9 * counts / (counts + damping)
    return total


QUESTIONS = st.builds(
    lambda words, pairs, readings: Asked("x", tuple(words), tuple(pairs), readings=tuple(readings)),
    st.lists(st.sampled_from(TERMS[:12]), max_size=8, unique=True),
    st.lists(st.sampled_from(TERMS[12:]), max_size=10),
    st.lists(st.sampled_from(TERMS[12:]), max_size=2),
)


@settings(max_examples=150, deadline=None)
@given(told=QUESTIONS, hidden=st.sampled_from([0.0, 0.01, 0.4, 0.97]), k=st.sampled_from([1, 10, 100]), data=st.data())
def test_what_stands_out_is_what_reading_everything_gives(
    drawn: Snapshot, told: Asked, hidden: float, k: int, data: st.DataObject
) -> None:
    seen = np.random.default_rng(data.draw(st.integers(0, 9))).random(3000) >= hidden
    with pytest.MonkeyPatch.context() as patch:
        whole = Bm25(drawn, View(drawn.lengths, seen)).best(told, k)
        patch.setattr(bm25, "_WORTH", 30)
        patch.setattr(bm25, "_LOOKED", data.draw(st.sampled_from([0, 1, 4])))
        assert Bm25(drawn, View(drawn.lengths, seen)).best(told, k) == whole
    sums = plain(drawn, seen, told)
    assert len(whole) == min(k, np.count_nonzero(sums))
    assert seen[whole].all()
    assert sums[whole] == pytest.approx(np.sort(sums)[::-1][: len(whole)], rel=1e-4)


def test_frequent_terms_are_looked_up(drawn: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    """The road that the others compare is taken: fewer postings are read."""
    monkeypatch.setattr(bm25, "_WORTH", 30)
    read: list[int] = []
    shares = Bm25._shares

    def counted(self: Bm25, found: bm25.Postings) -> Any:
        read.append(found.seen)
        return shares(self, found)

    monkeypatch.setattr(Bm25, "_shares", counted)
    told = Asked("x", tuple(TERMS[:12]), tuple(TERMS[12:]))
    found = Bm25(drawn, View(drawn.lengths, np.ones(3000, bool)))
    found.best(told, 3)
    every = [found.postings(term).seen for term in TERMS]
    assert 0 < sum(read) < sum(every) / 2
    assert read == sorted(every)[: len(read)]


def test_a_hidden_passage_decides_nothing(drawn: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds by which passages are passed over are those of visible passages alone."""
    monkeypatch.setattr(bm25, "_FEW", 0)
    by_looking = [Bm25(drawn, View(drawn.lengths, np.arange(3000) % 7 > 0)).postings(term) for term in TERMS]
    monkeypatch.setattr(bm25, "_FEW", 10**9)
    by_counting = [Bm25(drawn, View(drawn.lengths, np.arange(3000) % 7 > 0)).postings(term) for term in TERMS]
    for term, one, other in zip(TERMS, by_looking, by_counting, strict=True):
        holders, counts = drawn.postings(number_of(term))
        kept = holders % 7 > 0
        assert (one.seen, one.most) == (other.seen, other.most) == (kept.sum(), counts[kept].max()), term


def test_the_best_of_equals_come_first() -> None:
    scores = np.asarray([1, 3, 0, 3, 2, 3], np.float32)
    assert top(np.flatnonzero(scores > 0), scores, 4) == [1, 3, 5, 4]
    assert top(np.flatnonzero(scores > 0), scores, 2) == [1, 3]
    assert top(np.zeros(0, np.int64), scores, 2) == []
