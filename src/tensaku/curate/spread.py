"""Shards through steps on a Ray cluster: a shard is a task, and what a lost machine had at work another one does.

Pairs never go through Ray: a task is told which shard to read and where to write, and a file with a shard's name is a
whole one, whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

from tensaku.cluster import in_ray
from tensaku.curate.shards import Shard
from tensaku.plugins import Part, steps

__all__ = ["Cluster"]

Work = tuple[Shard, Path]
_TRIES = 3
"""How often a shard is handed to another machine when one is lost; then it is done here."""


class Cluster:
    """The Ray cluster of one run of curation; it is asked for when there is work for it."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self._ray: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def share(
        self, parts: Sequence[Part[Any]], back: Collection[tuple[str, str]], work: Sequence[Work]
    ) -> Iterator[Work]:
        """Hand out the work; each piece comes back when it is done, or when it cannot be done there.

        Raises:
            MissingExtra: Ray is not installed.
        """
        if not work:
            return
        self._ray = ray = self._ray or self._held.enter_context(in_ray())
        told = ray.put({"steps": [{"step": part.name, **part.args} for part in parts], "back": sorted(back)})
        # A task only writes files, and files of a killed one are no shards yet: it can be begun anew anywhere.
        task = ray.remote(num_cpus=1, max_retries=_TRIES)(walk_there)
        left = {
            task.remote(told, [str(shard.path), *shard[1:]], str(target)): (shard, target) for shard, target in work
        }
        try:
            while left:
                for done in ray.wait(list(left), num_returns=1)[0]:
                    with suppress(ray.exceptions.RayError):  # what went wrong there is met here, and told as it is
                        ray.get(done)
                    yield left.pop(done)
        finally:
            for waiting in left:
                ray.cancel(waiting, force=True)


def walk_there(told: dict[str, Any], shard: list[Any], target: str) -> None:
    """What a worker of the cluster does: one shard through steps that look at each pair by itself."""
    import tensaku.curate.pool  # noqa: F401  (registers the steps)
    from tensaku.curate.walk import walk_shard

    path, start, end, n = shard
    parts = [steps.build(use) for use in told["steps"]]
    back = {(row, reason) for row, reason in told["back"]}
    walk_shard(parts, Shard(Path(path), start, end, n), Path(target), back)
