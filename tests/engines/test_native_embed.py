from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest
import torch

from tensaku.engines import Request
from tensaku.engines.native.engine import NativeEngine
from tensaku.engines.requests import TooLong
from tensaku.errors import EngineError
from tensaku.serve import build_app
from tensaku.testing import serving

Get = Callable[[str], Any]
Ask = Callable[..., Request]
TEXTS = ["株式市場は上昇した。", "", "abc" * 70]


def _reference(made: Any, model: Any, text: str) -> list[float]:
    """The same by Transformers."""
    from tensaku.models.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(made.folder)
    ids = torch.tensor([[tokenizer.start, *tokenizer.encode(text)]])
    with torch.no_grad():
        mean = model.model(ids).last_hidden_state[0].double().mean(0)
    return [float(x) for x in mean / mean.norm()]


@pytest.mark.parametrize("family", ["gemma3_text", "qwen2"])
def test_a_vector_is_the_mean_of_the_last_hidden_states(tiny: Get, family: str) -> None:
    made = tiny(family)
    engine = NativeEngine(made.folder, context=512, slots=2, threads=1, precision="fp32")
    vectors, read = engine.embed(TEXTS)
    engine.close()
    assert read == sum(1 + len(text) for text in TEXTS)
    for text, vector in zip(TEXTS, vectors, strict=True):
        assert vector == pytest.approx(_reference(made, made.model, text), abs=2e-5)


def test_int8_is_near_and_the_same_in_any_company(tiny: Get, engine: NativeEngine, ask: Ask) -> None:
    made = tiny("gemma3_text")
    engine.load_adapter("all", made.adapter("all"))
    alone = [engine.embed([text], "all")[0][0] for text in TEXTS]
    streams = [engine.submit(ask("株" * 30 + str(i), 60)) for i in range(3)]
    assert engine.embed(TEXTS, "all")[0] == alone
    for stream in streams:
        assert list(stream)
    assert engine.embed([TEXTS[0]])[0][0] != alone[0]  # the base's own
    near = torch.tensor(engine.embed([TEXTS[0]])[0][0]) @ torch.tensor(_reference(made, made.model, TEXTS[0]))
    assert float(near) > 0.99
    available = engine._model.cache.available
    engine.embed(TEXTS)
    assert engine._model.cache.available == available
    with pytest.raises(TooLong):
        engine.embed(["あ" * 600])


def test_over_the_wire_by_the_real_client(engine: NativeEngine) -> None:
    with serving(build_app(engine=engine)) as url:
        with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=30) as client:
            found = client.embeddings.create(model="base", input=["株式", "市場"])
        long = httpx.post(f"{url}/v1/embeddings", json={"model": "base", "input": "a" * 2000})
    assert [one.index for one in found.data] == [0, 1]
    assert all(sum(x * x for x in one.embedding) == pytest.approx(1, abs=1e-3) for one in found.data)
    assert (long.status_code, long.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_a_closed_engine_says_so(tiny: Get) -> None:
    made = NativeEngine(tiny("gemma3_text").folder, context=64, slots=1, threads=1)
    made.close()
    with pytest.raises(EngineError, match="closed"):
        made.embed(["a"])
