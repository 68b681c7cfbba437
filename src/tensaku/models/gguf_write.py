"""A model folder as one GGUF file, tokenizer and template included, for whatever runs such files.

The tensors are written in fp32, fp16 or 8-bit blocks, or taken over as they are from the quantised file that the model
came from: a trimmed model then has the very numbers of that file, less rows. What was written is read back before it
gets its name, and what GGUF cannot say is refused: a file that is there says the same as the folder.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tensaku.errors import UsageError
from tensaku.models.gguf import describe_gguf, field, open_gguf
from tensaku.models.gguf_layout import ARCHITECTURES, fields_of, gguf_name, row_order
from tensaku.models.gguf_tokenizer import fields_of_tokenizer, same_tokenizer
from tensaku.models.shape import Shape

__all__ = ["NumberFormat", "write_gguf"]

NumberFormat = Literal["F32", "F16", "Q8_0"]
"""Of matrices; vectors are always F32, and so is what does not divide into blocks of 32 F16."""

_WORDS = ("token_embd.weight", "output.weight")
_BLOCK = 32


class _Part(NamedTuple):
    """One tensor as it is written: `kind` is the gguf package's number format."""

    name: str
    data: NDArray[Any]
    kind: Any


def write_gguf(model: Path, path: Path, *, numbers: NumberFormat = "F16", quantised: Path | None = None) -> None:
    """Write the model folder `model` as the GGUF file `path`.

    Args:
        model: a folder in Hugging Face form, of a family that `Shape` knows; trimmed or not.
        path: the file to make. It appears when it is whole.
        numbers: the number format of matrices.
        quantised: a GGUF file of the same model, its vocabulary whole or cut: its tensors are taken over as they are,
            of the embedding the rows of the folder's words. `numbers` then counts for nothing.

    Raises:
        UsageError: it is no model, GGUF cannot say how it works, or `quantised` is of another model.
    """
    shape = Shape.load(model)
    part = path.with_name(f"{path.name}.part")
    try:
        writer, tokenizer = _head(part, model, shape)
        wanted = _folder_parts(model, shape, numbers)
        for found in wanted if quantised is None else _taken_over(quantised, model, shape, tokenizer):
            writer.add_tensor(found.name, found.data, raw_dtype=found.kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        _check(part, shape, tokenizer)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _head(part: Path, model: Path, shape: Shape) -> tuple[Any, dict[str, Any]]:
    """A writer that knows everything but the tensors, and the tokenizer it was told of."""
    from gguf import GGUFWriter

    from tensaku.models.tokenizer import Tokenizer
    from tensaku.models.trim_keep import read_tokenizer

    architecture = next(name for name, family in ARCHITECTURES.items() if family == shape.family)
    tokenizer = read_tokenizer(model / "tokenizer.json")
    spoken = Tokenizer.load(model)
    fields: dict[str, Any] = {f"{architecture}.{name}": value for name, value in fields_of(shape).items()}
    said = fields_of_tokenizer(tokenizer, shape.vocabulary)
    fields |= {f"tokenizer.ggml.{name}": value for name, value in said.items()}
    fields |= {f"tokenizer.ggml.{name}": value for name, value in _marks(model, tokenizer).items()}
    fields["tokenizer.ggml.add_bos_token"] = said["model"] == "llama"
    fields["tokenizer.chat_template"] = spoken.template
    writer = GGUFWriter(part, architecture)
    writer.add_name(model.name)
    for name, value in fields.items():
        _add(writer, name, value)
    return writer, tokenizer


def _add(writer: Any, name: str, value: Any) -> None:
    """One field, of the type that readers expect: whole numbers are uint32, others float32."""
    add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
    (writer.add_array if isinstance(value, list) else add[type(value)])(name, value)


def _marks(model: Path, tokenizer: dict[str, Any]) -> dict[str, int]:
    """The ids of the tokens with a part to play, by GGUF's names for the parts."""
    from tensaku.models.tokenizer import special_tokens

    vocab = {token["content"]: token["id"] for token in tokenizer["added_tokens"]} | tokenizer["model"]["vocab"]
    parts = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}
    named = special_tokens(model)
    return {f"{key}_token_id": vocab[named[part]] for part, key in parts.items() if named.get(part) in vocab}


