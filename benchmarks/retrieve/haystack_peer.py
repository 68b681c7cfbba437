"""Haystack's own hybrid search on the same passages, in its own environment: python haystack_peer.py JOB OUT.

JOB (JSON) holds `passages`, `questions`, `gold` (the passage of each question) and `vectors`, a file with the vectors
of both (NumPy, `passages` and `questions`), so that both sides see by the same eyes; with `gold` empty only time is
taken. The pipeline is the documented one: BM25 and embedding retrievers of the in-memory store, joined by reciprocal
rank; `pattern` is what finds words, empty: its default.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"

import numpy as np
from haystack import Document, Pipeline, __version__
from haystack.components.joiners import DocumentJoiner
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore

TOP = 30


def main() -> None:
    """Index, ask, write."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    vectors = np.load(job["vectors"])
    more = {"bm25_tokenization_regex": job["pattern"]} if job.get("pattern") else {}
    store = InMemoryDocumentStore(embedding_similarity_function="cosine", **more)
    began = time.perf_counter()
    rows = zip(job["passages"], vectors["passages"], strict=True)
    store.write_documents([Document(id=str(n), content=t, embedding=v.tolist()) for n, (t, v) in enumerate(rows)])
    seconds = time.perf_counter() - began
    pipeline = Pipeline()
    pipeline.add_component("words", InMemoryBM25Retriever(store, top_k=TOP))
    pipeline.add_component("vectors", InMemoryEmbeddingRetriever(store, top_k=TOP))
    pipeline.add_component("joined", DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=TOP))
    pipeline.connect("words", "joined")
    pipeline.connect("vectors", "joined")
    ranks: dict[str, list[int]] = {"words": [], "vectors": [], "joined": []}
    times = []
    for number, question in enumerate(job["questions"]):
        at = time.perf_counter()
        asked = {"words": {"query": question}, "vectors": {"query_embedding": vectors["questions"][number].tolist()}}
        found = pipeline.run(asked, include_outputs_from={"words", "vectors"})
        times.append(1000 * (time.perf_counter() - at))
        for name in ranks if job["gold"] else ():
            order = [int(one.id) for one in found[name]["documents"]]
            want = job["gold"][number]
            ranks[name].append(order.index(want) + 1 if want in order else 0)
    out: dict[str, Any] = {
        "haystack": __version__,
        "passages": len(job["passages"]),
        "questions": len(job["questions"]),
        "index_s": round(seconds, 2),
        "p50_ms": round(float(np.percentile(times, 50)), 1),
        "p99_ms": round(float(np.percentile(times, 99)), 1),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
    }
    for name, found_at in ranks.items() if job["gold"] else ():
        at_ = np.asarray(found_at, float)
        out[name] = {
            "recall1": round(float((at_ == 1).mean() * 100), 2),
            "recall5": round(float(((at_ > 0) & (at_ <= 5)).mean() * 100), 2),
            "mrr": round(float(np.where(at_ > 0, 1 / np.maximum(at_, 1), 0).mean()), 4),
        }
    Path(sys.argv[2]).write_text(json.dumps(out), encoding="utf-8")


if __name__ == "__main__":
    main()
