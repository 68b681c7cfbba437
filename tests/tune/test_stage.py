"""The stage `tune` through a store: what it leaves, what it sets aside, and that a kill changes nothing."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tensaku.config import Section
from tensaku.errors import UsageError
from tensaku.machine import peak_memory_mb
from tensaku.models.base import Base, base, source_files
from tensaku.models.decoder import Decoder
from tensaku.models.tokenizer import Tokenizer
from tensaku.models.weights import Weights
from tensaku.records import Pair, to_dict
from tensaku.store import Artifact, Bench, SilentReporter, SourceFile, Store, stage
from tensaku.testing import tiny_model, tiny_pairs
from tensaku.tune import Tune, tune

INSTRUCTION = "公表文に直してください。\n"


class Given(Section):
    """Pairs as they are."""

    rows: tuple[dict[str, str], ...]


@stage(version=1)
def lessons(bench: Bench, cfg: Given) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in cfg.rows)
    (bench.path / "lessons.jsonl").write_text("".join(lines), encoding="utf-8")


def given(store: Store, model: Path, pairs: list[Pair]) -> dict[str, Any]:
    cfg = Base(model=f"path:{model}")
    (store.root.parent / "instruction.md").write_text(INSTRUCTION, encoding="utf-8")
    return {
        "base": store.run(base, cfg, files=source_files(cfg, Path())),
        "lessons": store.run(lessons, Given(rows=tuple(to_dict(pair) for pair in pairs))),
        "instruction": SourceFile(store.root.parent / "instruction.md"),
    }


@pytest.fixture
def store(workspace: Path) -> Store:
    return Store(workspace, SilentReporter())


def test_what_it_says_and_leaves(store: Store, gemma: Path) -> None:
    made = store.run(tune, Tune(epochs=2, rank=4, learning_rate=0.01), **given(store, gemma, tiny_pairs(12)))
    facts = made.facts
    assert (facts["lessons"], facts["steps"], facts["too_long"]) == (12, 6, [])
    assert facts["trainable_parameters"] == 3 * 4 * (3 * 32 + 64 + 32 + 32 + 2 * 32 + 2 * 48 + 48 + 32)
    assert facts["last_loss"] < facts["first_loss"]
    for name in ("tune_seconds", "tokens_per_second", "peak_memory_mb", "matrix_gflops"):
        assert facts[name] > 0, name
    adapter = ["adapter/adapter_config.json", "adapter/adapter_model.safetensors"]
    assert made.files == [*adapter, "drops.jsonl", "loss.jsonl", "report.html", "usage.jsonl"]
    rows = [json.loads(line) for line in made.file("loss.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[0]["loss"] == facts["first_loss"]


def test_a_sealed_run_tells_the_plan_how_long_its_lessons_were(
    store: Store, gemma: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensaku.plan import runs
    from tensaku.tune import loop

    seen: list[Any] = []
    train = loop.train

    def spy(*args: Any, **more: Any) -> Any:
        seen.extend(args[1])
        return train(*args, **more)

    monkeypatch.setattr(loop, "train", spy)
    ballast = torch.zeros(300 << 18)  # what was held before a training is none of its own
    held = ballast.numel() * 4 >> 20
    del ballast
    before = peak_memory_mb()
    made = store.run(tune, Tune(epochs=2, rank=4, batch=4), **given(store, gemma, tiny_pairs(12)))
    facts, prefix = made.facts, made.facts["prefix_tokens"]
    assert all(lesson.prompt[:prefix] == seen[0].prompt[:prefix] for lesson in seen)
    own = [len(lesson.prompt) + len(lesson.completion) - 1 - prefix for lesson in seen]
    assert facts["lesson_tokens"] == pytest.approx(sum(own) / 12)  # two whole passes over twelve
    assert facts["scored_tokens"] == pytest.approx(sum(len(lesson.completion) for lesson in seen) / 12)
    rows = [json.loads(line)["tokens"] for line in made.file("loss.jsonl").read_text().splitlines()]
    assert facts["largest_step"][0] == max(rows) - prefix
    assert facts["peak_memory_mb"] < before - held / 2

    [run] = runs.sealed_runs(store.root)
    assert (run.name, run.kind, run.peak_mb) == (made.ref, "tune", facts["peak_memory_mb"])
    assert run.seconds == facts["tune_seconds"] / 6


def test_the_words_taught_are_the_words_served(store: Store, gemma: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prompt and answer of a lesson, decoded, are what `revise` asks and a writer reads, to the end token."""
    from tensaku.revise import messages
    from tensaku.tune import loop

    seen: list[Any] = []
    train = loop.train

    def spy(*args: Any, **more: Any) -> Any:
        seen.extend(args[1])
        return train(*args, **more)

    monkeypatch.setattr(loop, "train", spy)
    pairs = [
        replace(p, draft="市場は<eos>上昇。", final=f"市場は{n}上昇しました。<eos>")
        for n, p in enumerate(tiny_pairs(2))
    ]
    store.run(tune, Tune(epochs=1), **given(store, gemma, pairs))
    tokenizer, pair = Tokenizer.load(gemma), pairs[0]
    asked = messages(INSTRUCTION, pair.draft, fund=pair.fund, section=pair.section, as_of=pair.as_of)
    example = seen[0]
    assert example.prompt == tokenizer.chat(asked)
    assert example.completion[-1] in tokenizer.eos
    assert not set(example.completion[:-1]) & tokenizer.eos
    assert tokenizer.decode(example.completion).replace("\u200b", "") == pair.final


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_peft_computes_what_was_taught(store: Store, gemma: Path, layers: int) -> None:
    import peft
    from transformers import AutoModelForCausalLM

    from tensaku.engines.native.cache import Held
    from tensaku.engines.native.engine import NativeEngine
    from tensaku.engines.native.model import Work

    made = store.run(
        tune, Tune(epochs=3, rank=4, learning_rate=0.02, layers=layers), **given(store, gemma, tiny_pairs(12))
    )
    config = json.loads(made.file("adapter/adapter_config.json").read_text())
    assert config.get("layers_to_transform") == {0: None, 1: [2], 2: [1, 2]}[layers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain: Any = AutoModelForCausalLM.from_pretrained(gemma, dtype=torch.float32)
        model: Any = peft.PeftModel.from_pretrained(plain, made.path / "adapter")
    adapted = {int(n.split(".layers.")[1].split(".")[0]) for n, _ in model.named_parameters() if "lora_A" in n}
    assert adapted == set(range(3 - layers if layers else 0, 3))
    ids = Tokenizer.load(gemma).encode("当月の市場は1.2パーセントの上昇となった。")
    with torch.no_grad():
        theirs = model(torch.tensor([ids])).logits[0]
        with model.disable_adapter():
            untaught = model(torch.tensor([ids])).logits[0]
    engine = NativeEngine(gemma, precision="fp32", slots=1)
    try:
        engine.load_adapter("taught", made.path / "adapter")
        place = Held("", engine._model.context)
        ours = engine._model.logits([Work(place, engine._adapters["taught"], ids, len(ids))])
    finally:
        engine.close()
    assert ours is not None
    assert (ours - theirs).abs().max() < 1e-3
    assert (theirs - untaught).abs().max() > 0.05  # so that agreeing means something


def test_lessons_too_long_are_set_aside_and_named(store: Store, gemma: Path) -> None:
    pairs = tiny_pairs(4)
    pairs[1] = replace(pairs[1], draft=pairs[1].draft * 20)
    pairs[3] = replace(pairs[3], final=pairs[3].final * 20)
    made = store.run(tune, Tune(epochs=1, context=512), **given(store, gemma, pairs))
    assert made.facts["too_long"] == [pairs[1].id, pairs[3].id]
    assert made.facts["lessons"] == 2
    drops = [json.loads(line) for line in made.file("drops.jsonl").read_text().splitlines()]
    assert [drop["row"]["id"] for drop in drops] == [pairs[1].id, pairs[3].id]
    assert "the context holds 512" in drops[0]["detail"]


def test_the_model_s_own_context_counts(store: Store, gemma: Path, tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "short" / "model")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 400}))
    pairs = tiny_pairs(3)
    pairs[1] = replace(pairs[1], draft=pairs[1].draft * 4)
    made = store.run(tune, Tune(epochs=1, context=2048), **given(store, model, pairs))
    assert made.facts["too_long"] == [pairs[1].id]


