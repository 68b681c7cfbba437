"""Search on JSQuAD and at size: one command, tables, one JSON.

    make bench-retrieve DATA=jsquad.json            everything; with QUICK=1 every fourth question, 20 thousand at most
    make bench-retrieve ARGS="--sizes 1000000"      growth alone, at these sizes

Recall counts a question as answered by the paragraph that it was written for, among all paragraphs of all articles.
The bigram BM25 (k1 1.2, b 0.75) is computed in the same run over the same texts. A question whose paragraph is left out
counts as one that cannot be answered. No weight is learnt from any of these questions (`learn.py` says from which).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.retrieve.grown import fill, grow
from benchmarks.retrieve.jsquad import Course, Hiding, bigram_bm25, lay_out, measured, paths_of, read
from benchmarks.retrieve.remembering import Remembering
from numpy.typing import NDArray

from tensaku.errors import TensakuError, UsageError
from tensaku.machine import processor
from tensaku.models.embed import Embedder, Local
from tensaku.retrieve.indexing import Collection, index
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.search import Hit, Searcher, Steps
from tensaku.retrieve.snapshot import open_current

HERE = Path(__file__).parents[1]
RESULT = HERE / "results" / "retrieve.json"
PEER_MOST = 100_000
"""Passages beyond which the peer is not asked: it scores every one of them in Python, question by question."""
PEER_WORK = 300_000
"""Passages times questions that the peer is asked; five questions at least, thirty at most."""
BUILDING = ("index_s", "passages_per_s", "peak_rss_indexing_mb")
KINDS = {
    "words": Steps(vectors=False, rerank=False),
    "vectors": Steps(words=False, rerank=False),
    "fused": Steps(rerank=False),
    "reranked": Steps(),
}


def _number(hit: Hit) -> int:
    return int(Path(hit.path).stem[1:])


def quality(course: Course, folder: Path) -> dict[str, Any]:
    """Recall, MRR and "not found" on JSQuAD."""
    lay_out(course, folder / "docs")
    embedder = Remembering(Local(), folder / "questions.npz")
    began = time.perf_counter()
    done = index([Collection("jsquad", folder / "docs")], folder / "index", embedder, size=10_000)
    seconds = time.perf_counter() - began
    print(f"{done.passages} passages in {seconds:.0f} s", flush=True)
    embedder.learn(course.questions)
    peer = bigram_bm25(course)
    table = {"bigram_bm25": measured([peer(question) for question in course.questions], course.gold)}
    hiding = Hiding(frozenset(paths_of(course)))
    searcher = Searcher(folder / "index", embedder, Rights(None, {"jsquad": hiding}))
    for name, steps in KINDS.items():
        orders = [[_number(hit) for hit in searcher.search(q, k=30, steps=steps)] for q in course.questions]
        table[name] = measured(orders, course.gold)
        print(f"  {name:<12} {table[name]}", flush=True)
    out: dict[str, Any] = {
        key: {name: row[key] for name, row in table.items()} for key in ("recall1", "recall5", "mrr")
    }
    out["over_bigram_bm25"] = round(table["reranked"]["recall1"] - table["bigram_bm25"]["recall1"], 2)
    out["questions"], out["passages"] = len(course.questions), done.passages
    if done.read == done.documents:
        out["index_passages_per_s"] = round(done.passages / seconds, 2)
    out["question_vector_ms"] = round(embedder.each_ms, 1)
    out["not_found"] = not_found(course, searcher, hiding)
    return out


def not_found(course: Course, searcher: Searcher, hiding: Hiding) -> dict[str, Any]:
    """Precision and recall of "not found": each fourth question once with its paragraph, once with it hidden."""
    kept: list[tuple[bool, float]] = []
    for question, gold in list(zip(course.questions, course.gold, strict=True))[::4]:
        for path in ("", paths_of(course)[gold]):
            hiding.path = path
            kept.append((not path, searcher.search(question, k=1)[0].sure))
    hiding.path = ""
    rows = {}
    for sure in (0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6):
        said = [answerable for answerable, sureness in kept if sureness < sure]
        told, every = sum(not answerable for answerable in said), len(kept) // 2
        rows[str(sure)] = {
            "precision": round(told / len(said), 3) if said else None,
            "recall": round(told / every, 3),
            "answerable_answered": round(sum(a and s >= sure for a, s in kept) / every, 3),
        }
        print(f"  not found, sure {sure}: {rows[str(sure)]}", flush=True)
    return rows


def beside(peer: Path, texts: list[str], course: Course, vectors: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """Haystack on the same passages and vectors: as it comes, and told that every character is a word."""
    scratch.mkdir(parents=True, exist_ok=True)
    np.savez(scratch / "vectors.npz", **vectors)
    out = {}
    for name, pattern in (("default", ""), ("characters", r"(?u)\w")):
        job = {"passages": texts, "questions": course.questions, "gold": course.gold, "pattern": pattern}
        (scratch / "job.json").write_text(
            json.dumps({**job, "vectors": str(scratch / "vectors.npz")}), encoding="utf-8"
        )
        script = Path(__file__).with_name("haystack_peer.py")
        told = [str(peer), str(script), str(scratch / "job.json"), str(scratch / "out.json")]
        subprocess.run(told, check=True)
        out[name] = json.loads((scratch / "out.json").read_text(encoding="utf-8"))
        print(f"  Haystack, {name}: {out[name]}", flush=True)
    return out


def beside_quality(peer: Path, course: Course, folder: Path) -> dict[str, Any]:
    """Haystack on JSQuAD, each paragraph with one vector of the same model, as it embeds documents."""
    embedder = Remembering(Local(), folder / "questions.npz")
    texts = [f"{title}\n{text}" for title, text in course.passages]
    kept = folder / "paragraphs.npy"
    if not kept.is_file():
        np.save(kept, embedder.passages(texts))
    questions = np.stack([embedder.question(question) for question in course.questions])
    return beside(peer, texts, course, {"passages": np.load(kept), "questions": questions}, folder / "haystack")


def beside_size(peer: Path, course: Course, passages: int, folder: Path) -> dict[str, Any]:
    """Haystack at so many passages, with vectors drawn by lot, as many questions as end in sensible time."""
    texts = [
        part for path in sorted((folder / "docs").glob("*.md")) for part in path.read_text(encoding="utf-8").split("# ")
    ]
    texts = [text for text in texts if text]
    many = max(5, min(30, PEER_WORK // passages))
    few = Course([], course.questions[:: max(1, len(course.questions) // many)][:many], [], [])
    vectors = {"passages": Drawn().passages(texts), "questions": Drawn().passages(few.questions)}
    return beside(peer, texts, few, vectors, folder / "haystack")


def _unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Drawn:
    """Vectors drawn by lot from the text: as many numbers as the local model's, for measuring time and memory alone."""

    name = "drawn-384"

    def passages(self, texts: Sequence[str]) -> Any:
        """One row a text."""
        seed = sum(map(len, texts)) * 7919 + zlib.crc32(texts[0].encode())
        rows = np.random.default_rng(seed).standard_normal((len(texts), 384), np.float32)
        return _unit(rows)

    def question(self, text: str) -> Any:
        """One vector."""
        return self.passages([text])[0]


