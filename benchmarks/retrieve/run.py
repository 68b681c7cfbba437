"""Search on JSQuAD and at size: one command, tables, one JSON.

    make bench-retrieve DATA=jsquad.json            everything; with QUICK=1 every fourth question and no million
    make bench-retrieve ARGS="--sizes 1000000"      growth alone, at these sizes

Recall counts a question as answered by the paragraph that it was written for, among all paragraphs of all articles.
The bigram BM25 (k1 1.2, b 0.75) is computed in the same run over the same texts. A question whose paragraph is left out
counts as one that cannot be answered. No weight is learnt from any question.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.retrieve.grown import grow
from benchmarks.retrieve.jsquad import Course, bigram_bm25, lay_out, measured, read

from tensaku.errors import TensakuError, UsageError
from tensaku.machine import processor
from tensaku.models.embed import Embedder, Local
from tensaku.retrieve.answer import confidence
from tensaku.retrieve.indexing import Collection, index
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.search import Hit, Searcher, Steps

HERE = Path(__file__).parents[1]
RESULT = HERE / "results" / "retrieve.json"
KINDS = {
    "words": Steps(vectors=False, rerank=False),
    "vectors": Steps(words=False, rerank=False),
    "fused": Steps(rerank=False),
    "reranked": Steps(),
}


class Remembering:
    """An embedder that keeps the vectors of questions, since each is asked several times here."""

    def __init__(self, inner: Embedder) -> None:
        self.name, self._inner = inner.name, inner
        self._kept: dict[str, Any] = {}
        self.seconds = 0.0

    def passages(self, texts: Sequence[str]) -> Any:
        """As the inner one."""
        return self._inner.passages(texts)

    def question(self, text: str) -> Any:
        """As the inner one, once."""
        if text not in self._kept:
            began = time.perf_counter()
            self._kept[text] = self._inner.question(text)
            self.seconds += time.perf_counter() - began
        return self._kept[text]

    @property
    def each_ms(self) -> float:
        """Mean time of a question's vector, in milliseconds."""
        return 1000 * self.seconds / max(len(self._kept), 1)


def _number(hit: Hit) -> int:
    return int(Path(hit.path).stem[1:])


def quality(course: Course, folder: Path) -> dict[str, Any]:
    """Recall, MRR and "not found" on JSQuAD."""
    lay_out(course, folder / "docs")
    embedder = Remembering(Local())
    began = time.perf_counter()
    done = index([Collection("jsquad", folder / "docs")], folder / "index", embedder, size=10_000)
    seconds = time.perf_counter() - began
    print(f"{done.passages} passages in {seconds:.0f} s", flush=True)
    peer = bigram_bm25(course)
    table = {"bigram_bm25": measured([peer(question) for question in course.questions], course.gold)}
    searcher = Searcher(folder / "index", embedder, Rights(None))
    for name, steps in KINDS.items():
        orders = [[_number(hit) for hit in searcher.search(q, k=30, steps=steps)] for q in course.questions]
        table[name] = measured(orders, course.gold)
        print(f"  {name:<12} {table[name]}", flush=True)
    out: dict[str, Any] = {
        key: {name: row[key] for name, row in table.items()} for key in ("recall1", "recall5", "mrr")
    }
    out["vs_peer"] = round(table["reranked"]["recall1"] - table["bigram_bm25"]["recall1"], 2)
    out["questions"], out["passages"] = len(course.questions), done.passages
    if done.read == done.documents:
        out["index_passages_per_s"] = round(done.passages / seconds, 2)
    out["question_vector_ms"] = round(embedder.each_ms, 1)
    out["not_found"] = not_found(course, searcher)
    return out


