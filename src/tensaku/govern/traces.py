"""Lineage both ways: noting it as a release is entered, and answering the three questions an auditor asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tensaku.errors import UsageError
from tensaku.ledger import Found, Ledger, SeenPair, Stood
from tensaku.store import Artifact, Store

__all__ = ["Made", "Saw", "note_lineage", "rebuild", "what_made", "what_stood", "who_saw"]


@dataclass(frozen=True, slots=True)
class Made:
    """What made the model that wrote a sentence, or a model named itself.

    `found` says where the sentence stands; `pairs` holds the first of `n` pairs that taught `release`.
    """

    release: str
    found: tuple[Found, ...]
    ancestors: tuple[str, ...]
    n: int
    pairs: tuple[SeenPair, ...]


@dataclass(frozen=True, slots=True)
class Saw:
    """The pairs of a document or a person, and the releases that were taught with one of them."""

    pairs: tuple[SeenPair, ...]
    releases: tuple[str, ...]


def note_lineage(ledger: Ledger, store: Store, ref: str) -> None:
    """Note in the ledger what an artifact was made from, and every pair among its lessons."""
    parents: dict[str, list[str]] = {}
    seen: list[SeenPair] = []
    for artifact in store.lineage(ref):
        parents[artifact.ref] = list(artifact.inputs.values())
        if artifact.stage == "lessons":
            seen += _pairs(ledger, artifact)
    ledger.add_lineage(parents, seen)


def rebuild(ledger: Ledger, store: Store) -> int:
    """Make the ledger's copy of the lineage anew from the sealed artifacts; the number of releases."""
    ledger.clear_lineage()
    releases = store.list("release")
    for release in releases:
        note_lineage(ledger, store, release.ref)
    return len(releases)


def _pairs(ledger: Ledger, lessons: Artifact) -> Iterator[SeenPair]:
    """The pairs of sealed lessons. A pair of the ledger has the writer of its final as its person, else its manager."""
    writers = ledger.final_writers()
    with lessons.file("lessons.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            source, person = str(row.get("source", "")), str(row.get("manager", ""))
            if source.startswith("ledger:final:"):
                person = writers.get(int(source.rpartition(":")[2]), person)
            yield SeenPair(lessons.ref, str(row.get("id", "")), source, person)


def what_made(ledger: Ledger, words: str, limit: int = 20) -> list[Made]:
    """Which documents and pairs made the model that wrote a sentence; `words` may name a release as well.

    Raises:
        UsageError: no kept text holds the sentence; says how texts are kept.
    """
    if not words.strip():
        raise UsageError("there is no sentence", fix="Write it as it was answered, or name a release")
    found: dict[str, list[Found]] = {words: []} if words in ledger.release_refs() else _found(ledger, words)
    made = []
    for release, rows in found.items():
        n, pairs = ledger.pairs_of(release, limit)
        made.append(Made(release, tuple(rows), tuple(ledger.ancestors(release)), n, tuple(pairs)))
    return made


def _found(ledger: Ledger, sentence: str) -> dict[str, list[Found]]:
    found: dict[str, list[Found]] = {}
    for row in ledger.find_sentence(sentence.strip()):
        found.setdefault(row.release, []).append(row)
    if not found:
        fix = 'Revisions at the desk are kept whole; answers of the API only under serve.record = "full"'
        raise UsageError("no answer that is kept holds this sentence", fix=fix)
    return found


def who_saw(ledger: Ledger, what: str) -> Saw:
    """Which models were taught with a document, a pair or a person's texts.

    Args:
        ledger: where it is noted.
        what: a file, a file and its row (`file#row`), a pair's id, `ledger:final:12`, a writer, or an outside manager.
    """
    pairs, releases = ledger.saw(what)
    return Saw(tuple(pairs), tuple(releases))


def what_stood(ledger: Ledger, at: datetime) -> Stood | None:
    """What answered at a moment, and who had approved it; None if nothing did."""
    return ledger.stood_at(at)
