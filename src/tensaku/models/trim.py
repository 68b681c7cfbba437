"""Vocabulary trimming: the tokenizer, the embedding and the settings with the kept words only (`trim_keep.py`).

The embedding of a small multilingual model outweighs its layers (168 of 268 million parameters in Gemma 3 270M), and
most of its rows are words of languages the desk never writes. Kept words get new numbers in their old order; kept text
is tokenised exactly as before; any other text is still written, in smaller pieces or in bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tensaku.errors import UsageError

__all__ = ["ids_in", "renumbered", "trim_tensors", "trim_tokenizer"]


def trim_tokenizer(tokenizer: dict[str, Any], keep: list[int]) -> dict[str, Any]:
    """The tokenizer.json with the kept ids only, renumbered in order; its merges are pairs (`read_tokenizer`).

    Raises:
        UsageError: it puts a token before or after every text that is not kept.
    """
    new_of = {old: new for new, old in enumerate(keep)}
    model = tokenizer["model"]
    vocab = {token: new_of[old] for token, old in model["vocab"].items() if old in new_of}
    merges = [[a, b] for a, b in model["merges"] if a in vocab and b in vocab and a + b in vocab]
    added = [token | {"id": new_of[token["id"]]} for token in tokenizer["added_tokens"] if token["id"] in new_of]
    small = tokenizer | {"added_tokens": added, "model": model | {"vocab": vocab, "merges": merges}}
    if tokenizer.get("post_processor"):
        try:
            small["post_processor"] = _processor(tokenizer["post_processor"], new_of)
        except KeyError as error:
            what = f"this model's vocabulary cannot be cut: its post_processor names the id {error}, which is not there"
            raise UsageError(what, fix='Set trim.keep = "all"') from None
    return small


def _processor(part: dict[str, Any], new_of: Mapping[int, int]) -> dict[str, Any]:
    """What puts tokens around a text, by their new numbers."""
    if part["type"] == "Sequence":
        return part | {"processors": [_processor(one, new_of) for one in part["processors"]]}
    if part["type"] == "TemplateProcessing":
        named = part["special_tokens"]
        return part | {"special_tokens": {n: t | {"ids": [new_of[i] for i in t["ids"]]} for n, t in named.items()}}
    return part | {name: [part[name][0], new_of[part[name][1]]] for name in ("sep", "cls") if name in part}


def trim_tensors(tensors: dict[str, Tensor], keep: list[int], vocabulary: int) -> dict[str, Tensor]:
    """The tensors with only the kept rows of those that have one row a word of the `vocabulary`."""
    rows = torch.tensor(keep)
    words = ("model.embed_tokens.weight", "lm_head.weight", "embed_tokens.weight")
    return {
        name: tensor[rows].contiguous() if name in words and tensor.shape[0] == vocabulary else tensor
        for name, tensor in tensors.items()
    }


def ids_in(settings: Mapping[str, Any]) -> set[int]:
    """The token ids that a model's settings give a part to play: begin, end, padding."""
    found: set[int] = set()
    for name, value in settings.items():
        if name.endswith("_token_id") and value is not None:
            found.update(value if isinstance(value, list) else [value])
    return found


def renumbered(settings: dict[str, Any], new_of: Mapping[int, int]) -> dict[str, Any]:
    """`settings` with every token id, alone or in a list, as it is now; ids that were cut off are left out."""
    found = dict(settings)
    for name, value in settings.items():
        if name.endswith("_token_id") and isinstance(value, int):
            found[name] = new_of.get(value)
        elif name.endswith(("_token_id", "_tokens")) and isinstance(value, list):
            found[name] = [new_of[n] for n in value if n in new_of]
    return found
