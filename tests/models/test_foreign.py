"""Models of other families: let in where Transformers computes them by itself, refused in one sentence where not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tensaku.errors import UsageError
from tensaku.models.base import Base, base, source_files
from tensaku.models.foreign import context_of, load_causal, why_foreign
from tensaku.store import Artifact, SilentReporter, Store
from tensaku.testing import tiny_foreign_model


def bring(store: Store, model: Path) -> Artifact:
    cfg = Base(model=f"path:{model}")
    return store.run(base, cfg, files=source_files(cfg, Path()))


@pytest.fixture
def store(workspace: Path) -> Store:
    return Store(workspace, SilentReporter())


@pytest.fixture
def gpt2(tmp_path: Path) -> Path:
    return tiny_foreign_model(tmp_path / "gpt2", "gpt2")


def config(folder: Path, **values: Any) -> None:
    found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(found | values), encoding="utf-8")


def test_a_model_of_another_family_is_let_in(store: Store, gpt2: Path) -> None:
    made = bring(store, gpt2)
    tensors = load_file(gpt2 / "model.safetensors")
    assert {k: made.facts[k] for k in ("family", "core")} == {"family": "gpt2", "core": "transformers"}
    assert made.facts["vocabulary"] == len(tensors["transformer.wte.weight"])
    assert made.facts["parameters"] == sum(t.numel() for t in tensors.values())
    assert why_foreign(made.path) == "the model family 'gpt2' is not known to the decoder"
    assert context_of(made.path) == 256


def test_the_own_families_stay_with_the_own_core(store: Store, gemma: Path) -> None:
    made = bring(store, gemma)
    assert (made.facts["family"], made.facts["core"]) == ("gemma3_text", "own")
    assert why_foreign(gemma) is None
    assert context_of(gemma) == 4096


def test_a_variety_that_the_decoder_does_not_compute_goes_to_transformers(store: Store, llama: Path) -> None:
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    config(llama, rope_scaling=scaling | {"original_max_position_embeddings": 512})
    made = bring(store, llama)
    assert (made.facts["family"], made.facts["core"]) == ("llama", "transformers")
    assert "'llama3'" in str(why_foreign(llama))


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"model_type": "zweig"}, "the model family 'zweig' is not known, neither to the decoder nor to Transformers"),
        ({"model_type": None}, "the model family 'None' is not known"),
        ({"model_type": "t5"}, "'t5' is not known"),
        ({"model_type": "zweig", "auto_map": {"AutoModelForCausalLM": "modeling.Zweig"}}, "such code is never run"),
        ({"quantization_config": {"quant_method": "gptq"}}, "the weights are quantised"),
    ],
)
def test_what_the_configuration_rules_out_is_found_before_any_work(gpt2: Path, values: Any, what: str) -> None:
    config(gpt2, **values)
    with pytest.raises(UsageError, match=what):
        source_files(Base(model=f"path:{gpt2}"), Path())


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"n_layer": 4}, "is missing, or of another size"),
        ({"n_embd": 64}, "is missing, or of another size|cannot load this model"),
        ({"n_embd": 33}, "cannot load this model"),
        ({"n_layer": "many"}, "cannot load this model"),
    ],
)
def test_parts_that_do_not_fit_leave_nothing_sealed(store: Store, gpt2: Path, values: Any, what: str) -> None:
    config(gpt2, **values)
    with pytest.raises(UsageError, match=what):
        bring(store, gpt2)
    assert store.list() == []


def test_a_missing_tensor_is_named(store: Store, gpt2: Path) -> None:
    tensors = load_file(gpt2 / "model.safetensors")
    del tensors["transformer.h.1.mlp.c_fc.bias"]
    save_file(tensors, gpt2 / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match=r"the tensor transformer\.h\.1\.mlp\.c_fc\.bias is missing"):
        bring(store, gpt2)


def test_a_tokenizer_of_more_words_is_refused(store: Store, gpt2: Path) -> None:
    tensors = load_file(gpt2 / "model.safetensors")
    tensors["transformer.wte.weight"] = tensors["transformer.wte.weight"][:300].clone()
    save_file(tensors, gpt2 / "model.safetensors", metadata={"format": "pt"})
    config(gpt2, vocab_size=300)
    with pytest.raises(UsageError, match=r"the tokenizer has \d+ words, the model 300"):
        bring(store, gpt2)


def test_a_model_that_sees_what_is_to_come_is_refused(store: Store, tmp_path: Path) -> None:
    bert = tiny_foreign_model(tmp_path / "bert", "bert")
    with pytest.raises(UsageError, match=r"'bert' .* sees words that are still to come"):
        bring(store, bert)
    config(bert, is_decoder=True)
    assert bring(store, bert).facts["family"] == "bert"


@pytest.mark.parametrize(
    "values",
    [
        {"attn_implementation": "kernels-community/flash-attn"},
        {"_attn_implementation": {"": "somebody/kernel@v1:attend"}},
        {"text_config": {"experts_implementation": "somebody/kernel"}},
    ],
)
def test_a_configuration_that_names_code_to_be_fetched_is_refused(gpt2: Path, values: dict[str, Any]) -> None:
    config(gpt2, **values)
    for look in (lambda: source_files(Base(model=f"path:{gpt2}"), Path()), lambda: load_causal(gpt2)):
        with pytest.raises(UsageError, match="names code to be fetched"):
            look()


def test_it_computes_what_transformers_computes(gpt2: Path) -> None:
    from transformers import GPT2LMHeadModel

    ids = torch.arange(5, 40)[None]
    with torch.no_grad():
        theirs: Any = GPT2LMHeadModel.from_pretrained(gpt2, dtype=torch.float32)
        wanted = theirs.eval()(ids).logits
        assert torch.equal(load_causal(gpt2)(ids).logits, wanted)
