"""The port is taken first; Ctrl-C ends the server cleanly."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from tensaku.errors import UsageError
from tensaku.serve import LOOPBACK, address, hosts_of, listen

SERVER = """
from tensaku.serve import build_app, run
from tensaku.testing import ScriptedEngine
engine = ScriptedEngine(lambda messages: "長い答えです。" * 500, delay=0.05)
run(build_app(engine=engine), port=0, grace=0.5, ready=lambda url: print(url, flush=True))
print("ended", flush=True)
"""


def test_a_port_in_use_is_one_clear_error() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(UsageError) as caught:
            listen("127.0.0.1", port)
    assert str(caught.value) == (
        f"127.0.0.1:{port}: port {port} is in use by another program. "
        f"Stop that program, or choose another port, such as {port + 1}."
    )
    listen("127.0.0.1", port).close()  # free again


@pytest.mark.parametrize(
    ("host", "port", "what"), [("127.0.0.1", 70000, "no port"), ("203.0.113.1", 0, "cannot listen here")]
)
def test_an_impossible_address(host: str, port: int, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        listen(host, port)


def test_an_address_to_open() -> None:
    with listen("0.0.0.0", 0) as everywhere:
        assert address(everywhere) == f"http://127.0.0.1:{everywhere.getsockname()[1]}"
        assert hosts_of(everywhere) is None
    with listen("127.0.0.1", 0) as here:
        assert hosts_of(here) == LOOPBACK
    with socket.socket(socket.AF_INET6) as six:
        six.bind(("::1", 0))
        assert address(six).startswith("http://[::1]:")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_and_its_answers(how: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    url = process.stdout.readline().strip()
    ask = {"model": "base", "messages": [{"role": "user", "content": "x"}], "stream": True}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=ask, timeout=10) as answer:
        lines = answer.iter_lines()
        next(lines)
        started = time.monotonic()
        process.send_signal(how)
        with contextlib.suppress(httpx.RemoteProtocolError):
            list(lines)
    out, err = process.communicate(timeout=10)
    assert time.monotonic() - started < 8
    assert (process.returncode, out.strip()) == (0, "ended")
    assert "Traceback" not in err
