"""What the machine tells of a process: its own use with its children's, the memory left, the energy taken, the GPUs.

Linux tells through /proc (`man 5 proc`) and /sys/class/powercap (the kernel's `power/powercap` documentation; RAPL on
Intel and AMD processors alike). Elsewhere only processor time is known. What a machine does not tell is None, never 0.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Energy", "Gpus", "Processes", "Used", "available_mb", "cores", "forget_peak_memory", "give_back_memory",
           "peak_memory_mb", "processor"]  # fmt: skip

_MB = 1 << 20


class Used(NamedTuple):
    """What a process and its descendants have used so far.

    `cpu_seconds` on all cores together, finished children included; `rss_mb` resident now, pages shared between
    processes counted in each; `written_mb` sent to disks (a memory file system counts nothing). None: the
    machine does not tell.
    """

    cpu_seconds: float
    rss_mb: float | None
    written_mb: float | None


class Processes:
    """A process and all that it started.

    Args:
        proc: where the kernel's tables are.
        root: number of the process; this one if None.
    """

    def __init__(self, proc: Path = Path("/proc"), root: int | None = None) -> None:
        self._proc, self._own = proc, os.getpid() if root is None else root
        self._tick = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
        self._page = resource.getpagesize()
        self.told = (proc / str(self._own) / "stat").exists()

    def used(self) -> Used:
        """What they have used up to now; processes that end meanwhile are left out."""
        if not self.told:
            spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
            return Used(sum(use.ru_utime + use.ru_stime for use in spent), None, None)
        cpu = rss = 0.0
        written: float | None = 0.0
        waiting, seen = [self._own], {self._own}
        while waiting:
            folder = self._proc / str(waiting.pop())
            try:
                fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
                cpu += sum(map(int, fields[11:15])) / self._tick  # utime, stime, and both of children waited for
                rss += int((folder / "statm").read_bytes().split()[1]) * self._page / _MB
                found = self._children(folder) - seen
            except (FileNotFoundError, ProcessLookupError):
                continue
            mine = _written(folder)
            written = None if mine is None or written is None else written + mine
            waiting += found
            seen |= found
        return Used(cpu, rss, written)

    @staticmethod
    def _children(folder: Path) -> set[int]:
        """The kernel lists a child under the thread that started it."""
        found: set[int] = set()
        with os.scandir(folder / "task") as tasks:
            for task in tasks:
                try:
                    found.update(map(int, Path(task.path, "children").read_bytes().split()))
                except (FileNotFoundError, ProcessLookupError):
                    continue
        return found


def _written(folder: Path) -> float | None:
    try:
        for line in (folder / "io").read_bytes().splitlines():
            if line.startswith(b"write_bytes:"):
                return int(line.split()[1]) / _MB
    except (OSError, ValueError):
        pass
    return None


def available_mb(proc: Path = Path("/proc")) -> float | None:
    """Memory that the whole machine could still give without swapping, in MB: the kernel's MemAvailable."""
    try:
        for line in (proc / "meminfo").read_bytes().splitlines():
            if line.startswith(b"MemAvailable:"):
                return int(line.split()[1]) / 1024
    except (OSError, ValueError):
        pass
    return None


def processor(proc: Path = Path("/proc")) -> str | None:
    """What the processor calls itself."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", (proc / "cpuinfo").read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return None
    return found[1].strip() if found else None


def cache_folder() -> Path:
    """Where what was built or measured for this machine is kept, for this account; it may not be there yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tensaku"


class Energy:
    """Joules taken by the processors (and their memory, where it is counted apart) since this object was made.

    RAPL counts for whole packages, so other work on the machine is in it. A zone `package-N` holds its cores; `dram` is
    beside it, never in it (Intel SDM vol. 3B, 16.10); `psys` holds packages and is left out, so nothing counts twice.

    Args:
        root: where the kernel's power zones are.
    """

    def __init__(self, root: Path = Path("/sys/class/powercap")) -> None:
        self._last: dict[Path, int] = {}
        self._range: dict[Path, int] = {}
        self._joules = 0.0
        self.why_not: str | None = None
        """Why nothing can be told; None if it can."""
        for zone in sorted(root.glob("intel-rapl:*")) if root.is_dir() else ():
            try:
                if not re.fullmatch(r"package-\d+|dram", (zone / "name").read_text().strip()):
                    continue
                self._last[zone] = int((zone / "energy_uj").read_text())
                self._range[zone] = int((zone / "max_energy_range_uj").read_text())
            except PermissionError:
                self.why_not = f"the counters below {root} may be read by root alone"
            except (OSError, ValueError):
                continue
        if self.why_not:  # a sum of some of the counters would look like the whole
            self._last.clear()
        elif not self._last:
            self.why_not = "not told by this machine"
        self.zones = [(zone / "name").read_text().strip() for zone in self._last]

    def joules(self) -> float | None:
        """The sum up to now; None if the machine does not tell. Ask at least every few minutes: a counter that
        runs over starts again at 0, and two rounds between two questions look like one."""
        try:
            for zone, last in self._last.items():
                now = int((zone / "energy_uj").read_text())
                self._joules += (now - last if now >= last else now - last + self._range[zone] + 1) / 1e6
                self._last[zone] = now
        except (OSError, ValueError) as error:
            self.why_not, self._last = f"the counter stopped answering: {error}", {}
        return self._joules if self._last else None


class Gpus:
    """The GPUs of a process that has already loaded and started torch.cuda; never loads or starts it itself."""

    def __init__(self) -> None:
        self._silent: set[str] = set()

    def sample(self) -> dict[str, float]:
        """`gpu` (mean share in use, 0 to 1), `gpu_mb` (memory held by this process) and `gpu_watts` (of all), as far
        as they are told; empty without GPUs."""
        torch: Any = sys.modules.get("torch")
        if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
            return {}
        devices = range(torch.cuda.device_count())
        found = {"gpu_mb": sum(torch.cuda.memory_reserved(device) for device in devices) / _MB}
        for name, ask in (("gpu", torch.cuda.utilization), ("gpu_watts", torch.cuda.power_draw)):
            if name in self._silent:
                continue
            try:
                values = [float(ask(device)) for device in devices]
            except Exception:  # NVML raises types of its own; what it does not tell once it never tells
                self._silent.add(name)
                continue
            found[name] = sum(values) / (100 * len(values)) if name == "gpu" else sum(values) / 1000
        return found


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def forget_peak_memory() -> None:
    """Let `peak_memory_mb` count from now on (`man 5 proc`, clear_refs), without what earlier work has left behind.

    Where the kernel refuses, it counts as before.
    """
    gc.collect()
    give_back_memory()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def give_back_memory() -> None:
    """Hand freed memory back to the system (`man 3 malloc_trim`), where its library can.

    Each thread takes memory from a part of its own, so what one has freed another cannot use: without this, large
    things that are freed and made anew by other threads take up to twice their room.
    """
    with suppress(OSError, AttributeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)


def peak_memory_mb() -> int:
    """The most that this process has held since it began or `forget_peak_memory`.

    Not what the system's call says, which starts at the peak of the parent.
    """
    try:
        told = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return next(int(line.split()[1]) for line in told.splitlines() if line.startswith("VmHWM:")) // 1024
    except (OSError, StopIteration):
        unit = 1 << 20 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
