"""Vocabulary trimming: keep the tokens that the language and the desk's own text need, drop the rest of the embedding.

The embedding of a small multilingual model outweighs its layers (168 of 268 million parameters in Gemma 3 270M), and
most of its rows are words of languages the desk never writes. What stays: every single character, byte and special
token (so that any string can still be written), every piece of several characters that Shift_JIS can write if it holds
kana or kanji, punctuation of several characters, what the given texts use, and the closure under BPE: each piece that
merging makes on the way to a kept piece. Kept text is then tokenised exactly as before.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tensaku.errors import UsageError

__all__ = ["check_trimmable", "keep_list", "trim_tensors", "trim_tokenizer"]


def check_trimmable(tokenizer: dict[str, Any], where: Path) -> None:
    """Refuse a tokenizer of another kind than Gemma's: BPE over characters, with bytes for those it has not.

    Raises:
        UsageError: it works in another way.
    """
    model = tokenizer.get("model", {})
    if model.get("type") != "BPE" or not model.get("byte_fallback"):
        what = "this model's vocabulary cannot be cut: its tokenizer is not BPE over characters with byte fallback"
        raise UsageError(what, where=where, fix='Set trim.keep = "all"')
    if not all(isinstance(merge, list) for merge in model["merges"]):  # an older way to write the file
        model["merges"] = [merge if isinstance(merge, list) else merge.split(" ") for merge in model["merges"]]


def keep_list(tokenizer: dict[str, Any], texts: Iterable[str]) -> list[int]:
    """Ids to keep, ascending, for Japanese plus whatever `texts` use. `tokenizer` is a parsed tokenizer.json."""
    vocab: dict[str, int] = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    vocab |= tokenizer["model"]["vocab"]
    special = {token["content"] for token in tokenizer["added_tokens"]}
    kept = {token for token in vocab if _by_rule(token) or (token in special and not token.startswith("<unused"))}
    kept |= _used(tokenizer, texts)
    kept |= _closure(kept, tokenizer["model"]["merges"])
    return sorted(vocab[token] for token in kept)


def _by_rule(token: str) -> bool:
    if len(token) == 1 or (len(token) == 6 and token.startswith("<0x")):
        return True
    if any("\u3040" <= c <= "\u30ff" or "\u4e00" <= c <= "\u9fff" for c in token):
        return _writable(token)
    return not any(c.isalnum() for c in token)


def _writable(token: str) -> bool:
    """Whether Shift_JIS as Windows has it can write the piece: leaves out simplified Chinese."""
    try:
        token.replace("▁", " ").encode("cp932")
    except UnicodeEncodeError:
        return False
    return True


def _used(tokenizer: dict[str, Any], texts: Iterable[str]) -> set[str]:
    import json

    from tokenizers import Tokenizer

    core = Tokenizer.from_str(json.dumps(tokenizer))
    used: set[str] = set()
    for text in texts:
        used.update(core.encode(text, add_special_tokens=False).tokens)
    return used


def _closure(kept: set[str], merges: list[list[str]]) -> set[str]:
    """Every piece that BPE makes on the way to a kept piece."""
    rank = {(a, b): n for n, (a, b) in enumerate(merges)}
    never = len(rank)
    found: set[str] = set()
    for token in kept:
        pieces = list(token)
        while len(pieces) > 1:
            best, at = min((rank.get((pieces[i], pieces[i + 1]), never), i) for i in range(len(pieces) - 1))
            if best == never:
                break
            pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
            found.add(pieces[at])
    return found


def trim_tokenizer(tokenizer: dict[str, Any], keep: list[int]) -> dict[str, Any]:
    """The tokenizer with the kept ids only, renumbered in order."""
    new_of = {old: new for new, old in enumerate(keep)}
    model = tokenizer["model"]
    vocab = {token: new_of[old] for token, old in model["vocab"].items() if old in new_of}
    merges = [[a, b] for a, b in model["merges"] if a in vocab and b in vocab and a + b in vocab]
    added = [token | {"id": new_of[token["id"]]} for token in tokenizer["added_tokens"] if token["id"] in new_of]
    small = tokenizer | {"added_tokens": added, "model": model | {"vocab": vocab, "merges": merges}}
    if small.get("post_processor"):
        small["post_processor"] = None  # it names ids as they were; the chat template says what stands where
    return small


def trim_tensors(tensors: dict[str, Tensor], keep: list[int], vocabulary: int) -> dict[str, Tensor]:
    """The tensors with only the kept rows of those that have one row a word of the `vocabulary`."""
    rows = torch.tensor(keep)
    words = ("model.embed_tokens.weight", "lm_head.weight")
    return {
        name: tensor[rows].contiguous() if name in words and tensor.shape[0] == vocabulary else tensor
        for name, tensor in tensors.items()
    }
