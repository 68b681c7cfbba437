"""The blocks beside a base model are the file's own, and stand for exactly the weights beside them."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tensaku.errors import UsageError
from tensaku.models.base import Base, Trim, base, source_files, trim
from tensaku.models.block_files import FILE, differing, load_blocks, trim_blocks, write_blocks
from tensaku.store import Artifact, SourceFile
from tensaku.store.artifact import sha256_of
from tensaku.testing import CHARACTERS, tiny_pairs

SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>"]
LATIN = ["t", "h", "th"]  # of no use to a Japanese desk; before what is, so that numbers change
TOKENS = [*SPECIAL, *(f"<0x{n:02X}>" for n in range(256)), *LATIN, *dict.fromkeys(CHARACTERS), "市場"]
MATRICES = {"attn_q": (32, 32), "attn_k": (16, 32), "attn_v": (16, 32), "attn_output": (32, 32)}
MATRICES |= {"ffn_gate": (64, 32), "ffn_up": (64, 32), "ffn_down": (32, 64)}
NORMS = {"attn_norm": 32, "ffn_norm": 32}
OF_GEMMA = {"attn_q_norm": 8, "attn_k_norm": 8, "post_attention_norm": 32, "post_ffw_norm": 32}
KINDS = ("Q5_0", "Q8_0", "Q4_1", "F16")
TEMPLATE = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}\n\n{% endfor %}"


def tensors_of(architecture: str) -> list[tuple[str, Any, str]]:
    """Name, raw data and type of every tensor of a model of two layers, as such a file has them."""
    random = np.random.default_rng(5)
    norms = NORMS | (OF_GEMMA if architecture == "gemma3" else {})
    sizes: dict[str, tuple[int, ...]] = {"token_embd": (len(TOKENS), 32), "output_norm": (32,)}
    for layer in range(2):
        sizes |= {f"blk.{layer}.{name}": size for name, size in MATRICES.items()}
        sizes |= {f"blk.{layer}.{name}": (size,) for name, size in norms.items()}
    if architecture == "llama":
        sizes["output"] = (len(TOKENS), 32)
    found = []
    for n, (name, size) in enumerate(sizes.items()):
        kind = "F32" if len(size) == 1 else KINDS[n % len(KINDS)]
        values = (random.standard_normal(size) * 0.2).astype(np.float32)
        found.append((f"{name}.weight", gguf.quantize(values, gguf.GGMLQuantizationType[kind]), kind))
    return found


def write(path: Path, architecture: str = "gemma3", tensors: list[tuple[str, Any, str]] | None = None) -> Path:
    writer: Any = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(2)
    writer.add_context_length(512)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_key_length(8)
    writer.add_value_length(8)
    writer.add_rope_dimension_count(8)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_sliding_window(12)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(TOKENS)
    writer.add_token_scores([0.0] * 260 + [-1.0 - n for n in range(len(TOKENS) - 260)])
    writer.add_token_types([3] * 4 + [6] * 256 + [1] * (len(TOKENS) - 260))
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_chat_template(TEMPLATE)
    for name, data, kind in tensors or tensors_of(architecture):
        writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def bring(shop: Any, model: str) -> Artifact:
    cfg = Base(model=model)
    made: Artifact = shop.store.run(base, cfg, files=source_files(cfg, Path()))
    return made


def whole(tensors: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, tensor in tensors.items() if tensor.dim() == 2}


def check(folder: Path) -> None:
    """Every matrix, tensor by tensor, to the last bit."""
    tensors, blocks = load_file(folder / "model.safetensors"), load_blocks(folder)
    assert set(blocks) == whole(tensors)
    for name, matrix in blocks.items():
        assert torch.equal(matrix.dequantise(), tensors[name]), name
    assert differing(folder) == []


@pytest.mark.parametrize("architecture", ["gemma3", "llama"])
def test_a_base_from_gguf_keeps_the_file_s_blocks(shop: Any, tmp_path: Path, architecture: str) -> None:
    made = bring(shop, f"gguf:{write(tmp_path / 'tiny.gguf', architecture)}")
    check(made.path)
    blocks = load_blocks(made.path)
    assert {matrix.kind for matrix in blocks.values()} == set(KINDS)
    raw = {name: np.asarray(data).view(np.uint8) for name, data, _ in tensors_of(architecture)}
    held = load_file(made.path / FILE)
    assert np.array_equal(held["model.embed_tokens.weight"].numpy(), raw["token_embd.weight"])
    assert np.array_equal(held["model.layers.1.mlp.down_proj.weight"].numpy(), raw["blk.1.ffn_down.weight"])
    q = raw["blk.1.attn_q.weight"]
    if architecture == "llama":  # four heads of eight rows: 0 4 1 5 2 6 3 7 in the file
        order = [8 * head + at for head in range(4) for at in (0, 2, 4, 6, 1, 3, 5, 7)]
        assert np.array_equal(held["model.layers.1.self_attn.q_proj.weight"].numpy(), q[order])
    else:
        assert np.array_equal(held["model.layers.1.self_attn.q_proj.weight"].numpy(), q)
    assert made.facts["sha256"] == sha256_of(made.file("model.safetensors"))  # not of both
    assert made.facts["parameters"] == sum(t.numel() for t in load_file(made.path / "model.safetensors").values())


def test_trimming_keeps_the_rows_of_the_words_that_stay(shop: Any, tmp_path: Path) -> None:
    made = bring(shop, f"gguf:{write(tmp_path / 'tiny.gguf')}")
    (tmp_path / "instruction.md").write_text("公表文に直してください。", encoding="utf-8")
    given = {"lessons": shop.lessons(tiny_pairs(4)), "instruction": SourceFile(tmp_path / "instruction.md")}
    small = shop.store.run(trim, Trim(), base=made, **given)
    assert small.facts["vocabulary"] == len(TOKENS) - 1
    check(small.path)
    before, after = (load_file(a.path / FILE) for a in (made, small))
    at = TOKENS.index("th")
    assert torch.equal(after["model.embed_tokens.weight"][at:], before["model.embed_tokens.weight"][at + 1 :])


def test_a_head_of_its_own_is_trimmed_too(shop: Any, tmp_path: Path) -> None:
    made = bring(shop, f"gguf:{write(tmp_path / 'tiny.gguf', 'llama')}")
    (tmp_path / "small").mkdir()
    trim_blocks(made.path, tmp_path / "small", [1, 5, 9], len(TOKENS))
    before, after = load_blocks(made.path), load_blocks(tmp_path / "small")
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        assert after[name].shape == (3, 32)
        assert torch.equal(after[name].dequantise(), before[name].dequantise(torch.tensor([1, 5, 9])))
    assert after["model.layers.0.mlp.up_proj.weight"].shape == (64, 32)


def test_a_base_from_elsewhere_has_none_even_if_some_lie_beside_it(shop: Any, gemma: Path, tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1, 34, dtype=torch.uint8)}, gemma / FILE, metadata={"blocks": "{}"})
    made = bring(shop, f"path:{gemma}")
    assert FILE not in made.files
    with pytest.raises(UsageError, match="was not made from a GGUF file"):
        load_blocks(made.path)
    trim_blocks(made.path, tmp_path, [0], 1)
    assert not (tmp_path / FILE).exists()


def test_blocks_that_stand_for_other_numbers_are_left_out(
    shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensaku.models import block_files

    monkeypatch.setitem(block_files._MATRICES, "ffn_up", "mlp.gate_proj")
    monkeypatch.setitem(block_files._MATRICES, "ffn_gate", "mlp.up_proj")
    made = bring(shop, f"gguf:{write(tmp_path / 'tiny.gguf')}")
    assert FILE not in made.files
    assert made.facts["blocks_left_out"] == "model.layers.0.mlp.gate_proj.weight is not what the conversion made of it"


def test_a_format_that_cannot_be_read_is_kept_and_named_when_it_is_needed(shop: Any, tmp_path: Path) -> None:
    tensors = tensors_of("gemma3")
    values = np.random.default_rng(1).standard_normal((32, 64)).astype(np.float32)
    raw = np.zeros((32, 64 // 32 * 18), dtype=np.uint8)
    raw[:, ::18] = values[:, :2].astype(np.float16).view(np.uint8)[:, ::2]
    tensors = [(n, raw, "IQ4_NL") if n == "blk.1.ffn_down.weight" else (n, d, k) for n, d, k in tensors]
    made = bring(shop, f"gguf:{write(tmp_path / 'tiny.gguf', tensors=tensors)}")
    with pytest.raises(UsageError, match=r"layers\.1\.mlp\.down_proj\.weight: blocks of the format IQ4_NL cannot be"):
        load_blocks(made.path)


def test_what_the_decoder_does_not_know_has_no_blocks(tmp_path: Path) -> None:
    assert not write_blocks(write(tmp_path / "other.gguf", "mamba"), tmp_path)
    more = [*tensors_of("gemma3"), ("blk.0.ffn_gate_inp.weight", np.zeros((4, 32), np.float32), "F32")]
    assert not write_blocks(write(tmp_path / "experts.gguf", tensors=more), tmp_path)
    assert not (tmp_path / FILE).exists()


def _version(raw: bytes) -> bytes:
    return raw[:4] + struct.pack("<I", 1) + raw[8:]


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda raw: b"GGML" + raw[4:], "no little-endian GGUF"),
        (_version, "no little-endian GGUF"),
        (lambda raw: raw[:300], "this GGUF file cannot be read"),
        (lambda raw: raw[:-4000], "this GGUF file ends within its tensor"),
        (lambda raw: b"", "this GGUF file cannot be read"),
    ],
)
def test_a_damaged_gguf_file(tmp_path: Path, spoil: Callable[[bytes], bytes], what: str) -> None:
    path = write(tmp_path / "tiny.gguf")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UsageError, match=what):
        write_blocks(path, tmp_path)
    assert not (tmp_path / FILE).exists()


def test_damaged_blocks(tmp_path: Path) -> None:
    write_blocks(write(tmp_path / "tiny.gguf"), tmp_path)
    raw = (tmp_path / FILE).read_bytes()
    held = {name: t.clone() for name, t in load_file(tmp_path / FILE).items()}  # the file itself is mapped
    (tmp_path / FILE).write_bytes(raw[: len(raw) // 2])
    with pytest.raises(UsageError, match="the blocks cannot be read"):
        load_blocks(tmp_path)
    save_file(held, tmp_path / FILE)
    with pytest.raises(UsageError, match="the blocks cannot be read"):
        load_blocks(tmp_path)
    save_file(held, tmp_path / FILE, metadata={"blocks": json.dumps({"x": {}})})
    with pytest.raises(UsageError, match="names other tensors"):
        load_blocks(tmp_path)


@pytest.mark.model
@pytest.mark.slow
def test_the_demonstration_model_before_and_after_trimming(shop: Any, tmp_path: Path) -> None:
    """Takes a minute: 268 million weights are converted, trimmed and compared twice."""
    made = bring(shop, "demo:gemma-3-270m")
    check(made.path)
    assert {m.kind for m in load_blocks(made.path).values()} == {"Q4_K", "Q5_0", "Q6_K", "Q8_0"}
    (tmp_path / "instruction.md").write_text("公表文に直してください。", encoding="utf-8")
    given = {"lessons": shop.lessons(tiny_pairs(4)), "instruction": SourceFile(tmp_path / "instruction.md")}
    small = shop.store.run(trim, Trim(), base=made, **given)
    assert small.facts["vocabulary"] < made.facts["vocabulary"]
    check(small.path)
