"""Where a model's anatomy is read from: a config.json, the header of a safetensors or GGUF file, or a built-in name.

No weight is read. Where a file's header is there, its tensors count, not those that the configuration leads to expect.
"""

from __future__ import annotations

import json
import mmap
import re
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tensaku.errors import NotFound, UsageError
from tensaku.models.folder import weight_files
from tensaku.plan.anatomy import Anatomy, Piece, anatomy_from
from tensaku.plan.tables import table

__all__ = ["BITS", "built_in", "describe", "header", "names"]

BITS = {
    "F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16, "U16": 16,
    "F8_E4M3": 8, "F8_E5M2": 8, "I8": 8, "U8": 8, "BOOL": 8,
}  # fmt: skip
"""Bits of a number of each type that a safetensors header may name."""
_MOST_CONFIG = 1 << 26
"""Bytes above which a file is no configuration."""
_MOST_HEADER = 100_000_000
"""Bytes: what the format allows a header to have."""


def names() -> list[str]:
    """The built-in models."""
    return list(table("shapes")["models"])


def built_in(name: str) -> Anatomy:
    """A model of the built-in table.

    Raises:
        NotFound: there is none of that name.
    """
    models = table("shapes")["models"]
    if name not in models:
        raise NotFound("built-in model", name, models)
    row = models[name]
    source = f"{row['source']} (read {table('shapes')['checked']})"
    return anatomy_from(row["config"], name=name, source=source, note=row.get("note", ""))