def test_a_line_separator_inside_a_text_is_no_end_of_line(store: Store, gemma: Path) -> None:
    pairs = [replace(pair, draft=pair.draft + "\u2028次。\x85") for pair in tiny_pairs(2)]
    assert store.run(tune, Tune(epochs=1), **given(store, gemma, pairs)).facts["lessons"] == 2


def test_nothing_to_learn_from(store: Store, gemma: Path) -> None:
    with pytest.raises(UsageError, match="there are no lessons to learn from"):
        store.run(tune, Tune(), **given(store, gemma, []))
    with pytest.raises(UsageError, match=r"every lesson is longer than 64 tokens.*raise tune\.context"):
        store.run(tune, Tune(context=64), **given(store, gemma, tiny_pairs(3)))
    with pytest.raises(UsageError, match="there is only one lesson"):
        store.run(tune, Tune(), **given(store, gemma, tiny_pairs(1)))
    same = [replace(pair, final="同じ。") for pair in tiny_pairs(3)]
    with pytest.raises(UsageError, match=r"all 3 lessons have the same answer.*columns"):
        store.run(tune, Tune(), **given(store, gemma, same))
    assert store.list("tune") == []


def files(made: Artifact) -> tuple[bytes, ...]:
    return tuple(made.file(f"adapter/{n}").read_bytes() for n in ("adapter_config.json", "adapter_model.safetensors"))


def test_the_checkpoint_is_of_no_use_once_it_is_sealed(store: Store, gemma: Path) -> None:
    store.run(tune, Tune(epochs=1), **given(store, gemma, tiny_pairs(4)))
    assert list((store.root / "scratch").iterdir()) == []


def test_two_seeds_teach_differently_and_one_the_same(tmp_path: Path, gemma: Path) -> None:
    made = []
    for root, seed in (("a", 1), ("b", 1), ("c", 2)):
        store = Store(tmp_path / root, SilentReporter())
        made.append(store.run(tune, Tune(epochs=1, seed=seed), **given(store, gemma, tiny_pairs(8))))
    assert files(made[0]) == files(made[1])
    assert files(made[0])[1] != files(made[2])[1]
    assert Decoder(Weights.load(gemma)).context == 4096
