"""A training in the forms of TensorBoard and MLflow, made on request from a sealed artifact, all of it on this machine.

Needs the extra `export` (tensorboardX, mlflow-skinny). MLflow reports its use to its makers unless it is told not to
when it is loaded; here it is told.
"""

from __future__ import annotations

import datetime
import importlib
import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tensaku.errors import MissingExtra, UsageError
from tensaku.store import Artifact
from tensaku.tune.report.course import Course

__all__ = ["HOW_TO_SHOW", "export", "to_mlflow", "to_tensorboard"]

HOW_TO_SHOW = {"tensorboard": "tensorboard --logdir {}", "mlflow": "mlflow ui --backend-store-uri sqlite:///{}"}
"""The command that shows what was exported; {} is what `export` returned."""

_BATCH = 1000  # MLflow takes no more metrics at once
_LONGEST = 6000  # characters of one of its params
_STEPS = {
    "train/loss": "loss",
    "validation/loss": "validation_loss",
    "train/learning_rate": "lr",
    "train/grad_norm": "grad_norm",
    "train/memory_mb": "memory_mb",
}
_SAMPLES = {
    "machine/cpu_cores": "cpu",
    "machine/memory_mb": "rss_mb",
    "machine/available_mb": "available_mb",
    "machine/written_mb": "written_mb",
    "machine/energy_joules": "joules",
    "machine/gpu": "gpu",
    "machine/gpu_mb": "gpu_mb",
}


class _Point(NamedTuple):
    """One value of one curve; `time` in seconds since 1970."""

    name: str
    value: float
    step: int
    time: float


def export(artifact: Artifact, tool: str, out: Path) -> Path:
    """Export a sealed training to a tool, one of `HOW_TO_SHOW`; returns the file or folder to show.

    Raises:
        UsageError: there is no such tool, the artifact is no training, or `out` holds it already.
        MissingExtra: the tool's library is not installed.
        DataError: the artifact's log is damaged.
    """
    if tool not in HOW_TO_SHOW:
        raise UsageError(f"no tool {tool!r} to export to", fix=f"Choose {' or '.join(HOW_TO_SHOW)}")
    return to_tensorboard(artifact, out) if tool == "tensorboard" else to_mlflow(artifact, out)


def to_tensorboard(artifact: Artifact, out: Path) -> Path:
    """Write the curves, settings and figures as a run of TensorBoard; returns its folder, `out`/REF. See `export`.

    Losses and rates are by step, what was used of the machine by whole seconds. Settings and figures stand under
    HPARAMS.
    """
    _check(artifact)
    tensorboard = _load("tensorboardX")
    summary = _load("tensorboardX.summary")
    run, draft = out / artifact.ref, out / f".{artifact.ref}.new"
    if run.exists():
        raise UsageError(f"{artifact.ref} is there already", where=out, fix="Name another folder, or take that away")
    settings = {name: _word(value) for name, value in artifact.config.items()}

    def write() -> None:
        shutil.rmtree(draft, ignore_errors=True)  # what a killed export left
        writer = tensorboard.SummaryWriter(str(draft))
        try:
            for point in _points(artifact):
                writer.add_scalar(point.name, point.value, point.step, walltime=point.time)
            for part in summary.hparams(settings, _figures(artifact)):
                writer.file_writer.add_summary(part)
            for name, value in _figures(artifact).items():
                writer.add_scalar(name, value, 0)
        finally:
            writer.close()
        draft.rename(run)

    _written(write, out)
    return run


def to_mlflow(artifact: Artifact, out: Path) -> Path:
    """Write curves, settings, figures and the report as a run of the experiment `tensaku` in `out`/mlflow.db; returns
    that file. See `export`. Show it with `mlflow ui --backend-store-uri sqlite:///FILE`.
    """
    _check(artifact)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # looked at when it is loaded
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    tracking, entities = _load("mlflow.tracking"), _load("mlflow.entities")
    file = (out / "mlflow.db").absolute()

    def write() -> None:
        out.mkdir(parents=True, exist_ok=True)
        client = tracking.MlflowClient(tracking_uri=f"sqlite:///{file}")
        experiment = client.get_experiment_by_name("tensaku")
        place = (file.parent / "artifacts").as_uri()
        where = experiment.experiment_id if experiment else client.create_experiment("tensaku", place)
        if client.search_runs([where], f"tags.`tensaku.ref` = '{artifact.ref}' and attributes.status = 'FINISHED'"):
            raise UsageError(
                f"{artifact.ref} is there already", where=file, fix="Name another folder or delete it there"
            )
        _mlflow_run(client, entities, where, artifact)

    _written(write, out)
    return file


def _mlflow_run(client: Any, entities: Any, experiment: str, artifact: Artifact) -> None:
    started, ended = (int(_moment(artifact.manifest[end]) * 1000) for end in ("started", "ended"))
    words = {name: value for name, value in artifact.facts.items() if isinstance(value, str)}
    tags = {"tensaku.ref": artifact.ref, **{f"tensaku.{name}": value for name, value in words.items()}}
    tags |= {f"tensaku.input.{name}": ref for name, ref in artifact.inputs.items()}
    run = client.create_run(experiment, start_time=started, run_name=artifact.ref, tags=tags).info.run_id
    try:
        params = [entities.Param(name, _word(value)[:_LONGEST]) for name, value in artifact.config.items()]
        client.log_batch(run, params=params)
        points = [*_points(artifact), *(_Point(n, v, 0, ended / 1000) for n, v in _figures(artifact).items())]
        metrics = [entities.Metric(p.name, p.value, int(p.time * 1000), p.step) for p in points]
        for at in range(0, len(metrics), _BATCH):
            client.log_batch(run, metrics=metrics[at : at + _BATCH])
        for name in ("report.html", "loss.jsonl", "usage.jsonl"):
            if name in artifact.files:
                client.log_artifact(run, str(artifact.file(name)))
        client.set_terminated(run, "FINISHED", end_time=ended)
    except BaseException:
        client.delete_run(run)
        raise


def _points(artifact: Artifact) -> Iterator[_Point]:
    """Every value of every curve, with the time at which it was measured."""
    course = Course.read(artifact.path)
    began = _moment(course.samples[0].get("started", "") if course.samples else "")
    began = began or _moment(artifact.manifest["started"])
    for row in course.steps:
        time = began + float(row.get("seconds", 0.0))
        for name, key in _STEPS.items():
            if _finite(row.get(key)):
                yield _Point(name, float(row[key]), int(row["step"]), time)
    for row, rate in course.speeds:
        yield _Point("train/tokens_per_second", rate, int(row["step"]), began + float(row["seconds"]))
    for row in course.samples:
        for name, key in _SAMPLES.items():
            if _finite(row.get(key)):
                yield _Point(name, float(row[key]), round(row["seconds"]), began + float(row["seconds"]))


def _figures(artifact: Artifact) -> dict[str, float]:
    return {name: float(value) for name, value in artifact.facts.items() if _finite(value)}


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _moment(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp() if text else 0.0


def _word(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(_word, value))
    return str(value)


def _check(artifact: Artifact) -> None:
    if "loss.jsonl" not in artifact.files and "method" not in artifact.facts:
        raise UsageError(f"{artifact.ref} is no training", fix="Name what `tensaku list tune` shows")


def _load(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or module, "export") from None


def _written(write: Callable[[], None], out: Path) -> None:
    """Write, and say what is wrong with `out` if it cannot be done."""
    try:
        write()
    except OSError as error:
        raise UsageError(f"it cannot be written: {error.strerror}", where=out, fix="Name another folder") from error