class Asking(Drawn):
    """Questions by `model`, if there is one, among drawn vectors: what a search takes in all, whatever it finds."""

    model: Embedder | None = None

    def question(self, text: str) -> Any:
        """One vector."""
        return super().question(text) if self.model is None else self.model.question(text)


def _built(course: Course, passages: int, folder: Path) -> dict[str, Any]:
    """Lay out and index so many passages; what it took, nothing where all was there."""
    began, drawn = time.perf_counter(), np.random.default_rng(1)
    if passages <= PEER_MOST:
        grow(course, passages, folder / "docs")
        began = time.perf_counter()
        new = read = index([Collection("grown", folder / "docs")], folder / "index", Drawn(), size=4000).read
    else:
        read = 0
        new = fill(course, passages, folder / "index", lambda n: _unit(drawn.standard_normal((n, 384), np.float32)))
    if not new:
        return {}
    seconds = time.perf_counter() - began
    per_s = round(passages / seconds) if read else None
    return {"index_s": round(seconds, 1), "passages_per_s": per_s, "peak_rss_indexing_mb": _peak_mb()}


def _asked(course: Course, folder: Path) -> dict[str, Any]:
    """Ask an index that is read once: with vectors that cost nothing; of twenty thousand passages or more, with each
    hundredth document closed to whoever asks; with each question's vector by the local model.

    Memory and waits for the disk are those of the first.
    """
    embedder, rights = Asking(), Closing()
    searcher = Searcher(folder / "index", embedder, rights)
    began = time.perf_counter()
    searcher.hold()  # as a server does before it is ready
    opening = time.perf_counter() - began
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
    out = {**_times("asked", searcher, course), "opening_s": round(opening, 2)}
    out["waits_for_disk"] = resource.getrusage(resource.RUSAGE_SELF).ru_majflt - faults
    out |= {"peak_rss_mb": _peak_mb(), "own_memory_mb": _own_mb()}
    snapshot = open_current(folder / "index")
    if len(snapshot) >= 20_000:
        rights.closed = frozenset(snapshot.paths[::100])
        out["each_hundredth_document_hidden"] = _times("each hundredth document hidden", searcher, course)
        rights.closed = frozenset()
    embedder.model = Local()
    out["with_question_vector"] = _times("with the question's vector", searcher, course)
    return out


