"""Take the port first, then serve until Ctrl-C."""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from tensaku.errors import UsageError
from tensaku.serve.guard import LOOPBACK

__all__ = ["address", "hosts_of", "listen", "run"]

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  compared, never taken by itself
GRACE = 3
"""Seconds that open answers are given to end after Ctrl-C."""


def listen(host: str = "127.0.0.1", port: int = 8080) -> socket.socket:
    """A socket that already holds the port, so that a port in use is known before anything heavy is loaded.

    `port` 0 takes any free one; `address` tells which.

    Raises:
        UsageError: the port is in use or may not be taken, or this machine has no such address.
    """
    where = f"{host}:{port}"
    if not 0 <= port <= 65535:
        raise UsageError(f"there is no port {port}", where=where, fix="Choose one from 1 to 65535.")
    try:
        family, kind, proto, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror:
        raise UsageError(f"this machine knows no host {host!r}", where=where, fix="Use 127.0.0.1.") from None
    taken = socket.socket(family, kind, proto)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(place)
        taken.listen(128)
    except OSError as error:
        taken.close()
        raise UsageError(_why_not(error, port), where=where, fix=_what_to_do(error, port)) from None
    return taken


def _why_not(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use by another program"
    if error.errno == errno.EACCES:
        return f"port {port} needs rights that this user has not"
    return f"cannot listen here: {error.strerror}"


def _what_to_do(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Stop that program, or choose another port, such as {port + 1 if port < 65535 else port - 1}."
    if error.errno == errno.EACCES:
        return "Choose a port from 1024 on."
    return "Use 127.0.0.1, or an address of this machine."


def address(listener: socket.socket) -> str:
    """The URL of a listening socket, for a person to open."""
    host, port = listener.getsockname()[:2]
    if host in EVERYWHERE:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def hosts_of(listener: socket.socket) -> tuple[str, ...] | None:
    """The names under which a listening socket may be asked for (see `Guard`).

    On loopback, those of loopback; on one address, that address and this machine's name as well; on all addresses None,
    which is any: pass the names that you give the machine instead, if you know them.
    """
    host = str(listener.getsockname()[0])
    if host in EVERYWHERE:
        return None
    if host in LOOPBACK:
        return LOOPBACK
    return (*LOOPBACK, host, socket.gethostname(), socket.getfqdn())


def run(
    app: Any,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    listener: socket.socket | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve `app` until Ctrl-C (or SIGTERM), then return; open answers get a few seconds to end.

    `listener` is a socket from `listen`; without one, `host` and `port` are taken here. `ready` is called with the URL
    once requests are answered.

    Raises:
        UsageError: as `listen`.
    """
    held = listener if listener is not None else listen(host, port)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE,
        ws_max_size=8 * 2**20,
        server_header=False,
    )

    def tell() -> None:
        if ready is not None:
            ready(address(held))

    def closing() -> None:
        for close in getattr(getattr(app, "state", None), "closing", ()):
            close()

    try:
        with _terminated_as_interrupted():
            _Server(config, tell, closing).run(sockets=[held])
    except KeyboardInterrupt:  # uvicorn raises the signal again once everything is closed
        pass
    finally:
        held.close()


class _Server(uvicorn.Server):
    """uvicorn's server that tells when it answers and when it begins to close."""

    def __init__(self, config: uvicorn.Config, tell: Callable[[], None], closing: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell, self._closing = tell, closing

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._tell()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._closing()
        await super().shutdown(sockets=sockets)


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends the work as Ctrl-C does, so that the caller's own closing still runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
