"""One run of one tool over the labelled set, in whatever Python has the tool: prints what it took as JSON.

    python -m benchmarks.curate.trial TOOL COUNT

All of them are given the same texts in memory, shingles of five characters, 128 values in 16 bands of 8, a likeness of
0.7; what is timed is the way from texts to clusters, in seconds of processor time.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.curate.near_set import f1, near_set

N, BANDS, ROWS, LEAST = 5, 16, 8, 0.7
PERMUTATIONS = BANDS * ROWS


def ours(texts: list[str]) -> list[int]:
    """Tensaku; from a million texts on with shingles and bands in files."""
    from tensaku.curate.dedup import Plan, components, near_links

    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder) if len(texts) >= 1_000_000 else None
        links = near_links(texts, Plan(LEAST, N, "chars", BANDS, ROWS), folder=where)
    return [int(root) for root in components(len(texts), links)]


def _runs(text: str) -> list[str]:
    return [text[i : i + N] for i in range(max(len(text) - N + 1, 1))]


def _joined(count: int, links: list[tuple[int, int]]) -> list[int]:
    parent = list(range(count))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for one, two in links:
        a, b = root(one), root(two)
        parent[max(a, b)] = min(a, b)
    return [root(at) for at in range(count)]


def rensa(texts: list[str]) -> list[int]:
    """Rensa's R-MinHash and its index, as its README uses them."""
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(threshold=LEAST, num_perm=PERMUTATIONS, num_bands=BANDS)
    hashes: list[Any] = []
    links: list[tuple[int, int]] = []
    for place, text in enumerate(texts):
        minhash = RMinHash(num_perm=PERMUTATIONS, seed=42)
        minhash.update(_runs(text))
        for other in index.query(minhash):
            if hashes[other].jaccard(minhash) >= LEAST:
                links.append((other, place))
        index.insert(place, minhash)
        hashes.append(minhash)
    return _joined(len(texts), links)


def datasketch(texts: list[str]) -> list[int]:
    """Datasketch's MinHash in batches and its index."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, ROWS))
    made = MinHash.bulk([[run.encode() for run in set(_runs(text))] for text in texts], num_perm=PERMUTATIONS)
    links = []
    for place, minhash in enumerate(made):
        links += [(other, place) for other in index.query(minhash) if made[other].jaccard(minhash) >= LEAST]
        index.insert(place, minhash)
    return _joined(len(texts), links)


def datatrove(texts: list[str]) -> list[int]:
    """Datatrove's stages, through a folder; its shingles are of words, ours of characters are put in their place."""
    import struct

    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.utils.hashing import HashConfig
    from datatrove.utils.text import TextNormConfig

    # It must not look for words: a space between characters makes each of them one, in its own English splitter.
    config = MinhashConfig(
        hash_config=HashConfig(precision=64),
        num_buckets=BANDS,
        hashes_per_bucket=ROWS,
        n_grams=N,
        norm_config=TextNormConfig(remove_punctuation=False),
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        docs = (Document(text=text, id=str(place)) for place, text in enumerate(texts))
        step = MinhashDedupSignature(output_folder=str(root / "sig"), config=config)
        step.get_shingles = _characters(step)
        step.run(docs, 0, 1)
        for bucket in range(BANDS):
            MinhashDedupBuckets(str(root / "sig"), str(root / "buckets"), config=config).run(None, bucket, BANDS)
        cluster = MinhashDedupCluster(
            str(root / "buckets"), str(root / "out"), config=config, save_cluster_id=True, ignore_index_matches=True
        )
        cluster.run(None, 0, 1)
        links = []
        for file in sorted((root / "buckets").rglob("*.dups")):
            data = file.read_bytes()
            for a, one, b, two in struct.iter_unpack("<4I", data):
                if a == b == 0:
                    links.append((one, two))
    return _joined(len(texts), links)


def _characters(step: object) -> Callable[[str], object]:
    import numpy as np

    hashed = step._hash_func  # type: ignore[attr-defined]

    def shingles(text: str) -> object:
        return np.fromiter((hashed(run.encode()) for run in _runs(text)), dtype=np.uint64).reshape((-1, 1))

    return shingles


TOOLS = {"ours": ours, "rensa": rensa, "datasketch": datasketch, "datatrove": datatrove}


def main() -> None:
    """Run the tool named first on as many texts as named second."""
    tool, count = sys.argv[1], int(sys.argv[2])
    data = near_set(count)
    TOOLS[tool](data.texts[:50])  # what is imported and made once is no part of the work
    start = time.process_time()
    found = TOOLS[tool](data.texts)
    seconds = time.process_time() - start
    precision, recall, both = f1(data.labels, found)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(
        json.dumps(
            {
                "tool": tool,
                "texts": count,
                "seconds": seconds,
                "precision": precision,
                "recall": recall,
                "f1": both,
                "peak_gb": peak,
            }
        )
    )


if __name__ == "__main__":
    main()
