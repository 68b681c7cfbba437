"""Inside `torchrun`, its processes train together: number 0 walks the road as ever, the others wait to help it.

    torchrun --nproc-per-node 2 -m tensaku run tune -s tune.processes=2

Only process 0 holds the lock, writes and seals; it hands each piece of shared work to the others through torchrun's
own meeting place. On several machines, the workspace must lie where all of them see it under the same path.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tensaku.errors import UsageError
from tensaku.store import Reporter, SilentReporter
from tensaku.tune.group import LOOPBACK, TIMEOUT, Distributed
from tensaku.tune.job import Job

__all__ = ["help_out", "helps", "inside", "lead", "release"]

_NAMES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_DAYS = 30
"""How long a helper waits for work: what comes before a training, or a lock that somebody holds, takes its time."""

_given: list[int] = []  # numbers of the jobs that process 0 has handed out


def inside() -> bool:
    """Whether torchrun (or whatever speaks its way) started this process among several."""
    return all(name in os.environ for name in _NAMES) and int(os.environ["WORLD_SIZE"]) > 1


def helps() -> bool:
    """Whether this process is one that only helps."""
    return inside() and int(os.environ["RANK"]) > 0


def lead(job: Job, reporter: Reporter) -> dict[str, Any]:
    """Hand `job` to the other processes and do the share of number 0; the facts.

    Raises:
        UsageError: torchrun started another number of processes than the settings want.
    """
    size = int(os.environ["WORLD_SIZE"])
    if job.processes != size:
        what = f"torchrun started {size} processes, the settings want {job.processes}"
        raise UsageError(what, where="tune.processes", fix=f"Set it to {size}, or give torchrun the other number")
    number = len(_given)
    _given.append(number)
    _post().set(f"job/{number}", job.text())
    with _together(number, job):
        return job.do(Distributed(), reporter)


def release() -> None:
    """Let the others go; called by process 0 when its command has ended."""
    _post().set(f"job/{len(_given)}", "")


def help_out() -> None:
    """Do a helper's share of every job that process 0 hands out, until it ends."""
    number = 0
    while text := _wait_for(number):
        job = Job.read(text)
        with _together(number, job):
            job.do(Distributed(), SilentReporter())
        number += 1


def _wait_for(number: int) -> bytes:
    post = _post()
    post.wait([f"job/{number}"])
    found: bytes = post.get(f"job/{number}")
    return found


def _post() -> Any:
    """Torchrun's meeting place, under a name of ours."""
    import datetime

    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    # torchrun's agent has a store running there and says so; without one, process 0 must run it itself.
    runs = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True" and os.environ["RANK"] == "0"
    patience = datetime.timedelta(days=_DAYS)
    if not _stores:
        _stores.append(TCPStore(address, port, is_master=runs, timeout=patience, multi_tenant=True))
    return PrefixStore("tensaku", _stores[0])


_stores: list[Any] = []


@contextmanager
def _together(number: int, job: Job) -> Iterator[None]:
    """Join the group of job `number`, with this process's part of the machine's threads."""
    from torch import distributed, get_num_threads, set_num_threads
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]

    from tensaku.tune.devices import backend

    before = get_num_threads()
    if "OMP_NUM_THREADS" not in os.environ:  # torchrun sets it to 1 unless somebody has said better
        set_num_threads(max(1, before // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    if os.environ.get("LOCAL_WORLD_SIZE") == os.environ["WORLD_SIZE"]:  # one machine: nothing has to leave it
        os.environ.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK)
    store = PrefixStore(f"group/{number}", _post())
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    speaks = backend(job.settings)
    distributed.init_process_group(speaks, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    try:
        yield
        Distributed().barrier()
    finally:
        distributed.destroy_process_group()
        set_num_threads(before)
