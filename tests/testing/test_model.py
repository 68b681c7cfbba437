"""The tiny model is a model: Transformers opens it, it is the same at every call, and it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from tensaku.engines import Request, open_engine
from tensaku.models.tokenizer import Tokenizer
from tensaku.records import Message
from tensaku.testing import CHARACTERS, tiny_model


@pytest.mark.parametrize("family", ["gemma3_text", "llama"])
def test_transformers_opens_it_whole(tmp_path: Path, family: Literal["gemma3_text", "llama"]) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tiny_model(tmp_path / "model", family=family)
    opened: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    model, report = opened
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    theirs, ours = AutoTokenizer.from_pretrained(folder), Tokenizer.load(folder)
    text = "市場は1.2%上昇した。"
    assert theirs.encode(text, add_special_tokens=False) == ours.encode(text)
    assert model(torch.tensor([ours.encode(text)])).logits.shape[-1] == len(ours)


def test_a_seed_is_a_model(tmp_path: Path) -> None:
    made = [tiny_model(tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))]
    first, again, other = ((folder / "model.safetensors").read_bytes() for folder in made)
    assert first == again != other
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (made[0] / name).read_bytes() == (made[2] / name).read_bytes()


def test_every_character_is_a_word_of_its_own(tmp_path: Path) -> None:
    tokenizer = Tokenizer.load(tiny_model(tmp_path / "model"))
    assert all(len(tokenizer.encode(c)) == 1 for c in CHARACTERS)
    assert len(tokenizer.encode("鬱")) == 3  # its bytes


def test_it_answers(tmp_path: Path) -> None:
    engine = open_engine("native", tiny_model(tmp_path / "model"))
    try:
        stream = engine.submit(Request((Message("user", "市場は"),), max_tokens=8))
        list(stream)
    finally:
        engine.close()
    assert stream.usage is not None
    assert stream.usage.completion <= 8
