"""From a GGUF file into a Hugging Face folder: weights dequantised to fp32, vocabulary, merges, template.

For the families that `shape.FAMILIES` knows, with the tokenizers of `gguf_tokenizer.py`. Transformers can do this too,
in two minutes, and cuts digits otherwise than SmolLM2 was taught to; read directly it takes seconds. Anything else goes
through Transformers (see `base.py`). `gguf_write.py` is the way back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tensaku.errors import UsageError
from tensaku.models.gguf_layout import ARCHITECTURES, config_from, hf_name, row_order
from tensaku.models.gguf_tokenizer import tokenizer_from
from tensaku.models.shape import Shape

__all__ = ["CHAT_TEMPLATE", "GgufModel", "describe_gguf", "open_gguf", "read", "write_model"]

#: The template we give a base model that has none. Turns are plain words, since a base model has never seen markers;
#: an answer ends with the end-of-text token, which it has.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ message['content'] }}{{ eos_token }}"
    "{% else %}{{ message['content'] }}\n\n{% endif %}{% endfor %}"
)

_TURN_ENDS = ("<end_of_turn>", "<|im_end|>", "<|eot_id|>")
"""What ends an answer where the template says it, beside the end-of-text token."""


class GgufModel(NamedTuple):
    """A model read from a GGUF file: what stands in the files of a Hugging Face folder, parsed."""

    config: dict[str, Any]
    tensors: dict[str, Tensor]
    tokenizer: dict[str, Any]
    settings: dict[str, Any]
    """tokenizer_config.json."""


def open_gguf(path: Path) -> Any:
    """The gguf package's reader on `path`, memory-mapped.

    Raises:
        UsageError: it is no GGUF file.
    """
    from gguf import GGUFReader

    try:
        return GGUFReader(path)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise UsageError(f"this is no GGUF file ({error})", where=path) from None


def read(path: Path) -> GgufModel | None:
    """The model in a GGUF file; None where its architecture or its tokenizer is not known here.

    Raises:
        UsageError: it is no GGUF file, or not as files of its architecture are.
    """
    reader = open_gguf(path)
    try:
        found = describe_gguf(reader)
        if found is None:
            return None
        config, tokenizer, settings = found
        return GgufModel(config, dict(_tensors(reader, Shape.from_config(config))), tokenizer, settings)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        architecture = field(reader, "general.architecture")
        raise UsageError(f"this GGUF file is not as those of {architecture} are ({error!r})", where=path) from None


def field(reader: Any, name: str, default: Any = None) -> Any:
    """One value of a GGUF file."""
    found = reader.get_field(name)
    return default if found is None else found.contents()


def describe_gguf(reader: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]] | None:
    """Everything but the tensors: `config.json`, `tokenizer.json`, `tokenizer_config.json`; None as for `read`."""
    architecture = field(reader, "general.architecture")
    if architecture not in ARCHITECTURES:
        return None
    tokenizer = tokenizer_from(lambda name: field(reader, f"tokenizer.ggml.{name}"))
    if tokenizer is None:
        return None
    tokens = field(reader, "tokenizer.ggml.tokens")
    tied = all(tensor.name != "output.weight" for tensor in reader.tensors)
    family = ARCHITECTURES[architecture]
    config = config_from(lambda name: field(reader, f"{architecture}.{name}"), family, len(tokens), tied)
    settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast"}
    for part, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"), ("unk", "unknown")):
        number = field(reader, f"tokenizer.ggml.{key}_token_id")
        if number is not None:
            config[f"{part}_token_id"] = int(number)
            settings[f"{part}_token"] = tokens[number]
    config.pop("unk_token_id", None)
    settings["chat_template"] = field(reader, "tokenizer.chat_template") or CHAT_TEMPLATE
    settings["clean_up_tokenization_spaces"] = False
    _ends(config, tokenizer, settings["chat_template"])
    return config, tokenizer, settings


def _ends(config: dict[str, Any], tokenizer: dict[str, Any], template: str) -> None:
    """Let the marks with which the template ends a turn end an answer too."""
    special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    ends = [config["eos_token_id"]] if "eos_token_id" in config else []
    ends += [special[mark] for mark in _TURN_ENDS if mark in template and mark in special]
    ends = list(dict.fromkeys(ends))
    if len(ends) > 1:
        config["eos_token_id"] = ends


def _tensors(reader: Any, shape: Shape) -> Iterator[tuple[str, Tensor]]:
    from gguf import dequantize

    for tensor in reader.tensors:
        values = np.array(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        name = hf_name(tensor.name, shape.family)
        order = row_order(name, shape)
        if order is not None:
            back = np.empty_like(values)
            back[order] = values
            values = back
        found = torch.from_numpy(values)
        yield name, found - shape.norm_offset if name.endswith("norm.weight") else found


def write_model(folder: Path, model: GgufModel) -> None:
    """Write the model as a Hugging Face folder."""
    from safetensors.torch import save_file

    from tensaku.models.folder import write_json

    write_json(folder / "config.json", model.config)
    (folder / "tokenizer.json").write_text(json.dumps(model.tokenizer, ensure_ascii=False), encoding="utf-8")
    write_json(folder / "tokenizer_config.json", model.settings)
    if isinstance(model.config.get("eos_token_id"), list):  # where every reader looks for several of them
        named = {name: model.config[name] for name in ("bos_token_id", "eos_token_id") if name in model.config}
        write_json(folder / "generation_config.json", named)
    save_file(model.tensors, folder / "model.safetensors", metadata={"format": "pt"})
