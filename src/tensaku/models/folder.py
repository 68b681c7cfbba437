"""What every model folder in the store is checked for, and described by, before it is sealed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tensaku.errors import UsageError
from tensaku.models.shape import Shape, UnknownFamily

__all__ = ["check_family", "describe", "weight_files", "write_json"]


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that the model in `folder` should have: those its index names, else the one.

    Raises:
        UsageError: the index is damaged.
    """
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return [folder / "model.safetensors"]
    try:
        return sorted(
            {folder / str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
        )
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        fix = "Copy the file from the model again"
        raise UsageError(f"the index of the weights is damaged ({error!r})", where=index, fix=fix) from None


def check_family(folder: Path) -> bool:
    """Whether the decoder computes the model in `folder`; what it does not, Transformers must know.

    Raises:
        UsageError: neither does, or the folder is no model.
    """
    try:
        Shape.load(folder)
    except UnknownFamily:
        from tensaku.models.foreign import check_known

        check_known(folder)
        return False
    return True


def describe(folder: Path, source: str) -> dict[str, Any]:
    """Check that what stands in the folder is a model, and say what it is.

    Of a family of the decoder's own nothing is computed; any other is loaded and reads eight words.

    Returns:
        `sha256` of the weights (joined by + where they are several files), `family`, `vocabulary`, `parameters`, and
        `core`: "own", or "transformers" where only Transformers computes it.

    Raises:
        UsageError: a part is missing or damaged, or the parts do not belong together; `source` is named as the place.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    from tensaku.models.block_files import is_blocks
    from tensaku.models.fingerprint import weights_hash
    from tensaku.models.tokenizer import Tokenizer
    from tensaku.models.weights import Weights

    own = check_family(folder)
    Tokenizer.load(folder)
    tensors: dict[str, torch.Tensor] = {}
    for path in sorted(p for p in folder.glob("*.safetensors") if not is_blocks(p.name)):
        try:
            with safe_open(path, framework="pt") as held:
                for name in held.keys():  # noqa: SIM118 - not a dictionary
                    tensors[name] = torch.empty(held.get_slice(name).get_shape(), device="meta")
        except SafetensorError as error:
            raise UsageError(f"the weights cannot be read ({error})", where=path) from None
    if not own:
        from tensaku.models import foreign

        return {"sha256": weights_hash(folder), "core": "transformers", **foreign.describe(folder)._asdict()}
    shape = Shape.load(folder)
    Weights.from_tensors(shape, tensors, where=source)  # names and sizes only
    parameters = sum(tensor.numel() for tensor in tensors.values())
    return {
        "sha256": weights_hash(folder),
        "core": "own",
        "family": shape.family,
        "vocabulary": shape.vocabulary,
        "parameters": parameters,
    }


def write_json(path: Path, content: Any, indent: int | None = 2) -> None:
    """Write one JSON file of a model folder."""
    path.write_text(json.dumps(content, ensure_ascii=False, indent=indent) + "\n", encoding="utf-8")
