"""The port is taken first; Ctrl-C ends the server cleanly."""

from __future__ import annotations

import contextlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import trustme

from tensaku.errors import UsageError
from tensaku.serve import LOOPBACK, Tls, address, build_app, hosts_of, listen, run
from tensaku.testing import ScriptedEngine

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
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - started < 60  # the answer would have taken minutes
    assert (process.returncode, out.strip()) == (0, "ended")
    assert "Traceback" not in err


GRACEFUL = """
from tensaku.serve import build_app, run
from tensaku.testing import ScriptedEngine
engine = ScriptedEngine(lambda messages: "答え" * 30, delay=0.05)
run(build_app(engine=engine), port=0, grace=20, ready=lambda url: print(url, flush=True))
print("ended", flush=True)
"""


def test_running_answers_end_in_peace_and_new_ones_are_told(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", GRACEFUL], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    ask = {"model": "base", "messages": [{"role": "user", "content": "x"}]}
    with httpx.stream("POST", f"{url}/v1/chat/completions", json={**ask, "stream": True}, timeout=10) as answer:
        lines = answer.iter_lines()
        next(lines)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        refused = httpx.post(f"{url}/v1/chat/completions", json=ask, timeout=10)
        ready = httpx.get(f"{url}/readyz", timeout=10)
        rest = list(lines)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "closing")
    assert int(refused.headers["retry-after"]) >= 1
    assert (ready.status_code, ready.json()["faults"]) == (503, {"server": "it is closing"})
    assert [line for line in rest if line][-1] == "data: [DONE]"  # whole, to its last word
    out, _ = process.communicate(timeout=10)
    assert (process.returncode, out.strip()) == (0, "ended")


def test_the_wire_is_encrypted_by_certificate_files(tmp_path: Path) -> None:
    authority = trustme.CA()
    held = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in held.cert_chain_pems))
    key.write_bytes(held.private_key_pem.bytes())
    tls = Tls.of(certificate, key)
    assert tls is not None
    listener = listen("127.0.0.1", 0)
    assert address(listener, tls).startswith("https://127.0.0.1:")
    ready = threading.Event()
    app = build_app(engine=ScriptedEngine())
    serving = threading.Thread(
        target=lambda: run(app, listener=listener, ready=lambda url: ready.set(), tls=tls), daemon=True
    )
    serving.start()
    assert ready.wait(10)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    url = address(listener, tls)
    with httpx.Client(verify=trusting) as client:
        assert client.get(f"{url}/readyz").json() == {"status": "ready"}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/readyz")
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(url.replace("https", "http") + "/readyz")


def test_a_certificate_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    assert Tls.of(None, None) is None
    with pytest.raises(UsageError, match="the key is not named"):
        Tls.of(certificate, None)
    with pytest.raises(UsageError, match="there is no such file"):
        Tls.of(certificate, key)
    certificate.write_bytes(trustme.CA().issue_cert("a.example").cert_chain_pems[0].bytes())
    key.write_bytes(trustme.CA().issue_cert("b.example").private_key_pem.bytes())
    with pytest.raises(UsageError, match="cannot be used with this key"):
        Tls.of(certificate, key)
