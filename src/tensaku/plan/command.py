"""What `tensaku plan` does: from the words of a command to values and lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensaku.config import explain, settle
from tensaku.errors import NotFound, UsageError
from tensaku.machine import processor
from tensaku.plan.answer import Ask, plan
from tensaku.plan.calibrate import Error, calibrate
from tensaku.plan.hardware import accelerators
from tensaku.plan.headers import built_in, describe, names
from tensaku.plan.here import HERE, plan_here
from tensaku.plan.job import METHODS, Method
from tensaku.plan.page import error_page
from tensaku.plan.runs import constants_of, note_runs, noted, sealed_runs, write_constants
from tensaku.plan.text import answer_lines, answer_values, error_lines, hardware_lines, model_lines, tensor_lines

__all__ = ["GPU", "Asked", "answer"]

GPU = "h100-sxm"
"""The GPU where none is named."""
_LISTS = ("models", "hardware", "settings", "tensors", "errors")

Said = tuple[Any, Iterable[str]]
"""Values for JSON, and lines for people."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of the command. `root`: the workspace's `.tensaku`, which need not be there."""

    model: str
    method: str
    hardware: str
    sets: tuple[str, ...]
    show: str
    calibrate: bool
    page: Path | None
    root: Path


def answer(asked: Asked) -> Said:
    """What was asked for.

    Raises:
        UsageError: something is not known, does not fit, or is missing.
    """
    _check_words(asked)
    if asked.calibrate:
        return _calibrated(asked)
    if asked.page is not None:
        return _paged(asked)
    if asked.show:
        return _listed(asked)
    if not asked.model:
        fix = "Name a model, as in: tensaku plan llama-3.1-8b lora (tensaku plan --list models shows the built-in ones)"
        raise UsageError("no model is named", fix=fix)
    if asked.method not in METHODS:
        raise NotFound("method", asked.method, METHODS)
    method, ask = asked.method, settle(Ask, asked.sets)
    if asked.hardware == HERE:
        return _here(asked, method, ask)
    if asked.hardware.lower() not in accelerators():
        raise NotFound("accelerator", asked.hardware, [*accelerators(), HERE])
    found = plan(asked.model, method, ask, asked.hardware)
    return answer_values(found), answer_lines(found)


def _check_words(asked: Asked) -> None:
    """One thing at a time: nothing that was said is left out in silence."""
    instead = {
        "--calibrate": asked.calibrate,
        "--page": asked.page is not None,
        f"--list {asked.show}": bool(asked.show),
    }
    given = [name for name, said in instead.items() if said]
    if not given:
        return
    words = {"a method": asked.method != "load", "settings (-s)": bool(asked.sets), "--gpu": asked.hardware != GPU}
    if asked.model and asked.show != "tensors":
        words = {"a model": True, **words}
    others = given[1:] + [name for name, said in words.items() if said]
    if others:
        what = f"{given[0]} stands alone, and was given with {' and '.join(others)}"
        raise UsageError(what, fix="Ask for one thing at a time")


def _here(asked: Asked, method: Method, ask: Ask) -> Said:
    from tensaku.models.products import speed

    anatomy = describe(asked.model)
    constants, source = constants_of(asked.root)
    measured = speed()
    gflops = max(measured.plain, measured.onednn)
    found = plan_here(anatomy, method, ask, constants, source, gflops, processor=processor() or "")
    return found.values(), found.lines()


def _calibrated(asked: Asked) -> Said:
    _check_workspace(asked.root)
    constants, errors = calibrate(sealed_runs(asked.root))
    path = write_constants(asked.root, constants)
    values = {"constants": {k: c.plain() for k, c in constants.items()}, "errors": [e._asdict() for e in errors]}
    lines = [*error_lines(errors), "each run is predicted from all the others", f"constants kept in {path}"]
    return values | {"file": str(path)}, lines


def _check_workspace(root: Path) -> None:
    if not root.is_dir():
        what = "nothing was made in this workspace yet, so there is nothing measured"
        raise UsageError(what, where=root.parent, fix="Walk the road first: tensaku run -C DIR")


def _paged(asked: Asked) -> Said:
    assert asked.page is not None
    _check_workspace(asked.root)
    note_runs(asked.root)
    rows = noted(asked.root)
    _, source = constants_of(asked.root)
    try:
        asked.page.write_text(error_page(rows, source), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"it cannot be written: {error.strerror}", where=asked.page) from None
    return {"page": str(asked.page), "runs": len(rows)}, [f"{asked.page}: {len(rows)} runs"]


def _listed(asked: Asked) -> Said:
    if asked.show not in _LISTS:
        raise NotFound("list", asked.show, _LISTS)
    if asked.show == "models":
        found = [built_in(name) for name in names()]
        return [{"name": a.name, "parameters": a.parameters, "source": a.source, "note": a.note} for a in found], (
            model_lines()
        )
    if asked.show == "hardware":
        rows = {n: {k: getattr(g, k) for k in g.__dataclass_fields__} for n, g in accelerators().items()}
        return rows, hardware_lines()
    if asked.show == "settings":
        return Ask().model_dump(), explain(Ask).splitlines()
    if asked.show == "tensors":
        if not asked.model:
            raise UsageError("no model is named", fix="As in: tensaku plan llama-3.1-8b --list tensors")
        anatomy = describe(asked.model)
        return [piece._asdict() for piece in anatomy.pieces], tensor_lines(anatomy)
    _check_workspace(asked.root)
    note_runs(asked.root)
    rows_so_far = noted(asked.root)
    return rows_so_far, error_lines([Error(**row) for row in rows_so_far])