def describe(model: str) -> Anatomy:
    """The anatomy of `model`: a built-in name, a config.json, a model folder, a .safetensors or a .gguf file.

    Raises:
        UsageError: there is nothing of that name, it cannot be read, or its architecture is not known here.
    """
    path = Path(model).expanduser()
    if not path.exists():
        looks_like_path = "/" in model or path.suffix in (".json", ".gguf", ".safetensors")
        if not looks_like_path:
            return built_in(model.lower())
        fix = "Name a config.json, a model folder, a .safetensors or .gguf file, or one of tensaku plan --list models"
        raise UsageError("there is no such file", where=model, fix=fix)
    if path.is_dir():
        return _folder(path)
    if path.suffix == ".gguf":
        return _gguf(path)
    if path.suffix == ".safetensors":
        return _safetensors(path)
    return _config(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:  # of a device there is no end
            raw = file.read(_MOST_CONFIG + 1)
        if len(raw) > _MOST_CONFIG:
            raise ValueError(f"more than {_MOST_CONFIG >> 20} MB")
        config = json.loads(raw.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"it cannot be read ({error})", where=path) from None
    if not isinstance(config, dict):
        raise UsageError("it holds no JSON object", where=path)
    return config


def _config(path: Path) -> Anatomy:
    return anatomy_from(_read(path), name=path.parent.name or path.name, source=str(path), where=path)


def _folder(path: Path) -> Anatomy:
    config = path / "config.json"
    if not config.is_file():
        fix = "Name a folder with a config.json, or the file itself"
        raise UsageError("this folder is no model: it has no config.json", where=path, fix=fix)
    expected = anatomy_from(_read(config), name=path.resolve().name, source=str(config), where=config)
    files = _weight_files(path)
    return _held(expected, files, path) if files else expected


def _weight_files(path: Path) -> list[Path]:
    """The weights beside a config.json: those its index names, else the one file; none is no fault here."""
    files = weight_files(path)
    missing = [file.name for file in files if not file.is_file()]
    if not missing:
        return files
    index = path / "model.safetensors.index.json"
    if index.is_file():
        raise UsageError(f"it names {missing[0]}, which is not there", where=index, fix="Complete the download")
    return []


def _safetensors(path: Path) -> Anatomy:
    config = path.parent / "config.json"
    if not config.is_file():
        what = "a safetensors header names sizes, not what they are for, and there is no config.json beside it"
        raise UsageError(what, where=path, fix="Put the model's config.json into the same folder")
    expected = anatomy_from(_read(config), name=path.parent.resolve().name, source=str(config), where=config)
    return _held(expected, _weight_files(path.parent) or [path], path.parent)


def _held(expected: Anatomy, files: list[Path], folder: Path) -> Anatomy:
    """`expected`, with the tensors that the headers of `files` list."""
    found: dict[str, tuple[tuple[int, ...], float]] = {}
    for file in files:
        found |= header(file)
    return replace(_with(expected, found, folder), source=f"{expected.source} and the headers of {len(files)} files")


def header(path: Path) -> dict[str, tuple[tuple[int, ...], float]]:
    """Sizes and bits of the tensors of a safetensors file, from its header alone (the format's own description:
    eight bytes of length, then JSON).

    Raises:
        UsageError: it is no such file.
    """
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            if size > _MOST_HEADER:
                raise ValueError(f"a header of {size} bytes")
            told = json.loads(file.read(size))
            rows = {name: row for name, row in told.items() if name != "__metadata__"}
            return {name: (_size(row["shape"]), BITS[row["dtype"]]) for name, row in rows.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error, RecursionError) as error:
        raise UsageError(f"this is no safetensors file ({error!r})", where=path) from None


def _size(numbers: Any) -> tuple[int, ...]:
    size = tuple(int(number) for number in numbers)
    if any(number < 0 for number in size):
        raise ValueError("a negative size")
    return size


def _with(expected: Anatomy, found: Mapping[str, tuple[tuple[int, ...], float]], where: Path) -> Anatomy:
    """The tensors that are there, each in the part that its name has in the family.

    A tied head that the file holds too is left out, as every loader does. Quantised files hold other tensors than their
    family's and are refused.
    """
    known = {_bare(piece.name): piece for piece in expected.pieces}
    pieces: list[Piece] = []
    for name, (size, bits) in found.items():
        piece = known.pop(_bare(name), None)
        if piece is None:
            if _ignored(name, expected):
                continue
            what = f"the file holds a tensor {name} of size {list(size)}, which {expected.family} has not"
            fix = (
                "Quantised checkpoints are read as GGUF only; name the config.json alone to plan the unquantised model"
            )
            raise UsageError(what, where=where, fix=fix)
        if size != piece.size:
            what = f"the tensor {name} is {list(size)}, the configuration says {list(piece.size)}"
            raise UsageError(what, where=where, fix="config.json and weights do not belong together")
        pieces.append(piece._replace(name=name, bits=float(bits)))
    missing = [piece.name for piece in known.values() if piece.part != "vision"]
    if missing:
        raise UsageError(f"the tensor {missing[0]} is missing", where=where, fix="The weights are incomplete")
    return replace(expected, pieces=tuple(pieces))


def _bare(name: str) -> str:
    """A tensor's name without what wraps the model differently from class to class."""
    return re.sub(r"^(?:(?:language_model|model|transformer|bert|vision_model)\.)+", "", name).replace(
        "vision_model.", ""
    )


def _ignored(name: str, expected: Anatomy) -> bool:
    """Buffers that old checkpoints carry, and heads that are another tensor again or belong to another task."""
    buffer = name.endswith((".inv_freq", ".position_ids", ".attn.bias", ".attn.masked_bias"))
    return buffer or (expected.tied and _bare(name) == "lm_head.weight") or name.startswith("cls.")


def _gguf(path: Path) -> Anatomy:
    from tensaku.models.gguf_header import GgufHeader
    from tensaku.models.gguf_layout import ARCHITECTURES, config_from, hf_name

    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
            read = GgufHeader.read(raw)
    except (struct.error, ValueError, KeyError, OSError) as error:
        raise UsageError(f"this is no GGUF file ({error})", where=path) from None
    architecture = str(read.fields.get("general.architecture"))
    if architecture not in ARCHITECTURES:
        what = f"the architecture {architecture!r} of this GGUF file is not known to the planner, and it does not guess"
        raise UsageError(what, where=path, fix=f"Known: {', '.join(ARCHITECTURES)}")
    try:
        sizes = {name: tuple(reversed(size)) for name, size, _, _ in read.tensors}
        tied = "output.weight" not in sizes
        family, rows = ARCHITECTURES[architecture], sizes["token_embd.weight"][0]
        config = config_from(lambda key: read.fields.get(f"{architecture}.{key}"), family, rows, tied)
        expected = anatomy_from(config, name=path.stem, source=str(path), where=path)
        left_out = ("rope_freqs.weight",)
        bits = _gguf_bits(read)
        found = {hf_name(n, family): (size, bits[n]) for n, size in sizes.items() if n not in left_out}
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"this GGUF file is not as those of {architecture} are ({error!r})", where=path) from None
    return replace(_with(expected, found, path), source=f"the header of {path}")


def _gguf_bits(read: Any) -> dict[str, float]:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    found = {}
    for name, _, number, _ in read.tensors:
        length, size = GGML_QUANT_SIZES[GGMLQuantizationType(number)]
        found[name] = 8 * size / length
    return found
