"""Take the port first, then serve until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from tensaku.errors import UsageError
from tensaku.serve.guard import LOOPBACK
from tensaku.serve.tls import Tls

__all__ = ["address", "hosts_of", "listen", "run"]

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  compared, never taken by itself
GRACE = 30.0
"""Seconds that running answers are given to end after Ctrl-C or SIGTERM, if nobody says."""
_LEAVE = 3
"""Seconds that connections are given to close once their answers have ended."""


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


def address(listener: socket.socket, tls: Tls | None = None) -> str:
    """The URL of a listening socket, for a person to open."""
    host, port = listener.getsockname()[:2]
    if host in EVERYWHERE:
        host = "127.0.0.1"
    scheme = "http" if tls is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


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
    grace: float = GRACE,
    tls: Tls | None = None,
) -> None:
    """Serve `app` until Ctrl-C (or SIGTERM), then return; running answers get `grace` seconds to end.

    Meanwhile new requests are refused with 503, and `/readyz` says why. A second Ctrl-C ends the answers at once.
    `listener` is a socket from `listen`; without one, `host` and `port` are taken here. `ready` is called with the URL
    once requests are answered. With `tls`, the wire is encrypted.

    Raises:
        UsageError: as `listen`.
    """
    held = listener if listener is not None else listen(host, port)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_LEAVE,
        ws_max_size=8 * 2**20,
        ws_per_message_deflate=False,  # a tenth of the desk's work while people type, to spare a few kilobytes
        server_header=False,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )

    def tell() -> None:
        if ready is not None:
            ready(address(held, tls))

    try:
        with _terminated_as_interrupted():
            _Server(config, tell, getattr(app, "state", None), grace).run(sockets=[held])
    except KeyboardInterrupt:  # uvicorn raises the signal again once everything is closed
        pass
    finally:
        held.close()


class _Server(uvicorn.Server):
    """uvicorn's server that tells when it answers, and lets running answers end before it closes."""

    def __init__(self, config: uvicorn.Config, tell: Callable[[], None], state: Any, grace: float) -> None:
        super().__init__(config)
        self._tell, self._state, self._grace = tell, state, grace

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._tell()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._drain()
        for close in getattr(self._state, "closing", ()):
            close()
        await super().shutdown(sockets=sockets)

    async def _drain(self) -> None:
        """Refuse what is new and wait for what runs; sockets stay open meanwhile, so that refusals are told."""
        drain: Callable[[], None] | None = getattr(self._state, "drain", None)
        busy: Callable[[], int] | None = getattr(self._state, "busy", None)
        if drain is None or busy is None:
            return
        drain()
        until = time.monotonic() + self._grace
        while busy() and time.monotonic() < until and not self.force_exit:
            await asyncio.sleep(0.05)


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
