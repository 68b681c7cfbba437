"""A PostgreSQL of Debian's package, started on loopback for the tests that ask for it, and gone afterwards."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

_ACCOUNT = "postgres"  # Debian's package makes it; the server refuses to run as root


def programs() -> Path:
    """The folder of the newest installed server's programs; the test is skipped where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not found:
        pytest.skip("PostgreSQL is missing: apt-get install postgresql")
    return found[-1].parent


class Cluster:
    """A server with a database of its own for each test."""

    def __init__(self) -> None:
        self._programs = programs()
        root = os.geteuid() == 0
        self._as: dict[str, Any] = {"user": _ACCOUNT, "group": _ACCOUNT, "extra_groups": []} if root else {}
        # Not pytest's own folder: the server's account may not look into root's.
        self.folder = Path(tempfile.mkdtemp(prefix="tensaku-postgres-", dir="/tmp"))
        self.password, self._numbers = secrets.token_urlsafe(12), itertools.count(1)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        given = self.folder / "password"
        given.write_text(self.password)
        if self._as:
            for path in (given, self.folder):
                shutil.chown(path, _ACCOUNT, _ACCOUNT)
        encoded = ["--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={given}", "-U", "tensaku"]
        self._run("initdb", "-D", str(self.data), *encoded)
        self.start()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *words: str) -> None:
        command = [str(self._programs / program), *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=120, **self._as)
        assert done.returncode == 0, done.stderr + done.stdout

    def start(self) -> None:
        """Start it, or start it again after a kill. It is a child of ours, so that a killed one leaves no number."""
        # After a kill the files are synchronised as a whole: one by one takes a busy disk minutes.
        settings = [
            "recovery_init_sync_method=syncfs",
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            "unix_socket_directories=",
            "max_connections=80",
        ]
        command = [str(self._programs / "postgres"), "-D", str(self.data), *(f"--{one}" for one in settings)]
        with (self.folder / "out").open("ab") as out:
            self._server = subprocess.Popen(command, stdout=out, stderr=out, cwd="/", **self._as)
        end = time.monotonic() + 180
        while True:
            try:
                self._connect().close()
                return
            except psycopg.OperationalError:
                assert self._server.poll() is None, (self.folder / "out").read_text()
                assert time.monotonic() < end, (self.folder / "out").read_text()
                time.sleep(0.05)

    def _connect(self) -> psycopg.Connection[Any]:
        address = {"host": "127.0.0.1", "port": self.port, "user": "tensaku", "password": self.password}
        return psycopg.connect(dbname="postgres", autocommit=True, **address)

    def kill(self) -> None:
        """SIGKILL to the server and all its children, as far as that is like a loss of power."""
        pid = self._server.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        self._server.kill()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        self._server.wait(timeout=30)

    def new(self) -> str:
        """The address of a new, empty database."""
        name = f"ledger{next(self._numbers)}"
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql://tensaku:{self.password}@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        self._server.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
        self._server.wait(timeout=30)
        shutil.rmtree(self.folder)
