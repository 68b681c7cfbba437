"""The engine over Transformers: it answers as Transformers and PEFT do, and keeps an engine's promises."""

from __future__ import annotations

import importlib
import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tensaku.engines import Engine, Request, Stream, open_engine
from tensaku.engines.native.engine import NativeEngine
from tensaku.engines.requests import adapter_hash
from tensaku.engines.transformers_engine import TransformersEngine
from tensaku.errors import EngineError, NotFound, UsageError
from tensaku.models.foreign import quiet
from tensaku.testing import tiny_foreign_model

Ask = Callable[..., Request]
Get = Callable[..., Any]


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_foreign_model(tmp_path_factory.mktemp("gpt2") / "model", "gpt2")


@pytest.fixture(scope="module")
def adapters(gpt2: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two adapters over it, one with DoRA, written by PEFT."""
    peft: Any = importlib.import_module("peft")
    transformers: Any = importlib.import_module("transformers")
    root = tmp_path_factory.mktemp("adapters")
    for seed, (name, dora) in enumerate((("one", False), ("two", True))):
        model = transformers.AutoModelForCausalLM.from_pretrained(gpt2, dtype=torch.float32)
        torch.manual_seed(seed)
        settings = peft.LoraConfig(
            r=4, target_modules=["c_attn", "mlp.c_proj"], fan_in_fan_out=True, use_dora=dora, init_lora_weights=False
        )
        with quiet():
            peft.get_peft_model(model, settings).save_pretrained(root / name, save_embedding_layers=False)
    return {name: root / name for name in ("one", "two")}


@pytest.fixture
def opened(gpt2: Path) -> Iterator[TransformersEngine]:
    made = TransformersEngine(gpt2)
    yield made
    made.close()


def _text(stream: Stream) -> str:
    return "".join(piece.text for piece in stream)


def _theirs(folder: Path, adapter: Path | None, ids: list[int], n: int) -> list[int]:
    """Greedy, the whole text through the model again for each word."""
    peft: Any = importlib.import_module("peft")
    transformers: Any = importlib.import_module("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    if adapter:
        with quiet():
            model = peft.PeftModel.from_pretrained(model, adapter).eval()
    ids = list(ids)
    with torch.inference_mode():
        for _ in range(n):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[-n:]


def test_answers_are_those_of_transformers_and_peft(
    gpt2: Path, opened: TransformersEngine, adapters: dict[str, Path], ask: Ask
) -> None:
    assert isinstance(opened, Engine)
    hashes = {name: opened.load_adapter(name, folder) for name, folder in adapters.items()}
    assert opened.adapters() == hashes == {name: adapter_hash(folder) for name, folder in adapters.items()}
    prompt = opened._tokenizer.chat(ask("株式市場は上昇した。").messages)
    names: list[str | None] = [None, "one", "two", "one", None]
    streams: list[Any] = [opened.submit(ask("株式市場は上昇した。", 12, adapter=name)) for name in names]
    for name, stream in zip(names, streams, strict=True):
        pieces = list(stream)
        wanted = _theirs(gpt2, adapters[name] if name else None, prompt, 12)
        got = stream.tokens[len(prompt) :]
        assert got == wanted[: len(got)]
        assert stream.usage is not None
        assert len(got) == stream.usage.completion == sum(piece.token_count for piece in pieces)
        assert stream.finish == "length" or wanted[len(got)] in opened._tokenizer.eos
    assert len({tuple(stream.tokens) for stream in streams}) == 3
    identity = opened.identity("two")
    assert identity == {
        "adapter": hashes["two"],
        "base": identity["base"],
        "engine": "transformers",
        "version": "1-fp32",
    }
    assert len(identity["base"]) == 64
    assert opened.identity(None)["adapter"] == ""


@pytest.mark.parametrize("family", ["gemma3_text", "llama"])
def test_it_answers_as_native_does_in_fp32(tiny: Get, ask: Ask, family: str) -> None:
    made = tiny(family)
    mine = TransformersEngine(made.folder, context=512)
    native = NativeEngine(made.folder, precision="fp32", context=512, slots=1)
    for engine in (mine, native):
        engine.load_adapter("a", made.adapter("all"))
        engine.load_adapter("d", made.adapter("dora", use_dora=True))
    assert mine.identity("d") | {"engine": "", "version": ""} == native.identity("d") | {"engine": "", "version": ""}
    for name in (None, "a", "d"):
        request = ask("当月の市場は1.2%の上昇となった。", 30, adapter=name)
        assert _text(mine.submit(request)) == _text(native.submit(request))
    for engine in (mine, native):
        engine.close()


def test_stops_and_bounds(opened: TransformersEngine, ask: Ask) -> None:
    whole = _text(opened.submit(ask("円", 40)))
    stop = next(whole[i : i + 2] for i in range(2, len(whole) - 2) if whole.index(whole[i : i + 2]) == i)
    stream = opened.submit(ask("円", 40, stop=("never there", stop)))
    assert _text(stream) == whole[: whole.index(stop)]
    assert stream.finish == "stop"
    with pytest.raises(UsageError, match=r"too long.* context holds 256.*about [\d,]+ characters"):
        opened.submit(ask("あ" * 5000))
    with pytest.raises(UsageError, match="max_tokens"):
        opened.submit(ask("a", 0))
    room = opened.context - len(opened._tokenizer.chat(ask("a" * 200).messages))
    stream = opened.submit(ask("a" * 200, 4000))
    _text(stream)
    assert stream.usage is not None
    assert stream.finish == "length"
    assert stream.usage.completion == room


def test_cancelling_ends_within_a_step(opened: TransformersEngine, ask: Ask) -> None:
    first, second, third = (opened.submit(ask("a", 200)) for _ in range(3))
    second.cancel()
    assert _text(second) == ""
    assert second.finish == "cancelled"
    assert first.finish is None
    first.cancel()
    _text(first)
    assert first.finish == "cancelled"
    assert first.usage is not None
    assert first.usage.completion < 200
    third.cancel()
    _text(third)
    assert _text(opened.submit(ask("b", 3)))


def test_closing_ends_every_answer(gpt2: Path, ask: Ask) -> None:
    engine = TransformersEngine(gpt2)
    streams = [engine.submit(ask("a", 200)) for _ in range(3)]
    next(iter(streams[0]))
    engine.close()
    for stream in streams:
        with pytest.raises(EngineError, match="closed"):
            _text(stream)
    with pytest.raises(EngineError, match="closed"):
        engine.submit(ask("a"))
    engine.close()


def test_a_failed_answer_fails_its_reader_alone(opened: TransformersEngine, ask: Ask) -> None:
    wanted = _text(opened.submit(ask("a", 10)))
    model = opened._writer._model
    forward = model.forward

    def failing(*args: Any, **options: Any) -> Any:
        model.forward = forward
        raise RuntimeError("injected")

    model.forward = failing
    with pytest.raises(EngineError, match="RuntimeError: injected") as caught:
        _text(opened.submit(ask("a", 10)))
    assert caught.value.retryable
    assert _text(opened.submit(ask("a", 10))) == wanted


def test_an_adapter_is_loaded_while_answers_run(
    opened: TransformersEngine, adapters: dict[str, Path], ask: Ask
) -> None:
    running = [opened.submit(ask("a", 100)) for _ in range(2)]
    loading = threading.Thread(target=opened.load_adapter, args=("one", adapters["one"]))
    loading.start()
    texts = [_text(stream) for stream in running]
    loading.join(60)
    assert texts[0] == texts[1] == _text(opened.submit(ask("a", 100)))
    assert _text(opened.submit(ask("a", 100, adapter="one"))) != texts[0]
    with pytest.raises(NotFound, match="one"):
        opened.submit(ask("a", adapter="onee"))


def test_an_adapter_of_another_base_is_refused_and_leaves_nothing(
    opened: TransformersEngine, adapters: dict[str, Path], tiny: Get, tmp_path: Path, ask: Ask
) -> None:
    before = _text(opened.submit(ask("a", 20)))
    with pytest.raises(UsageError, match="no adapter: it has no adapter_config"):
        opened.load_adapter("x", tmp_path)
    with pytest.raises(UsageError, match="does not fit the base"):
        opened.load_adapter("x", tiny("llama").adapter("all"))
    other = Path(shutil.copytree(adapters["one"], tmp_path / "other"))
    config = json.loads((other / "adapter_config.json").read_text())
    for values, what in (({"r": 5}, "does not fit the base"), ({"target_modules": ["c_fc"]}, "lacks|changes")):
        (other / "adapter_config.json").write_text(json.dumps(config | values))
        with pytest.raises(UsageError, match=what):
            opened.load_adapter("x", other)
    (other / "adapter_config.json").write_text(json.dumps(config | {"peft_type": "IA3"}))
    with pytest.raises(UsageError, match="of type 'IA3'"):
        opened.load_adapter("x", other)
    assert opened.adapters() == {}
    assert _text(opened.submit(ask("a", 20))) == before
    opened.load_adapter("one", adapters["one"])
    assert _text(opened.submit(ask("a", 20, adapter="one"))) != before


def test_it_stands_in_for_native_and_says_so(gpt2: Path, tiny: Get, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        engine = open_engine({"engine": "native", "precision": "int8"}, gpt2, context=128, slots=3)
    assert (engine.name, engine.context) == ("transformers", 128)
    engine.close()
    [said] = [record.getMessage() for record in caplog.records if record.name.startswith("tensaku")]
    assert said.startswith("engine: transformers")
    assert "'gpt2' is not known" in said
    engine = open_engine("native", tiny().folder)
    assert engine.name == "native"
    engine.close()
    with pytest.raises(UsageError, match="precision"):
        open_engine({"engine": "native", "precision": "int3"}, gpt2)
    engine = open_engine("transformers", tiny().folder)
    assert engine.name == "transformers"
    engine.close()


def test_what_is_no_model_is_refused(tmp_path: Path, gpt2: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        TransformersEngine(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"this folder is no model: it has no config\.json"):
        open_engine("transformers", tmp_path)
    with pytest.raises(UsageError, match=r"has no tokenizer\.json"):
        open_engine("native", tmp_path)
    with pytest.raises(UsageError, match="a context of 999 tokens does not fit"):
        TransformersEngine(gpt2, context=999)


def test_it_reports_how_busy_it_is(opened: TransformersEngine, ask: Ask) -> None:
    streams = [opened.submit(ask("a", 150)) for _ in range(3)]
    next(iter(streams[0]))
    assert opened.load() == {"running": 1, "waiting": 2, "slots": 1}
    for stream in streams:
        stream.cancel()
        _text(stream)
    for _ in range(100):
        if opened.load()["running"] == 0:
            break
        time.sleep(0.02)
    assert opened.load() == {"running": 0, "waiting": 0, "slots": 1}
