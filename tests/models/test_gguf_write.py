"""What is written as GGUF is read back as the same model: numbers, words, settings; what GGUF cannot say is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer as Core

from tensaku.errors import UsageError
from tensaku.models import gguf
from tensaku.models.gguf_tokenizer import same_tokenizer
from tensaku.models.gguf_write import write_gguf
from tensaku.models.shape import Shape
from tensaku.models.tokenizer import Tokenizer
from tensaku.models.trim import trim_tensors, trim_tokenizer
from tensaku.models.trim_keep import keep_list, read_tokenizer
from tensaku.models.weights import Weights, load_tensors
from tensaku.testing import tiny_model

TEXTS = ["2026年9月の国内株式市場は、前月末比で1.2%上昇した。", "a b  c\n\n𠮷 <eos> 12345 don't", ""]


def change(path: Path, **values: Any) -> None:
    found = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


def gemma_like(folder: Path) -> Path:
    """The tiny Gemma as GGUF can say it, with words of several characters."""
    made = tiny_model(folder)
    change(made / "config.json", layer_types=["sliding_attention"] * 3)
    path = made / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    vocab = content["model"]["vocab"]
    words = {"上昇": ("上", "昇"), "市場": ("市", "場"), "株式": ("株", "式"), "株式市場": ("株式", "市場")}
    for word in words:
        vocab[word] = len(vocab)
    content["model"]["merges"] = [list(pair) for pair in words.values()]
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    widen(made, len(vocab))
    return made


def over_bytes(folder: Path, cuts: Any = None, **values: Any) -> Path:
    """The tiny Llama (or another `model_type`) with a vocabulary over bytes, padded to a round number of rows."""
    from tokenizers import decoders, models, pre_tokenizers, trainers

    made = tiny_model(folder, family="llama")
    core = Core(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<pad>", "<eos>", "<bos>"],
        show_progress=False,
    )
    core.train_from_iterator(TEXTS * 5 + ["the market don't the market"] * 5, trainer)
    content = json.loads(core.to_str())
    if cuts is not None:
        content["pre_tokenizer"] = cuts
    content["model"]["ignore_merges"] = values.pop("ignore_merges", False)
    (made / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    change(made / "config.json", **values)
    widen(made, 336)
    return made


def widen(folder: Path, rows: int) -> None:
    tensors, random = load_file(folder / "model.safetensors"), torch.Generator().manual_seed(5)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        if name in tensors:
            tensors[name] = torch.randn(rows, 32, generator=random) * 0.2
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    change(folder / "config.json", vocab_size=rows)


def again(path: Path, folder: Path) -> Path:
    """The GGUF file as a folder."""
    found = gguf.read(path)
    assert found is not None
    folder.mkdir()
    gguf.write_model(folder, found)
    return folder


def same(one: Path, other: Path) -> None:
    """The same shape, tensors and words, and the same ids for any text."""
    assert Shape.load(one) == Shape.load(other)
    ours, theirs = load_tensors(one), load_tensors(other)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        if name.endswith("norm.weight"):  # 1 + w loses the last bits of w
            assert torch.allclose(tensor, theirs[name], atol=1e-6, rtol=0), name
        else:
            assert torch.equal(tensor, theirs[name]), name
    assert same_tokenizer(*(read_tokenizer(folder / "tokenizer.json") for folder in (one, other)))
    before, after = Tokenizer.load(one), Tokenizer.load(other)
    assert before.eos == after.eos
    assert before.template == after.template
    for text in TEXTS:
        assert before.encode(text) == after.encode(text)
        assert before.decode(after.encode(text)) == after.decode(before.encode(text))


def test_gemma_comes_back(tmp_path: Path) -> None:
    model = gemma_like(tmp_path / "model")
    write_gguf(model, tmp_path / "model.gguf", numbers="F32")
    same(model, again(tmp_path / "model.gguf", tmp_path / "again"))
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_a_trimmed_model_comes_back(tmp_path: Path) -> None:
    model = gemma_like(tmp_path / "model")
    tokenizer = read_tokenizer(model / "tokenizer.json")
    keep = [n for n in keep_list(tokenizer, "en", ["株式"]) if n != tokenizer["model"]["vocab"]["%"]]
    assert len(keep) == len(tokenizer["model"]["vocab"]) - 4
    (model / "tokenizer.json").write_text(json.dumps(trim_tokenizer(tokenizer, keep)), encoding="utf-8")
    tensors = trim_tensors(load_file(model / "model.safetensors"), keep, len(tokenizer["model"]["vocab"]))
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    change(model / "config.json", vocab_size=len(keep))
    write_gguf(model, tmp_path / "small.gguf", numbers="F32")
    same(model, again(tmp_path / "small.gguf", tmp_path / "again"))


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
DIGITS = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL]}


@pytest.mark.parametrize(("family", "cuts"), [("llama", None), ("llama", DIGITS), ("qwen3", DIGITS)])
def test_models_over_bytes_come_back(tmp_path: Path, family: str, cuts: Any) -> None:
    model = over_bytes(tmp_path / "model", cuts, model_type=family)
    if family == "qwen3":
        tensors = load_file(model / "model.safetensors")
        for layer, part in ((n, p) for n in range(3) for p in "qk"):
            tensors[f"model.layers.{layer}.self_attn.{part}_norm.weight"] = torch.ones(8) + layer
        save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    write_gguf(model, tmp_path / "model.gguf", numbers="F32")
    same(model, again(tmp_path / "model.gguf", tmp_path / "again"))


def test_llama_3_s_way_to_cut_comes_back(tmp_path: Path) -> None:
    """Up to three digits a word, and whole words that skip the merging."""
    letters = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
    split: dict[str, Any] = {"type": "Split", "pattern": {"Regex": letters + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}}
    split |= {"behavior": "Isolated", "invert": False}
    cuts = {"type": "Sequence", "pretokenizers": [split, BYTE_LEVEL | {"use_regex": False}]}
    model = over_bytes(tmp_path / "model", cuts, ignore_merges=True)
    write_gguf(model, tmp_path / "model.gguf", numbers="F32")
    same(model, again(tmp_path / "model.gguf", tmp_path / "again"))
    made = json.loads((tmp_path / "again" / "tokenizer.json").read_text(encoding="utf-8"))
    assert made["model"]["ignore_merges"]
    assert made["pre_tokenizer"] == cuts


def test_llama_s_rows_stand_as_llama_cpp_turns_them(tmp_path: Path) -> None:
    """Neighbouring rows of a head in the file are a half apart in the folder."""
    from gguf import GGUFReader

    model = over_bytes(tmp_path / "model")
    write_gguf(model, tmp_path / "model.gguf", numbers="F32")
    ours = load_tensors(model)["model.layers.0.self_attn.q_proj.weight"].numpy()
    theirs = {tensor.name: tensor.data for tensor in GGUFReader(tmp_path / "model.gguf").tensors}["blk.0.attn_q.weight"]
    assert (theirs[0] == ours[0]).all()
    assert (theirs[1] == ours[4]).all()
    assert (theirs[8 + 2] == ours[8 + 1]).all()


@pytest.mark.parametrize(("numbers", "within"), [("F16", 2**-11), ("Q8_0", 1 / 127)])
def test_fewer_bits(tmp_path: Path, numbers: Literal["F16", "Q8_0"], within: float) -> None:
    model = gemma_like(tmp_path / "model")
    write_gguf(model, tmp_path / "model.gguf", numbers=numbers)
    ours, theirs = load_tensors(model), load_tensors(again(tmp_path / "model.gguf", tmp_path / "again"))
    for name, tensor in ours.items():
        assert (theirs[name] - tensor).abs().max() <= within * tensor.abs().max() + 1e-6, name
    assert not torch.equal(theirs["model.embed_tokens.weight"], ours["model.embed_tokens.weight"])
    assert torch.allclose(theirs["model.norm.weight"], ours["model.norm.weight"], atol=1e-6)


def test_a_quantised_file_is_taken_over_less_the_rows_that_went(tmp_path: Path) -> None:
    from gguf import GGUFReader

    whole = gemma_like(tmp_path / "whole")
    write_gguf(whole, tmp_path / "whole.gguf", numbers="Q8_0")
    small = again(tmp_path / "whole.gguf", tmp_path / "small")
    tokenizer, tensors = read_tokenizer(small / "tokenizer.json"), load_file(small / "model.safetensors")
    keep = keep_list(tokenizer, "en", ["株式"])
    (small / "tokenizer.json").write_text(json.dumps(trim_tokenizer(tokenizer, keep)), encoding="utf-8")
    cut = trim_tensors(tensors, keep, len(tokenizer["model"]["vocab"]))
    save_file(cut, small / "model.safetensors", metadata={"format": "pt"})
    change(small / "config.json", vocab_size=len(keep))
    write_gguf(small, tmp_path / "small.gguf", quantised=tmp_path / "whole.gguf")
    before, after = ({t.name: t for t in GGUFReader(tmp_path / f"{n}.gguf").tensors} for n in ("whole", "small"))
    assert before.keys() == after.keys()
    for name, tensor in after.items():
        rows = keep if name == "token_embd.weight" else slice(None)
        assert tensor.tensor_type == before[name].tensor_type
        assert np.array_equal(tensor.data, before[name].data[rows]), name
    same(small, again(tmp_path / "small.gguf", tmp_path / "again"))
    cut["model.layers.1.mlp.up_proj.weight"][0, 0] += 0.01
    save_file(cut, small / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        UsageError, match=r"of another model: blk\.1\.ffn_up\.weight holds other numbers.*was made from"
    ):
        write_gguf(small, tmp_path / "other.gguf", quantised=tmp_path / "whole.gguf")
    with pytest.raises(UsageError, match="this is no GGUF file"):
        write_gguf(small, tmp_path / "other.gguf", quantised=small / "config.json")
    with pytest.raises(UsageError, match=r"of another model: .* or some of its words"):
        write_gguf(over_bytes(tmp_path / "llama"), tmp_path / "other.gguf", quantised=tmp_path / "whole.gguf")
    assert sorted(path.name for path in tmp_path.glob("*gguf*")) == ["small.gguf", "whole.gguf"]


def test_marks_that_end_a_turn(tmp_path: Path) -> None:
    """As a template says it, so it is when the file is read back, for every reader."""
    model = over_bytes(tmp_path / "model")
    content = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    number = max(content["model"]["vocab"].values()) + 1
    content["added_tokens"].append(content["added_tokens"][0] | {"id": number, "content": "<|im_end|>"})
    (model / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    change(
        model / "tokenizer_config.json", chat_template="{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}"
    )
    (model / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, number]}), encoding="utf-8")
    write_gguf(model, tmp_path / "model.gguf")
    assert Tokenizer.load(again(tmp_path / "model.gguf", tmp_path / "again")).eos == {1, number}


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (
            lambda m: change(
                m / "config.json", layer_types=["sliding_attention", "full_attention", "sliding_attention"]
            ),
            r"GGUF cannot say this model's windows: \(12, 0, 12\) would be read as \(12, 12, 12\)",
        ),
        (lambda m: change(m / "config.json", query_pre_attn_scalar=64), "cannot say this model's attention_scale"),
        (lambda m: change(m / "tokenizer.json", normalizer=None), "no name for this tokenizer's normalizer"),
        (lambda m: change(m / "config.json", model_type="mamba"), "family 'mamba' is not known"),
        (lambda m: (m / "model.safetensors").write_bytes(b"x"), "the weights cannot be read"),
    ],
)
def test_what_gguf_cannot_say_leaves_nothing_behind(tmp_path: Path, spoil: Any, what: str) -> None:
    model = gemma_like(tmp_path / "model")
    spoil(model)
    with pytest.raises(UsageError, match=what):
        write_gguf(model, tmp_path / "model.gguf")
    assert list(tmp_path.glob("*.gguf*")) == []


def test_merges_that_scores_cannot_say(tmp_path: Path) -> None:
    model = gemma_like(tmp_path / "model")
    content = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    content["model"]["merges"] = [pair for pair in content["model"]["merges"] if pair != ["上", "昇"]]
    (model / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UsageError, match="its merges are not those that scores give"):
        write_gguf(model, tmp_path / "model.gguf")


def test_a_way_to_cut_that_has_no_name(tmp_path: Path) -> None:
    cuts = {"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}, BYTE_LEVEL]}
    model = over_bytes(tmp_path / "model", cuts)
    with pytest.raises(UsageError, match=r"no name for this tokenizer's pre_tokenizer.*Hugging Face form"):
        write_gguf(model, tmp_path / "model.gguf")


def test_a_tensor_that_gguf_has_no_name_for(tmp_path: Path) -> None:
    model = gemma_like(tmp_path / "model")
    tensors = load_file(model / "model.safetensors") | {"model.layers.0.mlp.router.weight": torch.ones(2, 2)}
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    Weights.load(model)
    with pytest.raises(UsageError, match=r"GGUF has no name for the tensor model\.layers\.0\.mlp\.router\.weight"):
        write_gguf(model, tmp_path / "model.gguf")
