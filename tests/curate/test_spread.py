"""Shards on a Ray of this machine: the same pool, also when a worker is killed at its work."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.curate.test_survives_kill import write_pairs

from tensaku.curate import Curate, Sources, curate, files, ingest, shards
from tensaku.errors import MissingExtra
from tensaku.store import Artifact, SilentReporter, Store


def made(folder: Path, data: Path) -> tuple[Store, Artifact]:
    cfg = Sources.model_validate({"use": [{"path": "pairs.jsonl"}]})
    store = Store(folder, SilentReporter())
    return store, store.run(ingest, cfg, **files(cfg, data))


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    monkeypatch.setattr(shards, "SHARD", 20)
    write_pairs(tmp_path, 100)
    store, source = made(tmp_path / "work", tmp_path)
    with pytest.raises(MissingExtra, match=r"pip install 'tensaku\[cluster\]'"):
        store.run(curate, Curate(cluster="ray"), source=source)


def test_where_it_is_done_does_not_make_another_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    write_pairs(tmp_path, 30)
    store, source = made(tmp_path / "work", tmp_path)
    pool = store.run(curate, Curate(), source=source)
    assert store.run(curate, Curate(cluster="ray"), source=source) == pool
    assert "cluster" not in pool.config


def kill_one(folder: Path, killed: list[int]) -> None:
    """Kill a worker of Ray at its work, once some shard is done."""
    until = time.monotonic() + 240
    while not killed and time.monotonic() < until:
        if any(folder.glob("scratch/*.aside/0/*.done")):
            for told in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    if told.read_bytes().startswith(b"ray::walk_there"):
                        os.kill(int(told.parent.name), signal.SIGKILL)
                        killed.append(int(told.parent.name))
                        break
        time.sleep(0.001)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray's own making
def test_two_workers_of_ray_and_one_killed_leave_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'tensaku[cluster]'")
    monkeypatch.setattr(shards, "SHARD", 2000)
    data = tmp_path / "data"
    data.mkdir()
    write_pairs(data, 60_000)
    store, source = made(tmp_path / "spread", data)
    killed: list[int] = []
    killing = threading.Thread(target=kill_one, args=(store.root, killed))
    killing.start()
    spread = store.run(curate, Curate(cluster="ray"), source=source)
    killing.join()
    assert killed, "no worker was met at its work: give it more pairs"
    store, source = made(tmp_path / "alone", data)
    alone = store.run(curate, Curate(), source=source)
    assert spread.key == alone.key
    assert spread.files == alone.files
    for name in alone.files:
        assert spread.file(name).read_bytes() == alone.file(name).read_bytes(), name
    assert spread.facts == alone.facts
