"""A small GGUF file of Gemma 3's architecture, written by the gguf package, read back to the last number."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from tokenizers import Tokenizer as Core

from tensaku.errors import UsageError
from tensaku.models.gguf import CHAT_TEMPLATE, GgufModel, read
from tensaku.models.shape import Shape
from tensaku.models.weights import Weights
from tensaku.testing import tiny_model

NORMAL, CONTROL, USER, BYTE = 1, 3, 4, 6
SINGLE = "▁株式市場上昇したの。、ab"
WORDS = ("した", "市場", "株式", "式市", "株式市場", "上昇", "▁の", "▁▁", "ab")  # 式市 rivals 株式 and 市場
SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>")
TOKENS = [*SPECIAL, "<turn>", *(f"<0x{n:02X}>" for n in range(256)), *SINGLE, *WORDS]
KINDS = [CONTROL] * 4 + [USER] + [BYTE] * 256 + [NORMAL] * (len(SINGLE) + len(WORDS))
SCORES = [0.0] * (5 + 256) + [-1000.0 - n for n in range(len(SINGLE))] + [-1.0 - n for n in range(len(WORDS))]
NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    """The tiny model's tensors, with one embedding row for each of our words."""
    found = load_file(tiny_model(folder) / "model.safetensors")
    rows = torch.Generator().manual_seed(9)
    found["model.embed_tokens.weight"] = torch.randn(len(TOKENS), 32, generator=rows)
    return found


def gguf_name(name: str) -> str:
    name = name.removesuffix(".weight")
    if name in NAMES:
        return f"{NAMES[name]}.weight"
    _, _, layer, part = name.split(".", 3)
    return f"blk.{layer}.{NAMES[part]}.weight"


