"""What is trained on: the sample desk's lessons as token ids, over the demo model, whole and trimmed.

Tensaku itself makes the folder, once; every variant gets the same ids and starts from the same LoRA values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from benchmarks.tune.course import Lesson

from tensaku.demo import lay_out
from tensaku.models.tokenizer import Tokenizer
from tensaku.pipeline import Built, Workspace, build
from tensaku.records import Pair, from_dict
from tensaku.store import PlainReporter, Store
from tensaku.tune.lessons import read_pairs, to_example

__all__ = ["ALPHA", "RANK", "Desk", "batches", "first_adapter"]

RANK, ALPHA = 16, 32
_MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Desk:
    """The sample desk brought as far as tuning begins."""

    workspace: Workspace
    built: Built

    @classmethod
    def make(cls, folder: Path) -> Desk:
        """Build it in `folder`, or take what stands there."""
        lay_out(folder)
        workspace = Workspace.open(folder)
        return cls(workspace, build(Store(workspace.root, PlainReporter()), workspace, until="trim"))

    def model(self, trimmed: bool) -> Path:
        """The model's folder."""
        return self.built["trim" if trimmed else "base"].path

    def lessons(self, trimmed: bool) -> list[Lesson]:
        """Every lesson as the stage `tune` would learn it."""
        tokenizer = Tokenizer.load(self.model(trimmed))
        instruction = self.workspace.instruction()
        return [Lesson(*to_example(tokenizer, pair, instruction)[:2]) for pair in read_pairs(self.built["lessons"])]

    def exam(self, n: int) -> list[Pair]:
        """`n` pairs of the exam at even distances."""
        with self.built["exam"].file("exam.jsonl").open(encoding="utf-8") as file:
            pairs = [from_dict(Pair, json.loads(line)) for line in file]
        return [pairs[round(at * (len(pairs) - 1) / (n - 1))] for at in range(n)]


def batches(lessons: Sequence[Lesson], size: int, count: int, first: int = 0) -> list[list[Lesson]]:
    """Steps `first` to `first + count` of an endless course over `lessons`, each pass shuffled anew."""
    found = []
    for step in range(first, first + count):
        places = [divmod(at, len(lessons)) for at in range(step * size, (step + 1) * size)]
        found.append([lessons[_shuffle(len(lessons), epoch)[place]] for epoch, place in places])
    return found


def _shuffle(count: int, seed: int) -> list[int]:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()


def first_adapter(model: Path, folder: Path) -> Path:
    """A PEFT folder as LoRA begins: A uniform in +-1/sqrt(in), B zero, on all linear layers."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    random = torch.Generator().manual_seed(1)
    tensors = {}
    with safe_open(model / "model.safetensors", framework="pt") as held:
        for name in sorted(held.keys()):
            module = name.removesuffix(".weight")
            if module.rpartition(".")[2] in _MODULES:
                out, width = held.get_slice(name).get_shape()
                bound = 1 / math.sqrt(width)
                a = torch.empty(RANK, width).uniform_(-bound, bound, generator=random)
                tensors[f"base_model.model.{module}.lora_A.weight"] = a
                tensors[f"base_model.model.{module}.lora_B.weight"] = torch.zeros(out, RANK)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config: dict[str, Any] = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "bias": "none", "lora_dropout": 0.0}
    config |= {"r": RANK, "lora_alpha": ALPHA, "target_modules": list(_MODULES), "base_model_name_or_path": str(model)}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
