"""Pairs through a stretch of steps: what each did is counted, what left is written down, what people took back goes on.

A stretch is one step that looks at all pairs together, or several in a row that look at each pair by itself; these are
walked shard by shard, in as many processes as there are cores, and a killed run goes on with those that are not done.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tensaku.curate.back import identity
from tensaku.curate.rows import JsonlWriter
from tensaku.curate.shards import Shard, Shards, write_shards, written
from tensaku.curate.spread import Cluster
from tensaku.curate.steps import is_one_by_one
from tensaku.curate.workers import Workers
from tensaku.plugins import Part, steps
from tensaku.records import Pair, from_dict
from tensaku.store import Bench, Progress

__all__ = ["Stretch", "stretches", "through", "walk_shard"]

Report = dict[str, Any]


class _Count:
    """What one step did."""

    def __init__(self, part: Part[Any], back: Collection[tuple[str, str]]) -> None:
        self._part, self._back = part, back
        self._after = self._kept = 0
        self._tally: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def pairs(self, rows: Iterable[Pair], drops: JsonlWriter) -> Iterator[Pair]:
        """The pairs that the step lets pass."""
        for record in self._part(rows, self._tally):
            if isinstance(record, Pair):
                self._after += 1
                yield record
            elif self._back and identity(record.source, record.reason) in self._back:
                self._after += 1
                self._kept += 1
                yield from_dict(Pair, record.row)
            else:
                self._reasons[record.reason] += 1
                drops.write(record)

    def report(self) -> Report:
        """As the pool's facts have it."""
        return {
            "step": self._part.name,
            "args": self._part.args,
            "before": self._after + self._reasons.total(),
            "after": self._after,
            "dropped": dict(sorted(self._reasons.items())),
            "noted": {name: n for name, n in sorted(self._tally.items()) if n},
            **({"taken_back": self._kept} if self._kept else {}),
        }


def through(
    parts: Sequence[Part[Any]], rows: Iterable[Pair], drops: JsonlWriter, back: Collection[tuple[str, str]]
) -> tuple[Iterator[Pair], list[_Count]]:
    """The pairs that all of `parts` let pass, one after the other, and the counts once they are walked."""
    counts = [_Count(part, back) for part in parts]
    for count in counts:
        rows = count.pairs(rows, drops)
    return iter(rows), counts


def _sum(reports: Sequence[Report]) -> Report:
    """One step's reports of several shards as one."""
    total = dict(reports[0])
    for report in reports[1:]:
        for name in ("before", "after"):
            total[name] += report[name]
        if "taken_back" in report:
            total["taken_back"] = total.get("taken_back", 0) + report["taken_back"]
        for name in ("dropped", "noted"):
            total[name] = dict(sorted((Counter(total[name]) + Counter(report[name])).items()))
    return total


def stretches(parts: Sequence[Part[Any]]) -> list[list[Part[Any]]]:
    """The steps in their order, those in a row that look at each pair by itself together."""
    found: list[list[Part[Any]]] = []
    for part in parts:
        if found and is_one_by_one(part.call) and is_one_by_one(found[-1][-1].call):
            found[-1].append(part)
        else:
            found.append([part])
    return found


