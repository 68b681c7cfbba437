"""One run of one tool over the labelled set, in whatever Python has the tool: prints what it took as JSON.

    python -m benchmarks.curate.trial TOOL COUNT [FOLDER]

All of them are given the same texts in memory, shingles of five characters, 128 values in 16 bands of 8, a likeness of
0.7; what is timed is the way from texts to clusters, in seconds of processor time.

With a folder (for `ours` and `steps`) the texts are read from a file there, which the tool `make` has written;
reading is no part of the seconds, nor the texts of the memory. `steps` takes them as pairs through the steps
`duplicates` and `near-duplicates`, and all of that is timed, reading and writing included. What is kept in files
meanwhile lies in the folder too: some 3 GB for a million texts.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.curate.near_set import f1, near_set, write_set

N, BANDS, ROWS, LEAST = 5, 16, 8, 0.7
PERMUTATIONS = BANDS * ROWS


def ours(texts: list[str]) -> Sequence[int]:
    """Tensaku, all of it in memory."""
    from tensaku.curate.dedup import Plan, components, near_links

    links = near_links(texts, Plan(LEAST, N, "chars", BANDS, ROWS))
    return [int(root) for root in components(len(texts), links)]


class _Drafts:
    """The drafts of a pool in its file; how long reading them took is in `seconds`, of processor time."""

    def __init__(self, path: Path) -> None:
        self.path, self.seconds = path, 0.0

    def __iter__(self) -> Iterator[str]:
        with self.path.open("rb") as file:
            while True:
                start = time.process_time()
                texts = [json.loads(line)["draft"] for line in islice(file, 2048)]
                self.seconds += time.process_time() - start
                if not texts:
                    return
                yield from texts


def ours_in_files(folder: Path, count: int) -> tuple[dict[str, float], Sequence[int]]:
    """Tensaku, texts, shingles, bands and signatures in files."""
    from tensaku.curate.dedup import Plan, components, near_links

    drafts = _Drafts(folder / "pairs.jsonl")
    start = time.process_time()
    with tempfile.TemporaryDirectory(dir=folder) as room:
        links = near_links(drafts, Plan(LEAST, N, "chars", BANDS, ROWS), folder=Path(room))
    found: Any = components(count, links)
    seconds = time.process_time() - start - drafts.seconds
    return {"seconds": seconds, "reading": drafts.seconds, "links": len(links)}, found


def steps_in_files(folder: Path, count: int) -> tuple[dict[str, float], Sequence[int]]:
    """Tensaku's steps `duplicates` and `near-duplicates` over a pool in its file, each leaving shards as in a run.

    A text's cluster is the pair that its drop names, itself if it stays.
    """
    import tensaku.curate.pool  # noqa: F401  (registers the steps)
    from tensaku.curate.shards import Shards, cut, write_shards
    from tensaku.plugins import steps
    from tensaku.records import Pair

    found = array("q", range(count))
    told: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=folder) as room:
        rows = Shards(cut(folder / "pairs.jsonl"), Path(room))
        for name, settings in (
            ("duplicates", {}),
            ("near-duplicates", {"side": "draft", "figures": "any", "likeness": LEAST}),
        ):
            step, left = steps.build({"step": name, **settings}), Path(room) / name
            left.mkdir()

            def stay(step: Callable[..., Any] = step, rows: Shards = rows) -> Iterator[Pair]:
                for record in step(rows, Counter()):
                    if isinstance(record, Pair):
                        yield record
                    else:
                        found[int(record.source.rpartition(":")[2])] = int(record.partner.rpartition(":")[2])

            start = time.process_time()
            fresh = write_shards(left, stay())
            told[f"{name}, seconds"] = time.process_time() - start
            told[f"{name}, peak_gb"] = peak_gb()
            rows = Shards(fresh, Path(room))
    for place in range(count):  # a duplicate's partner may itself have left for another one
        while found[found[place]] != found[place]:
            found[place] = found[found[place]]
    return {"seconds": sum(took for name, took in told.items() if "seconds" in name), **told}, found


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


class _Characters:
    """Stands in for text-dedup's pattern that splits a text at what is no word: each character is a word of its own."""

    @staticmethod
    def split(text: str) -> list[str]:
        """The characters of the text."""
        return list(text)


def text_dedup(texts: list[str]) -> list[int]:
    """Text-dedup's signatures, band tables and union-find, as its `main` goes through them, without the data set of
    `datasets` around them; its shingles are of words, so each character is made one."""
    from collections import defaultdict

    import numpy as np
    from text_dedup import minhash
    from text_dedup.utils import UnionFind, xxh3_32hash

    minhash.NON_ALPHA = _Characters()
    top, prime = np.uint32((1 << 32) - 1), np.uint64((1 << 61) - 1)
    dice = np.random.RandomState(minhash.SEED)
    given: dict[str, Any] = {
        "num_perm": PERMUTATIONS,
        "ngram_size": N,
        "min_length": 0,
        "hashranges": [(band * ROWS, (band + 1) * ROWS) for band in range(BANDS)],
        "permutations": tuple(dice.randint(least, prime, size=(PERMUTATIONS,), dtype=np.uint64) for least in (1, 0)),
        "hash_func": xxh3_32hash,
        "dtype": np.uint64,
        "max_hash": top,
        "modulo_prime": prime,
    }
    tables: list[dict[bytes, set[int]]] = [defaultdict(set) for _ in range(BANDS)]
    for place, text in enumerate(texts):
        made = minhash.embed_func(text, place, **given)
        for band, value in enumerate(made[minhash.SIGNATURE_COLUMN]):
            tables[band][value].add(place)
    groups = UnionFind()
    for table in tables:
        for bucket in table.values():
            if len(bucket) > 1:
                first = min(bucket)
                for place in bucket:
                    groups.union(place, first)
    return [groups.find(place) for place in range(len(texts))]


TOOLS: dict[str, Callable[[list[str]], Sequence[int]]] = {
    "ours": ours,
    "rensa": rensa,
    "datasketch": datasketch,
    "datatrove": datatrove,
    "text-dedup": text_dedup,
}
IN_FILES = {"ours": ours_in_files, "steps": steps_in_files}


def peak_gb() -> float:
    """The most that this process held at any time, in 10^9 bytes; what a parent held before it does not count."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    """Run the tool named first on as many texts as named second."""
    tool, count = sys.argv[1], int(sys.argv[2])
    if tool == "make":
        write_set(Path(sys.argv[3]), count)
        print(json.dumps({"tool": tool, "texts": count, "seconds": time.process_time()}))
        return
    if len(sys.argv) > 3:
        import numpy as np

        told, found = IN_FILES[tool](Path(sys.argv[3]), count)
        labels: Any = np.fromfile(Path(sys.argv[3]) / "labels.i64", np.int64)
    else:
        data = near_set(count)
        labels = data.labels
        TOOLS[tool](data.texts[:50])  # what is imported and made once is no part of the work
        start = time.process_time()
        found = TOOLS[tool](data.texts)
        told = {"seconds": time.process_time() - start}
    told["peak_gb"] = peak_gb()
    precision, recall, both = f1(labels, found)
    print(json.dumps({"tool": tool, "texts": count, **told, "precision": precision, "recall": recall, "f1": both}))


if __name__ == "__main__":
    main()