def not_found(course: Course, searcher: Searcher) -> dict[str, Any]:
    """Precision and recall of "not found": each question once with its paragraph, once without; and of the answers."""
    kept: list[tuple[bool, float, bool]] = []
    for question, gold in list(zip(course.questions, course.gold, strict=True))[::4]:
        hits = searcher.search(question, k=2)
        right = _number(hits[0]) == gold
        kept.append((True, confidence(hits[0]), right))
        hidden = [hit for hit in searcher.search(question, k=5) if _number(hit) != gold]
        if hidden:
            kept.append((False, confidence(hidden[0]), False))
    rows = {}
    for sure in (0.4, 0.5, 0.55, 0.6, 0.65, 0.7):
        said = [answerable for answerable, sureness, _ in kept if sureness < sure]
        unanswerable = sum(not answerable for answerable, *_ in kept)
        told = sum(not answerable for answerable in said)
        rows[str(sure)] = {
            "precision": round(told / len(said), 3) if said else None,
            "recall": round(told / unanswerable, 3),
            "answerable_answered": round(sum(a and s >= sure for a, s, _ in kept) / sum(a for a, *_ in kept), 3),
        }
        print(f"  not found, sure {sure}: {rows[str(sure)]}", flush=True)
    return rows


class Drawn:
    """Vectors drawn by lot from the text: as many numbers as the local model's, for measuring time and memory alone."""

    name = "drawn-384"

    def passages(self, texts: Sequence[str]) -> Any:
        """One row a text."""
        rows = np.stack([np.random.default_rng(len(t) * 7919 + hash(t) % 2**31).standard_normal(384) for t in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def question(self, text: str) -> Any:
        """One vector."""
        return self.passages([text])[0]


def size(course: Course, passages: int, folder: Path, vector_ms: float) -> dict[str, Any]:
    """Speed of indexing and search, and memory, at so many passages."""
    began = time.perf_counter()
    grow(course, passages, folder / "docs")
    laid = time.perf_counter()
    done = index([Collection("grown", folder / "docs")], folder / "index", Drawn(), size=4000)
    seconds = time.perf_counter() - laid
    searcher = Searcher(folder / "index", Drawn(), Rights(None))
    times = []
    for question in course.questions[:5]:
        searcher.search(question)
    for question in course.questions[:: max(1, len(course.questions) // 200)]:
        at = time.perf_counter()
        searcher.search(question)
        times.append(1000 * (time.perf_counter() - at))
    disk = sum(path.stat().st_size for path in (folder / "index" / "snapshots").rglob("*") if path.is_file())
    row = {
        "passages": done.passages,
        "laid_out_s": round(laid - began, 1),
        "index_s": round(seconds, 1),
        "passages_per_s": None if done.unchanged else round(done.passages / seconds),
        "p50_ms": round(float(np.percentile(times, 50)), 1),
        "p99_ms": round(float(np.percentile(times, 99)), 1),
        "p99_with_question_vector_ms": round(float(np.percentile(times, 99)) + vector_ms, 1),
        "index_mb": round(disk / 1e6),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
    }
    print(f"  {passages:>9,} passages: {row}", flush=True)
    return row


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared/data/jglue/jsquad-first30.json")
    parser.add_argument("--quick", action="store_true", help="every fourth question; 1 thousand and 20 thousand")
    parser.add_argument("--sizes", type=int, nargs="*", help="passages; numbers: growth alone; none: recall alone")
    parser.add_argument("--work", type=Path, help="keep the documents and the index here; a second run reads them")
    parser.add_argument("--out", type=Path, default=RESULT)
    told = parser.parse_args(argv)
    if not told.data.is_file():
        raise UsageError("JSQuAD is not there", where=told.data, fix="Name it with DATA=FILE")
    course = read(told.data, 4 if told.quick else 1)
    out = json.loads(told.out.read_text(encoding="utf-8")) if told.out.is_file() else {}
    with tempfile.TemporaryDirectory() as temporary:
        scratch = told.work or Path(temporary)
        if told.sizes is None or not told.sizes:
            out = {**out, **quality(course, scratch / "js")}
        rows = out.get("growth", {})
        for number in ([1000, 20_000] if told.quick else [1000, 100_000]) if told.sizes is None else told.sizes:
            rows[str(number)] = size(course, number, scratch / f"n{number}", out.get("question_vector_ms", 0.0))
    out["growth"] = rows
    out["p99_ms"] = {number: row["p99_ms"] for number, row in rows.items()}
    out["machine"] = {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    told.out.parent.mkdir(parents=True, exist_ok=True)
    told.out.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{told.out}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TensakuError as error:
        print(f"bench-retrieve: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
