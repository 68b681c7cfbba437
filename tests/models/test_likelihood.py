"""The likelihood of an answer is what Transformers computes from the same files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from tensaku.models.likelihood import Reader
from tensaku.models.tokenizer import Tokenizer
from tensaku.records import Message
from tensaku.testing import tiny_model

QUESTION = (Message("user", "次の文を直してください。\n当月の株式市場は3.2%上昇した。"),)
FAMILIES: tuple[Literal["gemma3_text", "llama"], ...] = ("gemma3_text", "llama")


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_what_transformers_computes(family: Literal["gemma3_text", "llama"], tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder, answer = tiny_model(tmp_path / "model", family=family), "国内の株式市場は上昇した。前年比では下落した。"
    tokenizer = Tokenizer.load(folder)
    asked, said = tokenizer.chat(QUESTION), [*tokenizer.encode(answer), min(tokenizer.eos)]
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.eval()
    with torch.inference_mode():
        logs = torch.log_softmax(model(torch.tensor([[*asked, *said]])).logits[0], -1)
    expected = sum(float(logs[len(asked) - 1 + n, token]) for n, token in enumerate(said))
    found = Reader(folder).likelihood(QUESTION, answer)
    assert found is not None
    assert found.tokens == len(said) > 12  # more than a window of the tiny Gemma
    assert found.nats == pytest.approx(expected, rel=1e-5)
    assert found.nats < 0


def test_nothing_is_the_end_at_once(tmp_path: Path) -> None:
    found = Reader(tiny_model(tmp_path / "model")).likelihood(QUESTION, "")
    assert found is not None
    assert found.tokens == 1


def test_what_does_not_fit_is_not_read(tmp_path: Path) -> None:
    assert Reader(tiny_model(tmp_path / "model")).likelihood(QUESTION, "株" * 4096) is None
