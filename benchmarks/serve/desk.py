"""What every comparison of serving needs: a workspace with a tuned adapter, and engines in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from tensaku.models.tokenizer import Tokenizer
from tensaku.revise.question import messages
from tensaku.text import names_from

__all__ = ["RESULT", "WORK", "Desk", "run", "tuned_copy"]

HERE = Path(__file__).parent
WORK = HERE.parent / ".work" / "serve"
RESULT = HERE.parent / "results" / "serve.json"
_ADAPTERS = 8


class Desk:
    """A workspace with a tuned adapter: its newest artifacts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.instruction = (folder / "instruction.md").read_text(encoding="utf-8")
        table = folder / "names.toml"
        self.names = names_from(table.read_text(encoding="utf-8")) if table.exists() else {}
        self.adapter = self._newest("tune") / "adapter"
        self.lessons = self._newest("lessons") / "lessons.jsonl"
        self.models = {"trimmed": self._newest("trim"), "whole": self._newest("base")}
        exam = self._newest("exam") / "exam.jsonl"
        rows = [json.loads(line) for line in exam.read_text(encoding="utf-8").splitlines()]
        self.exam = [row.get("pair", row) for row in rows]

    def _newest(self, stage: str) -> Path:
        found = sorted((self.folder / ".tensaku" / "artifacts").glob(f"{stage}-*/manifest.json"), key=os.path.getmtime)
        if not found:
            sys.exit(f"{self.folder} holds no {stage}: run `tensaku demo {self.folder} --no-serve` first")
        return found[-1].parent

    def order(self, which: str, count: int) -> dict[str, Any]:
        """What every engine is asked."""
        model = self.models[which]
        tokenizer = Tokenizer.load(model)
        rows = self.exam[:count]
        asked = [
            messages(self.instruction, row["draft"], fund=row["fund"], section=row["section"], as_of=row["as_of"])
            for row in rows
        ]
        known = [turns[-1].content for turns in asked]
        return {
            "model": str(model),
            "adapters": [str(folder) for folder in self._adapters()],
            "lessons": str(self.lessons),
            "messages": [[[turn.role, turn.content] for turn in turns] for turns in asked],
            "known": known,
            "predictions": [row["draft"] for row in rows],
            "finals": [row["final"] for row in rows],
            "months": [row["as_of"] for row in rows],
            "names": self.names,
            "prompts": [tokenizer.chat(turns) for turns in asked],
            "eos": sorted(tokenizer.eos)[0],
            "max_tokens": 400,
            "context": 1024,
            "threads": min(2, len(os.sched_getaffinity(0))),
            "precision": "int8",
            "hf_prompts": 8,
        }

    def examples(self, count: int) -> list[list[str]]:
        """The first lessons as turns before the question: an instruction that shows what it means."""
        rows = [json.loads(line) for line in self.lessons.read_text(encoding="utf-8").splitlines()[:count]]
        turns = [(("user", row["draft"]), ("assistant", row["final"])) for row in rows]
        return [list(turn) for pair in turns for turn in pair]

    def _adapters(self) -> list[Path]:
        """The adapter, and seven that differ from it a little: other content, other hash, much the same work."""
        others = range(1, _ADAPTERS)
        return [self.adapter, *(tuned_copy(self.adapter, f"adapter-{i}", 1 - 0.002 * i) for i in others)]


def tuned_copy(adapter: Path, name: str, scale: float) -> Path:
    """A copy of `adapter` whose effect is `scale` of it: another content, another hash."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(adapter / "adapter_config.json", folder)
    tensors = load_file(adapter / "adapter_model.safetensors")
    scaled = {n: t * scale if "lora_B" in n else t for n, t in tensors.items()}
    save_file(scaled, folder / "adapter_model.safetensors")
    return folder


def run(name: str, python: str, script: str, order: dict[str, Any], seconds: float) -> dict[str, Any] | None:
    """One engine in a process of its own; None, with a line that says why, where it could not."""
    asked, told = WORK / f"{name}.order.json", WORK / f"{name}.json"
    asked.write_text(json.dumps(order, ensure_ascii=False), encoding="utf-8")
    told.unlink(missing_ok=True)
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    }
    env |= {"OMP_NUM_THREADS": str(order["threads"]), "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    try:
        with (WORK / f"{name}.log").open("wb") as log:
            command = [python, str(HERE / script), str(asked), str(told)]
            subprocess.run(command, env=env, stdout=log, stderr=log, check=True, timeout=seconds)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"{name}: not measured ({error}); see {WORK / name}.log", flush=True)
        return None
    found: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
    print(f"{name}: " + _line(found), flush=True)
    return found


def _line(found: dict[str, Any]) -> str:
    timed = {k: v for k, v in found.items() if isinstance(v, dict) and "tokens_per_second" in v}
    speeds = [f"{k} {v['tokens_per_second']:g}" for k, v in timed.items()]
    return f"{', '.join(speeds)} tokens/s; {found['memory_mb']} MB"