def write(
    path: Path, tensors: dict[str, torch.Tensor], *, architecture: str = "gemma3", prefix: bool = False, **keys: Any
) -> Path:
    writer: Any = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(3)
    writer.add_context_length(512)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(48)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_key_length(8)
    writer.add_value_length(8)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_sliding_window(12)
    for name, value in keys.items():
        writer.add_string(name, value) if isinstance(value, str) else writer.add_float32(name, value)
    writer.add_tokenizer_model("llama")
    writer.add_add_space_prefix(prefix)
    for part, number in (("bos", 2), ("eos", 1), ("pad", 0), ("unk", 3)):
        getattr(writer, f"add_{part}_token_id")(number)
    writer.add_token_list(TOKENS)
    writer.add_token_scores(SCORES)
    writer.add_token_types(KINDS)
    for name, tensor in tensors.items():
        values = tensor.numpy() + (1.0 if "norm" in name else 0.0)  # GGUF holds 1 + w
        if name.endswith("embed_tokens.weight"):
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(gguf_name(name), gguf.quantize(values.astype(np.float32), kind), raw_dtype=kind)
        else:
            writer.add_tensor(gguf_name(name), values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def gemma(path: Path) -> GgufModel:
    found = read(path)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    folder = tmp_path_factory.mktemp("gguf")
    tensors = tensors_of(folder / "tiny")
    return write(folder / "tiny.gguf", tensors), tensors


def test_the_configuration_is_the_file_s(source: tuple[Path, dict[str, torch.Tensor]]) -> None:
    config = gemma(source[0]).config
    shape = Shape.from_config(config)
    assert (shape.layers, shape.hidden, shape.heads, shape.kv_heads, shape.head_dim) == (3, 32, 4, 2, 8)
    assert (shape.intermediate, shape.vocabulary, shape.context, shape.eps) == (48, len(TOKENS), 512, 1e-6)
    assert shape.windows == (12, 12, 12)
    assert shape.attention_scale == pytest.approx(8**-0.5)
    assert shape.tied


def test_every_tensor_comes_back(source: tuple[Path, dict[str, torch.Tensor]]) -> None:
    config, found, _, _ = gemma(source[0])
    assert found.keys() == source[1].keys()
    for name, tensor in source[1].items():
        if name == "model.embed_tokens.weight":
            step = tensor.abs().amax(1) / 127  # of the 8 bits it was written with
            assert ((found[name] - tensor).abs().amax(1) <= step).all()
        else:
            assert torch.allclose(found[name], tensor, atol=1e-6), name
    Weights.from_tensors(Shape.from_config(config), found)


def test_the_larger_models_scale_positions(tmp_path: Path, source: tuple[Path, dict[str, torch.Tensor]]) -> None:
    keys: dict[str, Any] = {"gemma3.rope.scaling.type": "linear", "gemma3.rope.scaling.factor": 8.0}
    config = gemma(write(tmp_path / "scaled.gguf", source[1], **keys)).config
    config["layer_types"] = ["sliding_attention", "sliding_attention", "full_attention"]
    assert Shape.from_config(config).rope_scales == (1.0, 1.0, 8.0)


@pytest.fixture(scope="module")
def core(source: tuple[Path, dict[str, torch.Tensor]]) -> Core:
    return Core.from_str(json.dumps(gemma(source[0]).tokenizer))


def by_score(text: str) -> list[int]:
    """Sentencepiece's BPE by its definition: the best-scored neighbours join, the leftmost first, until none can."""
    scores = {token: SCORES[n] for n, token in enumerate(TOKENS) if KINDS[n] == NORMAL}
    pieces = list(text.replace(" ", "▁"))
    while True:
        pairs = [(scores[a + b], -n) for n, (a, b) in enumerate(itertools.pairwise(pieces)) if a + b in scores]
        if not pairs:
            break
        at = -max(pairs)[1]
        pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
    ids: list[int] = []
    for piece in pieces:
        ids += [TOKENS.index(piece)] if piece in TOKENS else [TOKENS.index(f"<0x{b:02X}>") for b in piece.encode()]
    return ids


@given(st.text(alphabet="株式市場 の", max_size=24) | st.text(alphabet="株式市場上昇したの。 ab𠮷x", max_size=24))
def test_words_are_cut_by_score(core: Core, text: str) -> None:
    ids = core.encode(text, add_special_tokens=False).ids
    assert ids == by_score(text)
    assert core.decode(ids) == text


def test_special_words_are_known(core: Core) -> None:
    ids = core.encode("<bos>株式<turn><eos>", add_special_tokens=False).ids
    assert ids == [2, TOKENS.index("株式"), 4, 1]
    added = core.get_added_tokens_decoder()
    assert {n for n, token in added.items() if token.special} == {0, 1, 2, 3}
    assert not added[4].special
    assert core.encode("<0x41>", add_special_tokens=False).tokens != ["<0x41>"]  # a byte is no word to be written


def test_what_is_no_gemma_3(tmp_path: Path, source: tuple[Path, dict[str, torch.Tensor]]) -> None:
    (tmp_path / "text.gguf").write_text("これは GGUF ではない" * 20)
    (tmp_path / "empty.gguf").touch()
    raw = source[0].read_bytes()
    (tmp_path / "cut.gguf").write_bytes(raw[: len(raw) // 2])
    for name in ("text", "empty", "cut", "missing"):
        with pytest.raises(UsageError, match=r"this is no GGUF file") as caught:
            read(tmp_path / f"{name}.gguf")
        assert caught.value.where == str(tmp_path / f"{name}.gguf")


def test_what_only_transformers_may_know(tmp_path: Path, source: tuple[Path, dict[str, torch.Tensor]]) -> None:
    """An architecture that our decoder has not, and sentencepiece with a space put before the text."""
    assert read(write(tmp_path / "phi3.gguf", source[1], architecture="phi3")) is None
    assert read(write(tmp_path / "prefix.gguf", source[1], prefix=True)) is None


def test_settings(source: tuple[Path, dict[str, torch.Tensor]]) -> None:
    found = gemma(source[0])
    assert [found.config[f"{part}_token_id"] for part in ("bos", "eos", "pad")] == [2, 1, 0]
    assert [found.settings[f"{part}_token"] for part in ("bos", "eos", "pad", "unk")] == [
        "<bos>",
        "<eos>",
        "<pad>",
        "<unk>",
    ]
    assert found.settings["chat_template"] == CHAT_TEMPLATE  # the file has none


def test_a_tensor_that_gemma_3_has_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NAMES, "mlp.up_proj", "ffn_up_exps")
    path = write(tmp_path / "experts.gguf", tensors_of(tmp_path / "tiny"))
    with pytest.raises(UsageError, match=r"not as those of gemma3 are .*ffn_up_exps"):
        read(path)
