"""The processes run in a Ray cluster, started by Ray Train (the extra `cluster`)."""

from __future__ import annotations

import contextlib
import os
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tensaku.cluster import in_ray
from tensaku.store import Bench
from tensaku.tune.group import LOOPBACK, TIMEOUT, Distributed
from tensaku.tune.hearing import Hearing, Telling, told
from tensaku.tune.job import Job

__all__ = ["lead"]


def lead(job: Job, bench: Bench) -> dict[str, Any]:
    """Have `job` done by Ray's workers; the facts.

    Raises:
        MissingExtra: Ray is not installed.
        UsageError: what a worker raised.
        StageError: what a worker raised, or one was lost.
    """
    with ExitStack() as tasks, in_ray("ray.train.torch") as ray:
        from ray.util.queue import Queue

        hearing, queue = Hearing(bench, tasks), Queue(actor_options={"num_cpus": 0})
        trainer = _trainer(job, bench, queue, alone=not os.environ.get("RAY_ADDRESS"))
        listening = threading.Thread(target=_listen, args=(queue, hearing), daemon=True)
        listening.start()
        try:
            trainer.fit()
            lost = ""
        except ray.train.TrainingFailedError as error:
            lost = f"a worker of the cluster was lost ({_first_line(error)})"
        queue.put(None)
        listening.join()
        if lost or hearing.facts is None:
            raise hearing.failure(lost)
    return hearing.facts


def _trainer(job: Job, bench: Bench, queue: Any, *, alone: bool) -> Any:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    from tensaku.tune.devices import backend, wants_gpu

    return TorchTrainer(
        _share,
        train_loop_config={"job": job.text(), "queue": queue, "alone": alone},
        torch_config=TorchConfig(backend=backend(job.settings), timeout_s=int(TIMEOUT.total_seconds())),
        scaling_config=ScalingConfig(
            num_workers=job.processes, resources_per_worker={"CPU": 1}, use_gpu=wants_gpu(job.settings)
        ),
        # A lost worker ends the run: the next one goes on from our own checkpoint, to the same bytes.
        run_config=RunConfig(
            name="tune", storage_path=str(Path(bench.aside) / "ray"), failure_config=FailureConfig(max_failures=0)
        ),
    )


def _share(given: dict[str, Any]) -> None:
    """What each of Ray's workers does; Ray Train has made them one group of torch.distributed before."""
    from tensaku.tune.devices import wants_gpu

    if given["alone"]:
        os.environ["GLOO_SOCKET_IFNAME"] = LOOPBACK
    job = Job.read(given["job"])
    if wants_gpu(job.settings):
        from ray.train.torch import get_device

        os.environ["LOCAL_RANK"] = str(get_device().index or 0)  # Ray says which of the machine's GPUs is this one's
    group = Distributed()

    def tell(what: dict[str, Any]) -> None:
        given["queue"].put((group.rank, what))

    try:
        facts = job.do(group, Telling(tell))
        group.barrier()
    except BaseException as error:
        tell(told(error))
        raise
    tell({"facts": facts})


def _listen(queue: Any, hearing: Hearing) -> None:
    while (told := queue.get()) is not None:
        hearing.hear(*told)


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    with contextlib.suppress(IndexError):
        return lines[0][:200]
    return type(error).__name__