def _folder_parts(model: Path, shape: Shape, numbers: NumberFormat) -> Iterator[_Part]:
    from gguf import GGMLQuantizationType, quantize

    kinds = {name: GGMLQuantizationType[name] for name in ("F32", "F16", "Q8_0")}
    for name, values in _values(model, shape):
        kind = kinds["F32" if values.ndim == 1 else numbers]
        if kind is kinds["Q8_0"] and values.shape[1] % _BLOCK:
            kind = kinds["F16"]
        yield _Part(name, quantize(values, kind), kind)


def _values(model: Path, shape: Shape) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Every tensor of the folder by GGUF's name, in fp32, its rows in GGUF's order."""
    from tensaku.models.weights import load_tensors

    for name, tensor in load_tensors(model).items():
        if name == "lm_head.weight" and shape.tied:
            continue
        try:
            yield gguf_name(name, shape.family), _as_in_gguf(name, tensor, shape)
        except (KeyError, ValueError):
            raise UsageError(f"GGUF has no name for the tensor {name}", where=model) from None


def _as_in_gguf(name: str, tensor: Tensor, shape: Shape) -> NDArray[np.float32]:
    values: NDArray[np.float32] = tensor.float().numpy()
    order = row_order(name, shape)
    if order is not None:
        values = values[order]
    return values + np.float32(shape.norm_offset) if name.endswith("norm.weight") else values


def _taken_over(quantised: Path, model: Path, shape: Shape, tokenizer: dict[str, Any]) -> Iterator[_Part]:
    """The tensors of another GGUF file of this model, unchanged but for the rows of words that are not kept.

    Raises:
        UsageError: they are not what the folder's weights were made from.
    """
    from gguf import dequantize

    reader = open_gguf(quantised)
    fix = "Name the GGUF file that this model was made from"
    row_of = {token: row for row, token in enumerate(field(reader, "tokenizer.ggml.tokens", []))}
    vocab = {token["content"]: token["id"] for token in tokenizer["added_tokens"]} | tokenizer["model"]["vocab"]
    words = sorted(vocab, key=lambda word: vocab[word])
    theirs = {tensor.name: tensor for tensor in reader.tensors}
    for name, values in _values(model, shape):
        if name not in theirs or not set(words) <= row_of.keys():
            raise UsageError(
                f"this GGUF file is of another model: {name} or some of its words are missing", where=quantised, fix=fix
            )
        data, kind = theirs[name].data, theirs[name].tensor_type
        if name in _WORDS:
            data = data[[row_of[word] for word in words]]
        if not np.allclose(dequantize(data, kind), values, rtol=0, atol=1e-6):  # 1 + w loses the last bits of w
            raise UsageError(
                f"this GGUF file is of another model: {name} holds other numbers", where=quantised, fix=fix
            )
        yield _Part(name, data, kind)


def _check(part: Path, shape: Shape, tokenizer: dict[str, Any]) -> None:
    """Refuse what reads back as another model than was written: GGUF then has no words for it."""
    found = describe_gguf(open_gguf(part))
    assert found is not None  # an architecture and a tokenizer that we wrote
    config, again, _ = found
    other = Shape.from_config(config)
    for name in (one.name for one in dataclasses.fields(Shape)):
        if getattr(shape, name) != getattr(other, name):
            what = (
                f"GGUF cannot say this model's {name}: {getattr(shape, name)} would be read as {getattr(other, name)}"
            )
            raise UsageError(what, where="config.json", fix="Work with the Hugging Face form of this model")
    if not same_tokenizer(tokenizer, again):
        what = "GGUF cannot say this tokenizer: its merges are not those that scores give"
        raise UsageError(what, where="tokenizer.json", fix="Work with the Hugging Face form of this model")
