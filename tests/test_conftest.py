"""The fence around every test stands."""

from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("0.0.0.0", 9), ("2001:db8::1", 80, 0, 0)])
def test_no_connection_leaves_the_machine(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as tcp, pytest.raises(RuntimeError, match="only loopback"):
        tcp.connect(address)
    with socket.socket(family, socket.SOCK_DGRAM) as udp, pytest.raises(RuntimeError, match="only loopback"):
        udp.sendto(b"x", address)


def test_no_name_is_looked_up() -> None:
    with pytest.raises(RuntimeError, match=r"looking up 'example.com'"):
        socket.getaddrinfo("example.com", 443)


def test_a_name_that_cannot_exist_is_unknown() -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("no.such.host.invalid", 443)


def test_libraries_fail_at_once() -> None:
    with pytest.raises((RuntimeError, urllib.error.URLError)):
        urllib.request.urlopen("http://example.com", timeout=5)


def test_loopback_works() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        client.sendall(b"x")
        with server.accept()[0] as accepted:
            assert accepted.recv(1) == b"x"
    assert socket.getaddrinfo("localhost", 80)


def test_home_is_the_tests_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.getbasetemp()
    assert Path.home().is_relative_to(base)
    assert Path.cwd().is_relative_to(base)
    assert os.environ["XDG_CACHE_HOME"].startswith(str(base))
