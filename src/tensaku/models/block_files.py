"""The blocks of a GGUF file beside a base model: `quantised.blocks`, under Hugging Face's names.

The file has the form of safetensors and another ending: vLLM takes every *.safetensors of a folder for weights. Each
matrix is uint8 [rows, bytes a row]; the file's metadata holds, under `blocks`, JSON of its name to
`{"type": ggml's name, "shape": [rows, columns]}`. Norms and biases are not here: they are fp32 in
model.safetensors.
"""

from __future__ import annotations

import json
import mmap
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensaku.errors import UsageError
from tensaku.models.gguf_header import GgufHeader

if TYPE_CHECKING:
    from torch import Tensor

    from tensaku.models.blocks import BlockMatrix

__all__ = ["FILE", "blocks_in", "differing", "is_blocks", "load_blocks", "trim_blocks", "write_blocks"]

FILE = "quantised.blocks"
_EARLIER = "quantised.safetensors"
"""What the file was called in folders made before."""

_FAMILIES = ("gemma3", "llama", "qwen2", "qwen3")  # GGUF's names of what `decoder.py` computes
_MATRICES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_WHOLE = {"token_embd.weight": "model.embed_tokens.weight", "output.weight": "lm_head.weight"}
_AT_ONCE = 1 << 22  # weights compared at a time


def is_blocks(name: str) -> bool:
    """Whether a file of this name (with or without a folder) holds blocks."""
    return name.rpartition("/")[2] in (FILE, _EARLIER)


def blocks_in(folder: Path) -> Path | None:
    """The file of blocks in `folder`, if there is one."""
    return next((folder / name for name in (FILE, _EARLIER) if (folder / name).exists()), None)


def write_blocks(gguf: Path, folder: Path) -> bool:
    """Write `FILE` into `folder` from the GGUF file; returns whether there is one: not for an architecture that the
    decoder does not know, nor for one that has matrices of other names.

    Rows of queries and keys are put back in Hugging Face's order where llama.cpp has changed it.

    Raises:
        UsageError: the file cannot be read.
    """
    import torch

    size = gguf.stat().st_size
    try:
        with gguf.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
            header = GgufHeader.read(raw)
        matrices = header.matrices()
    except (struct.error, ValueError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"this GGUF file cannot be read ({error})", where=gguf) from None
    names = [_name(matrix.name) for matrix in matrices]
    if header.fields.get("general.architecture") not in _FAMILIES or None in names:
        return False
    whole = torch.from_file(str(gguf), shared=False, size=size, dtype=torch.uint8)  # memory-mapped
    held, told = {}, {}
    for name, matrix in zip(names, matrices, strict=True):
        assert name is not None
        if matrix.start + matrix.size > size:
            raise UsageError(f"this GGUF file ends within its tensor {matrix.name}", where=gguf, fix="Fetch it again")
        data = whole[matrix.start : matrix.start + matrix.size].view(matrix.rows, -1)
        held[name] = _in_order(data, name, header.fields)
        told[name] = {"type": matrix.kind, "shape": [matrix.rows, matrix.columns]}
    _save(held, told, folder)
    return True


def _name(name: str) -> str | None:
    if name in _WHOLE:
        return _WHOLE[name]
    block, _, rest = name.partition(".")
    layer, _, part = rest.removesuffix(".weight").partition(".")
    return f"model.layers.{layer}.{_MATRICES[part]}.weight" if block == "blk" and part in _MATRICES else None


def _in_order(data: Tensor, name: str, fields: dict[str, Any]) -> Tensor:
    """llama.cpp's conversion of the Llama family lays the two halves of each query's and key's head side by side, row
    about row; Hugging Face has one half after the other."""
    counts = {"q_proj": "llama.attention.head_count", "k_proj": "llama.attention.head_count_kv"}
    module = name.split(".")[-2]
    if fields["general.architecture"] != "llama" or module not in counts:
        return data
    heads = fields.get(counts[module], fields[counts["q_proj"]])
    return data.view(heads, -1, 2, data.shape[1]).transpose(1, 2).reshape(data.shape)


def trim_blocks(base: Path, folder: Path, keep: list[int], vocabulary: int) -> None:
    """Write `FILE` into `folder` with the `keep` rows of what has one row a word of the `vocabulary`; nothing is
    written where `base` has no blocks."""
    import torch

    path = blocks_in(base)
    if path is None:
        return
    held, told = _open(path)
    rows = torch.tensor(keep)
    for name in _WHOLE.values():
        if name in held and len(held[name]) == vocabulary:
            held[name] = held[name][rows]
            told[name]["shape"][0] = len(keep)
    _save(held, told, folder)


def load_blocks(folder: Path) -> dict[str, BlockMatrix]:
    """Every matrix of the model in `folder` as its blocks, memory-mapped.

    Raises:
        UsageError: the model was not made from a GGUF file, its blocks are damaged, or of a format not known.
    """
    from tensaku.models.blocks import BlockMatrix

    path = blocks_in(folder)
    if path is None:
        fix = 'Set base.model = "gguf:FILE", or tune.method = "lora"'
        raise UsageError("this base model was not made from a GGUF file, so it has no blocks", where=folder, fix=fix)
    held, told = _open(path)
    found = {}
    for name, data in held.items():
        try:
            found[name] = BlockMatrix(data, told[name]["type"], told[name]["shape"][1])
        except UsageError as error:
            raise UsageError(f"{name}: {error.what}", where=path, fix=error.fix) from None
    return found


def differing(folder: Path) -> list[str]:
    """Names of the matrices whose blocks do not stand for exactly what model.safetensors in `folder` holds. One in a
    format that cannot be read is left out."""
    from tensaku.models.blocks import FORMATS, BlockMatrix
    from tensaku.models.weights import load_tensors

    tensors = load_tensors(folder)
    held, told = _open(folder / FILE)
    found = []
    for name, data in held.items():
        if told[name]["type"] in FORMATS:
            matrix = BlockMatrix(data, told[name]["type"], told[name]["shape"][1])
            if name not in tensors or not _equal(matrix, tensors[name]):
                found.append(name)
    return found


def _equal(matrix: BlockMatrix, tensor: Tensor) -> bool:
    import torch

    step = max(1, _AT_ONCE // matrix.columns)
    parts = (slice(at, at + step) for at in range(0, matrix.shape[0], step))
    return matrix.shape == tensor.shape and all(torch.equal(matrix.dequantise(p), tensor[p]) for p in parts)


def _save(held: dict[str, Tensor], told: dict[str, Any], folder: Path) -> None:
    from safetensors.torch import save_file

    save_file(held, folder / FILE, metadata={"blocks": json.dumps(told)})  # one word: several have no fixed order


def _open(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            told = json.loads((file.metadata() or {})["blocks"])
            held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise UsageError(f"the blocks cannot be read ({error})", where=path, fix="Make the base again") from None
    if set(told) != set(held):
        raise UsageError("its metadata names other tensors than it holds", where=path, fix="Make the base again")
    return held, told
