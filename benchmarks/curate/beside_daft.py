"""What Daft's own runner takes for the default steps that look at each pair by itself, beside our shards on one core.

    python -m benchmarks.curate.trial make 100000 FOLDER
    python -m benchmarks.curate.beside_daft ours FOLDER/pairs.jsonl
    PYTHON-WITH-DAFT -m benchmarks.curate.beside_daft daft FOLDER/pairs.jsonl

Both read the same JSON Lines and leave the pairs; ours leaves the drops too. Printed are seconds of processor time
without imports, and the peak of memory. Daft is handed as many pairs at once as a shard has; its rows come out as text,
as many as went in, since a function of Daft's must leave a row for each.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.curate.trial import peak_gb

import tensaku.curate.pool  # noqa: F401  (registers the steps)
from tensaku.curate.shards import SHARD, cut
from tensaku.curate.walk import walk_shard
from tensaku.plugins import steps
from tensaku.records import Pair

STEPS = ("repair", "normalise", "empty", "long", "identical")
FIELDS = ("id", "draft", "final", "manager", "fund", "section", "as_of", "family", "source")


def ours(source: Path, room: Path) -> Callable[[], None]:
    """Shard after shard in this process."""
    parts = [steps.build({"step": name}) for name in STEPS]

    def work() -> None:
        for number, shard in enumerate(cut(source)):
            walk_shard(parts, shard, room / f"{number:05d}.jsonl")

    return work


def daft(source: Path, room: Path) -> Callable[[], None]:
    """The same steps as a function over columns."""
    import daft as library

    parts = [steps.build({"step": name}) for name in STEPS]
    encode = json.JSONEncoder(ensure_ascii=False).encode

    @library.udf(return_dtype=library.DataType.string(), batch_size=SHARD)  # type: ignore[untyped-decorator, unused-ignore]
    def through(*columns: Any) -> list[str | None]:
        rows = [Pair(*values) for values in zip(*(column.to_pylist() for column in columns), strict=True)]
        walk: Iterator[Pair] = iter(rows)
        for part in parts:
            walk = _kept(part(walk, Counter()))
        left: list[str | None] = [encode({name: getattr(pair, name) for name in FIELDS}) for pair in walk]
        return left + [None] * (len(rows) - len(left))

    def work() -> None:
        frame = library.read_json(str(source))
        frame.select(through(*(frame[name] for name in FIELDS)).alias("pair")).write_parquet(str(room / "out"))

    return work


def _kept(records: Iterator[Any]) -> Iterator[Pair]:
    return (record for record in records if isinstance(record, Pair))


def main() -> None:
    """Run the one named first over the file named second."""
    made = {"ours": ours, "daft": daft}[sys.argv[1]]
    with tempfile.TemporaryDirectory() as room:
        work = made(Path(sys.argv[2]), Path(room))
        start, clock = time.process_time(), time.perf_counter()
        work()
        took = {"seconds": time.process_time() - start, "by_the_clock": time.perf_counter() - clock}
    print(json.dumps({"tool": sys.argv[1], **took, "peak_gb": peak_gb()}))


if __name__ == "__main__":
    main()