def _times(what: str, searcher: Searcher, course: Course) -> dict[str, Any]:
    """What a search takes on the wall and of the processor, over a thousand questions."""
    wall, busy = [], []
    for question in course.questions[1:6]:
        searcher.search(question)
    for question in course.questions[:: max(1, len(course.questions) // 1000)]:
        at, used = time.perf_counter(), time.process_time()
        searcher.search(question)
        wall.append(1000 * (time.perf_counter() - at))
        busy.append(1000 * (time.process_time() - used))
    out: dict[str, Any] = {
        f"p{share}_{name}": round(float(np.percentile(times, share)), 1)
        for name, times in (("ms", wall), ("processor_ms", busy))
        for share in (50, 99)
    }
    out |= {"questions": len(wall), "load": round(os.getloadavg()[0], 1)}
    print(f"  {what}: {out}", flush=True)
    return out


class Closing(Rights):
    """Everybody may see every path but those in `closed`."""

    def __init__(self) -> None:
        super().__init__(None)
        self.closed: frozenset[str] = frozenset()

    def sees(self, person: str, paths: Sequence[str]) -> NDArray[np.bool_]:
        """For each path, whether it is open."""
        if not self.closed:
            return super().sees(person, paths)
        return np.asarray([path not in self.closed for path in paths], bool)


def _peak_mb() -> int:
    """The most memory this process has had, with what it maps of files."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)


def _own_mb() -> int | None:
    """The memory that is this process's own now, without pages of files, which the system takes back when it likes."""
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return round(int(told["RssAnon"].split()[0]) / 1000) if "RssAnon" in told else None


def _apart(what: Callable[..., Any], *told: Any) -> Any:
    """What a function gives in a process of its own, so that its memory is its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(what, *told).result()


def size(course: Course, passages: int, folder: Path) -> dict[str, Any]:
    """Speed of indexing and search, and memory, at so many passages; a million are put together by `fill`.

    Times are on the wall, and `processor` ones what the processor worked: beside other work the two differ.
    """
    built = _apart(_built, course, passages, folder)
    told = _apart(_asked, course, folder)
    disk = sum(path.stat().st_size for path in (folder / "index" / "snapshots").rglob("*") if path.is_file())
    row = {"passages": passages, **built, **told, "index_mb": round(disk / 1e6)}
    print(f"  {passages:>9,} passages: {row}", flush=True)
    return row


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared/data/jglue/jsquad-first30.json")
    parser.add_argument("--quick", action="store_true", help="every fourth question; 1 thousand and 20 thousand")
    parser.add_argument("--sizes", type=int, nargs="*", help="passages; numbers: growth alone; none: recall alone")
    parser.add_argument("--work", type=Path, help="keep the documents and the index here; a second run reads them")
    parser.add_argument("--peer", type=Path, help="the Python that has Haystack")
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
            if told.peer:
                out["vs_peer"] = {"jsquad": beside_quality(told.peer, course, scratch / "js")}
        rows = out.get("growth", {})
        for number in (
            ([1000, 20_000] if told.quick else [1000, 100_000, 1_000_000]) if told.sizes is None else told.sizes
        ):
            row = size(course, number, scratch / f"n{number}")
            if "index_s" not in row:  # it was there: how long it took stands in the row before
                row |= {name: value for name, value in rows.get(str(number), {}).items() if name in BUILDING}
            rows[str(number)] = row
            if told.peer and number <= PEER_MOST:
                found = beside_size(told.peer, course, number, scratch / f"n{number}")
                out.setdefault("vs_peer", {})[str(number)] = found
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
