"""What every test gets: a home of its own, and no network but loopback."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
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
