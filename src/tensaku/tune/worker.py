"""One of the processes that `processes` starts: it joins the group, does its share and tells how it goes.

It listens on loopback alone, and ends when the process that started it does: standard input is a pipe whose other end
only that one holds, and its end of file means that it is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from typing import Any

from tensaku.tune.hearing import Telling, told

__all__ = ["main"]


class _Pipe:
    """The way to the process that started this one: JSON lines through the file descriptor `to`."""

    def __init__(self, to: int) -> None:
        self._to, self._lock = to, threading.Lock()

    def tell(self, what: dict[str, Any]) -> None:
        """One line. A reader that is gone is no fault: this process will end with it."""
        line = json.dumps(what, ensure_ascii=False).encode() + b"\n"
        with self._lock, contextlib.suppress(BrokenPipeError):
            while line:
                line = line[os.write(self._to, line) :]


def main() -> None:
    """Take job, number and meeting place from standard input; leave with 0, or with 1 and the reason told."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal's processes; the first one decides
    given = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pipe = _Pipe(int(given["tell"]))
    try:
        facts = _work(given, Telling(pipe.tell))
    except BaseException as error:
        pipe.tell(told(error))
        sys.stderr.flush()
        os._exit(1)  # not by way of torch's threads, which may wait for processes that are gone
    pipe.tell({"facts": facts})
    os._exit(0)


def _work(given: dict[str, Any], telling: Telling) -> dict[str, Any]:
    from torch import distributed, get_num_threads, set_num_threads

    from tensaku.tune.devices import backend
    from tensaku.tune.group import LOOPBACK, TIMEOUT, Distributed
    from tensaku.tune.job import Job

    job = Job.read(given["job"])
    os.environ["GLOO_SOCKET_IFNAME"] = LOOPBACK
    set_num_threads(max(1, get_num_threads() // job.processes))
    meeting = f"file://{given['meeting']}"
    distributed.init_process_group(
        backend(job.settings), init_method=meeting, rank=given["rank"], world_size=job.processes, timeout=TIMEOUT
    )
    group = Distributed()
    facts = job.do(group, telling)
    group.barrier()  # nobody leaves while another may still speak to it
    return facts


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
