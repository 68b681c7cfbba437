"""What every test gets: a home of its own, no network but loopback, and real data made by others if they are there."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

_LOCAL_NAMES = {None, "", "localhost", b"localhost"}


class NetworkUsed(RuntimeError):
    """Something reached for an address outside this machine."""


def _is_local(host: Any) -> bool:
    if host in _LOCAL_NAMES:
        return True
    name = host.decode() if isinstance(host, bytes) else str(host)
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _is_number(host: Any) -> bool:
    try:
        ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host))
    except ValueError:
        return False
    return True


def _guard(event: str, args: tuple[Any, ...]) -> None:
    """An audit hook: it sees what any library asks the socket module to do. It cannot be taken away again."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        if isinstance(address, tuple) and not _is_local(address[0]):  # a Unix socket's address is text
            raise NetworkUsed(f"{event} to {address}: only loopback is allowed in tests")
    elif event == "socket.getaddrinfo":
        host = args[0]
        if str(host).endswith(".invalid"):  # reserved never to exist: answered as any resolver would
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if not _is_local(host) and not _is_number(host):
            raise NetworkUsed(f"looking up {host!r}: only loopback is allowed in tests")


sys.addaudithook(_guard)

# A busy machine is no fault of the code: examples have no deadline of their own, the test has one.
hypothesis.settings.register_profile(
    "tensaku", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], derandomize=bool(os.getenv("CI"))
)
hypothesis.settings.load_profile("tensaku")


@pytest.fixture(autouse=True, scope="session")
def _offline() -> Iterator[None]:
    """Processes that tests start, and libraries with sockets of their own, are told that there is no network."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
            patch.setenv(name, "1")
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")  # the discard port: refused at once
            patch.setenv(name.upper(), "http://127.0.0.1:9")
        patch.setenv("no_proxy", "127.0.0.1,localhost,::1")
        patch.setenv("NO_PROXY", "127.0.0.1,localhost,::1")
        yield


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Home, settings, caches and the working folder are the test's own."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in ("CONFIG", "CACHE", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    for name in [name for name in os.environ if name.startswith("TENSAKU_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(home)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder for a store's root, not made yet."""
    return tmp_path / "workspace"


@dataclass(frozen=True)
class Result:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line of output."""
        return json.loads(self.out.splitlines()[-1])


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs one command in this process. An exception that the command does not turn into a message fails the test."""
    from tensaku.cli import main

    def run(*words: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["tensaku", *map(str, words)])
        code: object = 0
        try:
            main()
        except SystemExit as left:
            code = left.code
        caught = capsys.readouterr()
        return Result(int(str(code or 0)), caught.out, caught.err)

    return run


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a command as a process of its own, with Ctrl-C at work whatever the tests were started from."""
    begin = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    running: list[subprocess.Popen[str]] = []

    def run(*words: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", begin + "from tensaku.cli import main; main()", *map(str, words)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        running.append(subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True))
        return running[-1]

    yield run
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny workspace whose whole road has been walked by `tensaku run`. Not to be changed: work in a copy."""
    from tensaku.testing import tiny_desk

    folder = tiny_desk(tmp_path_factory.mktemp("road") / "desk")
    words = [sys.executable, "-c", "from tensaku.cli import main; main()", "run", "-C", str(folder), "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HOME": str(folder.parent)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=280)
    (folder.parent / "out.json").write_text(done.stdout, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return folder


@pytest.fixture
def desk(road: Path, tmp_path: Path) -> Path:
    """A copy of the walked workspace, to be changed at will."""
    return Path(shutil.copytree(road, tmp_path / "desk"))


@pytest.fixture
def mount() -> Iterator[Callable[..., Path]]:
    """Mounts for one test: `mount(folder, *options)`, as in `mount(disk, "-t", "tmpfs", "-o", "size=1m", "tmpfs")`."""
    mounted: list[Path] = []

    def run(folder: Path, *options: str) -> Path:
        if os.geteuid() != 0:
            pytest.skip("mounting needs root")
        folder.mkdir(exist_ok=True)
        done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"cannot mount here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield run
    for folder in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def every_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """The road with a stage `tune` that knows every form: `full` leaves the base's own weights; `qlora` fails."""
    from tensaku import pipeline
    from tensaku.errors import StageError
    from tensaku.store import Artifact, Bench, SourceFile, stage
    from tensaku.tune import Tune, tune

    @stage(version=1, name="tune")
    def copying(bench: Bench, cfg: Tune, *, base: Artifact, lessons: Artifact, instruction: SourceFile) -> None:
        if cfg.method == "qlora":
            raise StageError("tune", "the disk is full")
        if cfg.method != "full":
            tune(bench, cfg, base=base, lessons=lessons, instruction=instruction)
            return
        (bench.path / "model").mkdir(exist_ok=True)
        for name in base.files:
            shutil.copyfile(base.file(name), bench.path / "model" / name)
        bench.facts.update(method="full", form="weights", tune_seconds=1.5, peak_memory_mb=321.0, size_mb=12.25)

    monkeypatch.setattr(pipeline, "tune", copying)


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """The folder of a real data set; the test is skipped, with the reason, where it is not there."""

    def find(name: str) -> Path:
        folder = Path(__file__).resolve().parents[1].parent / "shared" / "data" / name
        if not folder.is_dir():
            pytest.skip(f"the real data {name!r} are not beside the repository ({folder})")
        return folder

    return find
