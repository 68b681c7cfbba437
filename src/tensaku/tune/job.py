"""The work of a stage as text, so that several processes can do it together, and the doing of one process's share."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensaku.config import Section
from tensaku.store import Artifact, Bench, Input, Reporter, SilentReporter, SourceFile, Stage
from tensaku.store.keys import plain
from tensaku.store.seal import open_artifact
from tensaku.tune.group import Group, joined

__all__ = ["Job"]

_OURS = "tensaku."


@dataclass(frozen=True, slots=True)
class Job:
    """A stage with its section and inputs, where it works, and how many processes share it.

    `stage` and `section` are "module:name" inside this package; `inputs` are paths of artifacts and files. With several
    machines, all of them must see these paths.
    """

    stage: str
    section: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, Any]
    folder: str
    aside: str
    processes: int

    @classmethod
    def of(cls, fn: Stage[..., Any], bench: Bench, cfg: Section, processes: int, inputs: Mapping[str, Input]) -> Job:
        """The work of `fn` with `cfg` on `inputs` in `bench`."""
        named = {name: _written(held) for name, held in inputs.items()}
        kind = type(cfg)
        return cls(
            f"{fn.__module__}:{getattr(fn, '__qualname__', fn.stage_name)}",
            f"{kind.__module__}:{kind.__qualname__}",
            plain(cfg),
            named,
            str(bench.path),
            str(bench.aside),
            processes,
        )

    def text(self) -> str:
        """As one line of JSON."""
        return json.dumps({name: getattr(self, name) for name in self.__dataclass_fields__}, ensure_ascii=False)

    @classmethod
    def read(cls, text: str | bytes) -> Job:
        """What `text` wrote."""
        return cls(**json.loads(text))

    def do(self, group: Group, reporter: Reporter) -> dict[str, Any]:
        """Do the share of this process, one of `group`; the facts that the stage found.

        Process 0 works in the job's folder. What another one writes falls into a folder of its own beside the
        checkpoints and is thrown away.
        """
        fn, section = _named(self.stage), _named(self.section)
        folder, aside = Path(self.folder), Path(self.aside)
        if group.rank > 0:
            folder, reporter = aside / f"process-{group.rank}", SilentReporter()
            folder.mkdir(exist_ok=True)
        bench = Bench(folder, aside, reporter=reporter)
        inputs = {name: _read(held) for name, held in self.inputs.items()}
        try:
            with joined(group):
                fn(bench, section.model_validate(dict(self.settings)), **inputs)
        finally:
            if group.rank > 0:
                shutil.rmtree(folder, ignore_errors=True)
        return bench.facts


def _written(held: Input) -> Any:
    if isinstance(held, Artifact):
        return {"artifact": str(held.path)}
    if isinstance(held, SourceFile):
        return {"file": str(held.path)}
    return {"several": {name: _written(inner) for name, inner in held.items()}}


def _read(held: Mapping[str, Any]) -> Input:
    if "artifact" in held:
        return open_artifact(Path(held["artifact"]))
    if "file" in held:
        return SourceFile(Path(held["file"]))
    return {name: one for name, inner in held["several"].items() if not isinstance(one := _read(inner), Mapping)}


def _named(name: str) -> Any:
    module, _, inner = name.partition(":")
    if not module.startswith(_OURS):
        raise ValueError(f"{name} is not of this package")
    found: Any = importlib.import_module(module)
    for part in inner.split("."):
        found = getattr(found, part)
    return found
