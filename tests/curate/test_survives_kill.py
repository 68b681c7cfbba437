"""Bringing files in and curating them, killed at random moments: the next run goes on to the same bytes."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tensaku.curate import Curate, Sources, curate, files, ingest
from tensaku.store import SilentReporter, Store

WORKER = """
import sys
from pathlib import Path
from tensaku.curate import Sources, files, ingest
from tensaku.store import SilentReporter, Store
root, data = map(Path, sys.argv[1:])
cfg = Sources.model_validate({"use": [{"path": "pairs.jsonl"}]})
print("ready", flush=True)
Store(root, SilentReporter()).run(ingest, cfg, **files(cfg, data))
print("done", flush=True)
"""


CURATE = """
import sys
from pathlib import Path
from tensaku.curate import Curate, Sources, curate, files, ingest, shards
from tensaku.store import SilentReporter, Store
root, data = map(Path, sys.argv[1:])
shards.SHARD = 250
cfg = Sources.model_validate({"use": [{"path": "pairs.jsonl"}]})
store = Store(root, SilentReporter())
made = store.run(ingest, cfg, **files(cfg, data))
print("ready", flush=True)
store.run(curate, Curate(), source=made)
print("done", flush=True)
"""


def write_pairs(folder: Path, count: int) -> None:
    row = {"manager": "蒼樹坂", "fund": "みずいろ", "section": "market", "family": "f"}
    with (folder / "pairs.jsonl").open("w", encoding="utf-8") as file:
        for n in range(count):
            final = f"当月の市場は{n}円上昇した。" if n % 50 else " "
            texts = {"draft": f"今月の市場は{n}円上昇しました。", "final": final}
            line = row | texts | {"id": f"p{n}", "as_of": f"2025-{n % 12 + 1:02d}"}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def test_five_kills_leave_the_same_pairs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_pairs(data, 4000)
    dice, killed = random.Random(3), 0
    while killed < 5:
        words = [sys.executable, "-c", WORKER, str(tmp_path / "killed"), str(data)]
        worker = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        time.sleep(dice.uniform(0.0, 0.12))
        worker.send_signal(signal.SIGKILL)
        left = worker.stdout.read()
        worker.wait()
        worker.stdout.close()
        assert "done" not in left, "too quick to be killed: give it more rows"
        killed += 1
    cfg = Sources.model_validate({"use": [{"path": "pairs.jsonl"}]})
    found = Store(tmp_path / "killed", SilentReporter()).run(ingest, cfg, **files(cfg, data))
    wanted = Store(tmp_path / "whole", SilentReporter()).run(ingest, cfg, **files(cfg, data))
    assert found.facts["n"] == 4000
    for name in wanted.files:
        assert found.file(name).read_bytes() == wanted.file(name).read_bytes()


def test_curation_killed_at_any_moment_goes_on_shard_by_shard_to_the_same_bytes(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_pairs(data, 3000)
    dice, met = random.Random(5), dict[str, int]()
    for _ in range(4):
        words = [sys.executable, "-c", CURATE, str(tmp_path / "killed"), str(data)]
        worker = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        time.sleep(dice.uniform(0.05, 0.5))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stdout.close()
        for path in (tmp_path / "killed" / "scratch").glob("*.aside/0/*.done"):
            assert met.setdefault(path.name, path.stat().st_mtime_ns) == path.stat().st_mtime_ns, "it was done again"
    assert met, "no shard was done before a kill"
    cfg = Sources.model_validate({"use": [{"path": "pairs.jsonl"}]})
    found, wanted = (
        store.run(curate, Curate(), source=store.run(ingest, cfg, **files(cfg, data)))
        for store in (Store(tmp_path / name, SilentReporter()) for name in ("killed", "whole"))
    )
    assert found.facts["n"] == 2940
    assert found.facts["dropped"] == {"empty-final": 60}
    for name in wanted.files:
        assert found.file(name).read_bytes() == wanted.file(name).read_bytes()
