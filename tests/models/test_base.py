"""The stage that brings a base model in: from a folder, a GGUF file, the hub's cache, the demonstration's package."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tensaku.errors import NotFound, StageError, UsageError
from tensaku.models.base import Base, base, source_files
from tensaku.models.tokenizer import Tokenizer
from tensaku.models.weights import Weights
from tensaku.store import Artifact, SilentReporter, Store
from tensaku.store.artifact import sha256_of


def bring(store: Store, model: str, folder: Path | None = None) -> Artifact:
    cfg = Base(model=model)
    return store.run(base, cfg, files=source_files(cfg, folder or Path()))


@pytest.fixture
def store(workspace: Path) -> Store:
    return Store(workspace, SilentReporter())


def test_a_folder_is_copied_and_described(store: Store, gemma: Path) -> None:
    (gemma / "LICENSE.txt").write_text("as you like")
    (gemma / "README.md").write_text("---\nlicense: apache-2.0\ntags: [x]\n---\n# Tiny\n")
    (gemma / "training.log").write_text("not part of a model")
    made = bring(store, f"path:{gemma}")
    assert made.facts["sha256"] == sha256_of(gemma / "model.safetensors")
    assert (made.facts["licence"], made.facts["family"]) == ("apache-2.0", "gemma3_text")
    assert made.facts["vocabulary"] == Weights.load(gemma).shape.vocabulary
    assert made.facts["parameters"] == sum(t.numel() for t in load_file(gemma / "model.safetensors").values())
    assert made.facts["source"] == f"path:{gemma}"
    assert "LICENSE.txt" in made.files
    assert "training.log" not in made.files
    assert torch.equal(Weights.load(made.path).embedding, Weights.load(gemma).embedding)


def test_a_relative_name_starts_at_the_task_file_and_an_unknown_licence_is_said_so(store: Store, gemma: Path) -> None:
    made = bring(store, f"path:{gemma.name}", gemma.parent)
    assert made.facts["licence"] == "not stated"


def test_it_is_made_anew_only_where_its_content_changed(store: Store, gemma: Path) -> None:
    first = bring(store, f"path:{gemma}")
    (gemma / "training.log").write_text("of no weight")
    assert bring(store, f"path:{gemma}").ref == first.ref
    tensors = load_file(gemma / "model.safetensors")
    tensors["model.norm.weight"] += 1
    save_file(tensors, gemma / "model.safetensors")
    assert bring(store, f"path:{gemma}").ref != first.ref


@pytest.mark.parametrize(
    ("model", "what"),
    [
        ("gemma-3-270m", "named in no known way"),
        ("zip:gemma", "named in no known way"),
        ("path:", "named in no known way"),
        ("path:nowhere", "there is no such folder"),
        ("gguf:nowhere.gguf", "there is no such file"),
        ("gguf:.", "there is no such file"),
    ],
)
def test_names_that_lead_nowhere(model: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        source_files(Base(model=model), Path())


def config(folder: Path, **values: Any) -> None:
    found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(found | values), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda f: (f / "config.json").unlink(), r"this folder is no model: it has no config\.json"),
        (lambda f: (f / "tokenizer.json").unlink(), r"has no tokenizer\.json"),
        (lambda f: config(f, model_type="zweig"), "family 'zweig' is not known"),
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), r"no \*\.safetensors.*pickled"),
    ],
)
def test_a_folder_that_is_no_model_is_found_before_any_work(gemma: Path, spoil: Any, what: str) -> None:
    spoil(gemma)
    with pytest.raises(UsageError, match=what):
        source_files(Base(model=f"path:{gemma}"), Path())


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda f: (f / "model.safetensors").write_bytes(b"x" * 99), "the weights cannot be read"),
        (lambda f: config(f, intermediate_size=64), "do not belong together"),
        (lambda f: config(f, num_hidden_layers=4, layer_types=["full_attention"] * 4), "is missing"),
        (lambda f: (f / "tokenizer_config.json").write_text("{}"), "no chat template"),
    ],
)
def test_parts_that_do_not_fit_leave_nothing_sealed(store: Store, gemma: Path, spoil: Any, what: str) -> None:
    spoil(gemma)
    with pytest.raises(UsageError, match=what):
        bring(store, f"path:{gemma}")
    assert store.list() == []


def test_several_files_of_weights(store: Store, gemma: Path) -> None:
    tensors = load_file(gemma / "model.safetensors")
    (gemma / "model.safetensors").unlink()
    index: dict[str, str] = {}
    for n, part in enumerate((list(tensors)[::2], list(tensors)[1::2])):
        save_file({name: tensors[name] for name in part}, gemma / f"part-{n}.safetensors")
        index |= dict.fromkeys(part, f"part-{n}.safetensors")
    (gemma / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    made = bring(store, f"path:{gemma}")
    assert made.facts["parameters"] == sum(t.numel() for t in tensors.values())
    assert made.facts["sha256"] == "+".join(sha256_of(gemma / f"part-{n}.safetensors") for n in (0, 1))
    assert torch.equal(Weights.load(made.path).embedding, tensors["model.embed_tokens.weight"])


def test_the_hub_s_cache_is_used_and_nothing_else(
    store: Store, gemma: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UsageError, match=r"hf:desk/tiny is not in this machine's model cache\. Set base\.download"):
        bring(store, "hf:desk/tiny")
    with pytest.raises(UsageError, match="is no model name"):
        bring(store, "hf:a/b/c")
    held = tmp_path / "cache" / "models--desk--tiny"
    (held / "refs").mkdir(parents=True)
    (held / "refs" / "main").write_text("f" * 40)
    shutil.copytree(gemma, held / "snapshots" / ("f" * 40))
    made = bring(store, "hf:desk/tiny")
    assert made.facts["source"] == "hf:desk/tiny"
    assert made.facts["sha256"] == sha256_of(gemma / "model.safetensors")


def test_the_network_is_asked_only_where_that_is_allowed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    asked: list[bool] = []

    def snapshot(name: str, *, local_files_only: bool, **rest: Any) -> str:
        asked.append(local_files_only)
        raise LocalEntryNotFoundError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(UsageError, match="is not in this machine's model cache"):
        bring(store, "hf:desk/tiny")
    with pytest.raises(StageError, match=r"hf:desk/tiny could not be fetched \(no route to host\)"):
        store.run(base, Base(model="hf:desk/tiny", download=True), files={})
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match="is not in this machine's model cache"):
        store.run(base, Base(model="hf:desk/tiny", download=True), files={})
    assert asked == [True, False, True]


def test_a_gguf_file_of_another_kind(store: Store, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_text("no model at all")
    with pytest.raises(UsageError, match="this is no GGUF file"):
        bring(store, "gguf:x.gguf", tmp_path)
    assert store.list() == []


def test_an_unknown_demonstration_model(store: Store) -> None:
    with pytest.raises(NotFound, match=r"no demo model 'gemma-3-270'.*gemma-3-270m"):
        bring(store, "demo:gemma-3-270")


@pytest.mark.model
@pytest.mark.slow
def test_the_demonstration_model_is_what_transformers_computes(store: Store) -> None:
    """Takes about half a minute: the package is assembled, converted, and both decoders read one sentence."""
    from transformers import AutoModelForCausalLM

    from tensaku.models.decoder import Decoder
    from tensaku.models.products import plain
    from tensaku.tune.attention import PackedAttention
    from tensaku.tune.pack import Example, pack

    made = bring(store, "demo:gemma-3-270m")
    assert made.facts["licence"] == "Gemma Terms of Use"
    assert made.facts["sha256"] == sha256_of(made.file("model.safetensors"))
    assert (made.facts["vocabulary"], made.facts["family"]) == (262_144, "gemma3_text")
    assert any(name.startswith("licence/") for name in made.files)
    weights = Weights.load(made.path)
    ids = [2, *Tokenizer.load(made.path).encode("2026年9月の国内株式市場は、前月末比で1.2%上昇した。")]
    batch = pack([Example(ids[:1], [*ids[1:], 1])], 0)

    def linear(layer: int, part: str, x: torch.Tensor) -> torch.Tensor:
        return x @ weights.linear[layer][part].T

    with torch.inference_mode():
        attend = PackedAttention(weights.shape, batch, plain)
        hidden = Decoder(weights).hidden(batch.ids, batch.positions, linear, attend, rows=batch.scored)
        ours = hidden @ weights.head.T
        model = AutoModelForCausalLM.from_pretrained(made.path, dtype=torch.float32, local_files_only=True)
        theirs = model(torch.tensor([ids])).logits[0]
    assert (ours - theirs).abs().max() < 1e-3
    assert (ours.argmax(-1) == theirs.argmax(-1)).all()
