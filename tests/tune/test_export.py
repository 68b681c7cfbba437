"""What is exported is what was logged, read back with the tools' own readers; and nothing is told to anybody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tensaku.config import Section
from tensaku.errors import MissingExtra, UsageError
from tensaku.store import Artifact, Bench, SilentReporter, Store, stage
from tensaku.tune.export import export, to_tensorboard


class Knobs(Section):
    """Some settings."""

    method: str = "lora"
    learning_rate: float = 1e-3
    targets: tuple[str, ...] = ("q", "v")


STEPS = [
    {"step": n, "loss": 2.0 / n, "lr": 1e-3, "tokens": 100, "seconds": 2.0 * n, "memory_mb": 900, "grad_norm": 1.0}
    | ({"validation_loss": 2.5 / n} if n % 2 == 0 else {})
    for n in range(1, 6)
]
SAMPLES = [
    {"seconds": 0.0, "run": 1, "started": "2026-11-24T10:00:00+00:00", "cores": 2},
    {"seconds": 4.0, "run": 1, "cpu": 1.5, "rss_mb": 800.0, "joules": 40.0},
    {"seconds": 10.0, "run": 1, "cpu": 2.0, "rss_mb": 850.0, "joules": 100.0},
]
BEGAN = 1795514400.0  # 2026-11-24T10:00:00Z


@stage(version=1)
def tune(bench: Bench, cfg: Knobs) -> None:
    for name, rows in (("loss.jsonl", STEPS), ("usage.jsonl", SAMPLES)):
        (bench.path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (bench.path / "report.html").write_text("<p>報告</p>", encoding="utf-8")
    bench.facts.update(method="lora", base="base-1", last_loss=0.4, steps=5, too_long=["a"])


@stage(version=1)
def prompt(bench: Bench, cfg: Knobs) -> None:
    (bench.path / "prompt.json").write_text("{}", encoding="utf-8")
    bench.facts.update(method="prompt", k=4)


@stage(version=1)
def pool(bench: Bench, cfg: Knobs) -> None:
    (bench.path / "rows").write_text("", encoding="utf-8")


@pytest.fixture
def made(workspace: Path) -> Artifact:
    return Store(workspace, SilentReporter()).run(tune, Knobs())


def test_tensorboard_reads_it_back(made: Artifact, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs the extra export")
    run = to_tensorboard(made, tmp_path / "out")
    assert run == tmp_path / "out" / made.ref
    assert [entry.name for entry in run.parent.iterdir()] == [made.ref]
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard")
    read = reader.EventAccumulator(str(run), size_guidance={"scalars": 0})
    read.Reload()
    loss = read.Scalars("train/loss")
    assert [e.step for e in loss] == [row["step"] for row in STEPS]
    assert [e.value for e in loss] == pytest.approx([row["loss"] for row in STEPS])
    assert loss[0].wall_time == BEGAN + 2
    assert [e.step for e in read.Scalars("validation/loss")] == [2, 4]
    assert [pytest.approx(e.value) for e in read.Scalars("train/tokens_per_second")] == [50.0] * 5
    assert [(e.step, e.value) for e in read.Scalars("machine/energy_joules")] == [(4, 40.0), (10, 100.0)]
    assert read.Scalars("last_loss")[0].value == pytest.approx(0.4)
    [held] = [read.summary_metadata[tag] for tag in read.summary_metadata if tag.endswith("session_start_info")]
    assert b"learning_rate" in held.plugin_data.content
    assert b"q,v" in held.plugin_data.content


@pytest.mark.slow
def test_mlflow_reads_it_back(made: Artifact, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="needs the extra export")
    script = """
import json, sys
from pathlib import Path
from tensaku.store.seal import open_artifact
from tensaku.tune.export import to_mlflow

met = []
sys.addaudithook(lambda event, args: met.append(event) if event.startswith("socket.") else None)
file = to_mlflow(open_artifact(Path(sys.argv[1])), Path(sys.argv[2]))
from mlflow.tracking import MlflowClient
import time
client = MlflowClient(tracking_uri=f"sqlite:///{file}")
[run] = client.search_runs([client.get_experiment_by_name("tensaku").experiment_id])
curves = {name: [(m.step, m.value, m.timestamp) for m in client.get_metric_history(run.info.run_id, name)]
          for name in run.data.metrics}
files = sorted(entry.path for entry in client.list_artifacts(run.info.run_id))
time.sleep(2)  # MLflow would report from a thread
print(json.dumps({"params": run.data.params, "tags": run.data.tags, "curves": curves, "files": files, "met": met,
                  "status": run.info.status, "times": [run.info.start_time, run.info.end_time]}))
"""
    quiet = ("DO_NOT_TRACK", "CI", "PYTEST", "MLFLOW")  # whatever else would keep MLflow from telling
    environment = {name: value for name, value in os.environ.items() if not name.startswith(quiet)}
    environment["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    words = [sys.executable, "-c", script, str(made.path), str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=240)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert [event for event in told["met"] if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto")] == []
    assert told["params"] == {"method": "lora", "learning_rate": "0.001", "targets": "q,v"}
    assert told["tags"]["tensaku.ref"] == made.ref
    assert told["tags"]["tensaku.base"] == "base-1"
    assert told["curves"]["train/loss"] == [[r["step"], r["loss"], int((BEGAN + r["seconds"]) * 1000)] for r in STEPS]
    assert [point[:2] for point in told["curves"]["machine/cpu_cores"]] == [[4, 1.5], [10, 2.0]]
    assert told["curves"]["last_loss"][0][1] == 0.4
    assert told["files"] == ["loss.jsonl", "report.html", "usage.jsonl"]
    assert told["status"] == "FINISHED"
    assert told["times"][0] <= told["times"][1]
    assert (tmp_path / "out" / "artifacts").is_dir()


def test_what_is_there_already_is_left_alone(made: Artifact, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs the extra export")
    run = to_tensorboard(made, tmp_path)
    before = sorted(run.iterdir())
    with pytest.raises(UsageError, match="is there already"):
        to_tensorboard(made, tmp_path)
    assert sorted(run.iterdir()) == before


def test_a_method_without_steps_has_its_figures(workspace: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs the extra export")
    made = Store(workspace, SilentReporter()).run(prompt, Knobs(method="prompt"))
    assert list(to_tensorboard(made, tmp_path).iterdir())


def test_a_folder_that_cannot_be_written(made: Artifact, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs the extra export")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match="cannot be written"):
        to_tensorboard(made, tmp_path / "file")


def test_what_is_no_training_and_what_is_no_tool(workspace: Path, made: Artifact, tmp_path: Path) -> None:
    other = Store(workspace, SilentReporter()).run(pool, Knobs())
    with pytest.raises(UsageError, match="is no training"):
        export(other, "mlflow", tmp_path)
    with pytest.raises(UsageError, match="Choose tensorboard or mlflow"):
        export(made, "wandb", tmp_path)


@pytest.mark.parametrize(("tool", "module"), [("tensorboard", "tensorboardX"), ("mlflow", "mlflow")])
def test_without_the_library(
    made: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: Any, module: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    for name in ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_LOGGING_LEVEL"):
        monkeypatch.setenv(name, "1")
    with pytest.raises(MissingExtra, match=r"pip install 'tensaku\[export\]'"):
        export(made, tool, tmp_path / "out")
    assert not (tmp_path / "out").exists()