class Stretch:
    """One stretch at work in `folder`: shards of what it leaves, their drops, and a marker for each that is done."""

    def __init__(
        self,
        bench: Bench,
        number: int,
        parts: Sequence[Part[Any]],
        back: frozenset[tuple[str, str]] = frozenset(),
        cluster: Cluster | None = None,
    ) -> None:
        self.bench, self.parts, self.back = bench, parts, back
        self.cluster = cluster
        self.folder = bench.aside / f"{number}"
        self.drops: list[Path] = []
        """The files of what left, in the order of the pairs, once it was walked."""
        self._marker = self.folder / "done.json"

    def walk(self, rows: Shards) -> tuple[Shards, list[Report]]:
        """Take `rows` through; what an earlier, killed run has done is not done again."""
        if self._marker.is_file():
            told = json.loads(self._marker.read_text(encoding="utf-8"))
            shards = [Shard(self.folder / name, 0, size, n) for name, size, n in told["shards"]]
        else:
            shards, reports = self._each(rows) if is_one_by_one(self.parts[0].call) else self._together(rows)
            kept = [(shard.path.name, shard.end, shard.n) for shard in shards]
            drops = [path.name for path in (shard.path.with_suffix(".drops") for shard in shards) if path.exists()]
            told = {"shards": kept, "drops": drops, "steps": reports}
            _mark(self._marker, told)
        self.drops = [self.folder / name for name in told["drops"]]
        return Shards(shards, self.folder), told["steps"]

    def forget(self) -> None:
        """Remove the pairs that the stretch left, once the next one has taken them."""
        for path in self.folder.glob("*.jsonl"):
            path.unlink(missing_ok=True)

    def _together(self, rows: Shards) -> tuple[list[Shard], list[Report]]:
        shutil.rmtree(self.folder, ignore_errors=True)  # such a step begins anew
        self.folder.mkdir(parents=True)
        label = f"curate: {self.parts[0].name}"
        with JsonlWriter(self.folder / "00000.drops") as drops, self.bench.progress(label, None) as bar:
            passed, counts = through(self.parts, Shards(rows.shards, self.bench.aside), drops, self.back)
            shards = write_shards(self.folder, _told(passed, bar))
        return shards, [count.report() for count in counts]

    def _each(self, rows: Shards) -> tuple[list[Shard], list[Report]]:
        self.folder.mkdir(parents=True, exist_ok=True)
        work = [(shard, self.folder / f"{place:05d}.jsonl") for place, shard in enumerate(rows.shards)]
        label = f"curate: {', '.join(part.name for part in self.parts)}"
        with self.bench.progress(label, len(rows)) as bar:
            for shard in self._done_by_all(work):
                bar.advance(shard.n)
        told = [json.loads(_marker_of(target).read_text(encoding="utf-8")) for _, target in work]
        shards = [Shard(target, 0, mark["size"], mark["n"]) for (_, target), mark in zip(work, told, strict=True)]
        reports = zip(*(mark["steps"] for mark in told), strict=True)
        return shards, [_sum(of_one) for of_one in reports]

    def _done_by_all(self, work: Sequence[tuple[Shard, Path]]) -> Iterator[Shard]:
        """Every shard, once it is done: the first here, so that a wrong setting is told as it is, then by all."""
        left = [(shard, target) for shard, target in work if not _is_done(shard, target)]
        yield from (shard for shard, target in work if (shard, target) not in left)
        for shard, target in left[:1]:
            walk_shard(self.parts, shard, target, self.back)
            yield shard
        for shard, target in self._shared(left[1:]):
            if not _is_done(shard, target):  # a process that failed says nothing: what is wrong is met here
                walk_shard(self.parts, shard, target, self.back)
            yield shard

    def _shared(self, work: Sequence[tuple[Shard, Path]]) -> Iterator[tuple[Shard, Path]]:
        """Each piece of the work once some process has had it."""
        only_here = [part.name for part in self.parts if not steps.is_anywhere(part.name)]
        if self.cluster is not None and not only_here:
            yield from self.cluster.share(self.parts, self.back, work)
            return
        if self.cluster is not None and work:
            self.bench.say(f"curate: the cluster does not know the step {only_here[0]!r}: it is done here")
        with Workers(self.parts, self.back, len(work)) as workers:
            yield from workers.share(work)


def _told(pairs: Iterable[Pair], bar: Progress) -> Iterator[Pair]:
    for pair in pairs:
        bar.advance(1)
        yield pair


def _mark(path: Path, told: object) -> None:
    """Say that something is done, once all of it is written."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(told, ensure_ascii=False, default=str), encoding="utf-8")
    fresh.replace(path)


def _marker_of(target: Path) -> Path:
    return target.with_suffix(".done")


def _is_done(shard: Shard, target: Path) -> bool:
    """Whether this very shard was done: another version may have cut the pool otherwise."""
    marker = _marker_of(target)
    return marker.is_file() and json.loads(marker.read_text(encoding="utf-8"))["of"] == [shard.start, shard.end]


def walk_shard(parts: Sequence[Part[Any]], shard: Shard, target: Path, back: Collection[tuple[str, str]] = ()) -> None:
    """Take one shard through steps that look at each pair by itself; leaves `target`, drops, and the marker last."""
    aside = target.with_suffix(".drops")
    fresh = aside.with_name(f"{aside.name}.{os.getpid()}")
    with JsonlWriter(fresh) as drops:
        passed, counts = through(parts, shard.pairs(), drops, back)
        left = written(target, passed)
    fresh.replace(aside)
    told = {"of": [shard.start, shard.end], "n": left.n, "size": left.end}
    _mark(_marker_of(target), {**told, "steps": [count.report() for count in counts]})
