"""A tokenizer as GGUF says it, and as `tokenizer.json` says it; each from the other.

Two kinds are known. "llama": sentencepiece's BPE, where the pair merges whose joined piece has the best score; without
a space put before the text. "gpt2": BPE over bytes with a list of merges and a named way to cut text into words first.
Names and values: the GGUF specification; the ways to cut: those that llama.cpp knows by these names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tensaku.errors import UsageError

__all__ = ["fields_of_tokenizer", "same_tokenizer", "tokenizer_from"]

NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
"""The kinds of token that GGUF knows."""

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}


def _byte_level(use_regex: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def _split(digits: str) -> dict[str, Any]:
    pattern = {"Regex": _WORDS.replace("DIGITS", digits)}
    return {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}


#: The name of a way to cut -> (how tokenizer.json says it, its normalizer, whether whole words skip the merging).
_CUTS: dict[str, tuple[list[dict[str, Any]], dict[str, Any] | None, bool]] = {
    "gpt-2": ([_byte_level(True)], None, False),
    "smollm": ([{"type": "Digits", "individual_digits": True}, _byte_level(True)], None, False),
    "llama-bpe": ([_split("{1,3}"), _byte_level(False)], None, True),
    "qwen2": ([_split(""), _byte_level(False)], {"type": "NFC"}, False),
}


def tokenizer_from(get: Callable[[str], Any]) -> dict[str, Any] | None:
    """The `tokenizer.json` for `get(name)`, a field below `tokenizer.ggml.`; None: of a kind that is not known here."""
    tokens: list[str] = get("tokens")
    kinds: list[int] = get("token_type") or [NORMAL] * len(tokens)
    vocab = {token: i for i, token in enumerate(tokens) if kinds[i] != UNUSED}
    added = [
        {"id": i, "content": token, "special": kinds[i] == CONTROL, "single_word": False, "lstrip": False}
        | {"rstrip": False, "normalized": False}
        for i, token in enumerate(tokens)
        if kinds[i] in (CONTROL, USER)
    ]
    frame = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "post_processor": None}
    if get("model") == "llama" and get("add_space_prefix") is False:
        skip = {token for i, token in enumerate(tokens) if kinds[i] in (CONTROL, USER, BYTE, UNUSED)}
        return frame | _pieces(vocab, _merges(vocab, get("scores"), skip))
    if get("model") == "gpt2" and get("pre") in _CUTS:
        return frame | _bytes(vocab, [merge.split(" ") for merge in get("merges")], *_CUTS[get("pre")])
    return None


def _model(vocab: dict[str, int], merges: list[list[str]], unk: str | None, **how: bool) -> dict[str, Any]:
    fixed = {"type": "BPE", "dropout": None, "continuing_subword_prefix": None, "end_of_word_suffix": None}
    fixed["unk_token"] = unk
    return fixed | how | {"vocab": vocab, "merges": merges}


def _pieces(vocab: dict[str, int], merges: list[list[str]]) -> dict[str, Any]:
    cut = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    back = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    return {
        "normalizer": _REPLACE,
        "pre_tokenizer": cut,
        "decoder": {"type": "Sequence", "decoders": [back, {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": _model(vocab, merges, unk="<unk>", fuse_unk=True, byte_fallback=True, ignore_merges=False),
    }


def _bytes(
    vocab: dict[str, int],
    merges: list[list[str]],
    cuts: list[dict[str, Any]],
    normalizer: dict[str, Any] | None,
    whole: bool,
) -> dict[str, Any]:
    return {
        "normalizer": normalizer,
        "pre_tokenizer": cuts[0] if len(cuts) == 1 else {"type": "Sequence", "pretokenizers": cuts},
        "decoder": _byte_level(True),
        "model": _model(vocab, merges, unk=None, fuse_unk=False, byte_fallback=False, ignore_merges=whole),
    }


def _merges(vocab: dict[str, int], scores: list[float], skip: set[str]) -> list[list[str]]:
    """Every pair of pieces whose joining is a piece, best score of the joined piece first.

    Pairs that make the same piece are ordered by their parts' ids, as Transformers orders them.
    """
    found = []
    for token, number in vocab.items():
        if len(token) < 2 or token in skip:
            continue
        for cut in range(1, len(token)):
            left, right = vocab.get(token[:cut]), vocab.get(token[cut:])
            if left is not None and right is not None:
                found.append((-scores[number], left, right, cut, token))
    found.sort()
    return [[token[:cut], token[cut:]] for _, _, _, cut, token in found]


def fields_of_tokenizer(tokenizer: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """What a GGUF file says of a tokenizer, below `tokenizer.ggml.`; rows beyond its words are named and unused.

    Args:
        tokenizer: as `trim_keep.read_tokenizer` gives it.
        rows: rows of the embedding.

    Raises:
        UsageError: GGUF has no name for the way it works.
    """
    model, added = tokenizer["model"], {token["content"]: token for token in tokenizer["added_tokens"]}
    vocab = {content: token["id"] for content, token in added.items()} | model["vocab"]
    word_of = {number: token for token, number in vocab.items()}
    tokens = [word_of.get(number, f"[PAD{number}]") for number in range(rows)]
    spoken = bool(model.get("byte_fallback"))

    def kind(number: int, token: str) -> int:
        if number not in word_of:
            return UNUSED
        if token in added:
            return CONTROL if added[token]["special"] else USER
        if spoken and len(token) == 6 and token.startswith("<0x"):
            return BYTE
        return UNKNOWN if token == model.get("unk_token") else NORMAL

    fields = {"tokens": tokens, "token_type": [kind(n, token) for n, token in enumerate(tokens)]}
    if not spoken:
        pre = _name_of(tokenizer)
        return {"model": "gpt2", "pre": pre} | fields | {"merges": [" ".join(pair) for pair in model["merges"]]}
    if tokenizer.get("normalizer") != _REPLACE:
        raise _unknown("normalizer")
    rank: dict[str, int] = {}
    for left, right in model["merges"]:
        rank.setdefault(left + right, len(rank))
    scores = [-float(rank.get(token, len(rank))) for token in tokens]
    return {"model": "llama", "pre": "default", "add_space_prefix": False} | fields | {"scores": scores}


def _name_of(tokenizer: Mapping[str, Any]) -> str:
    """What llama.cpp calls this tokenizer's way to cut text into words."""
    pre, normalizer = tokenizer["pre_tokenizer"], tokenizer.get("normalizer")
    cuts = [_plain(part) for part in pre.get("pretokenizers", [pre])]
    whole = bool(tokenizer["model"].get("ignore_merges"))
    for name, (known, theirs, skips) in _CUTS.items():
        if cuts == [_plain(part) for part in known] and (normalizer, whole) == (theirs, skips):
            return name
    raise _unknown("pre_tokenizer")


def _plain(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part with what changes no token left out, and what may be left out put in."""
    return {"use_regex": True} | {n: v for n, v in part.items() if n != "trim_offsets"}


def _unknown(part: str) -> UsageError:
    what = f"GGUF has no name for this tokenizer's {part}"
    return UsageError(what, where="tokenizer.json", fix="Work with the Hugging Face form of this model")


def same_tokenizer(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two `tokenizer.json` hold the same words, marks and merges.

    Where several pairs make one piece, their order among themselves is left out: scores cannot say it.
    """

    def words(tokenizer: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, bool], list[tuple[str, list[str]]]]:
        added = tokenizer["added_tokens"]
        vocab = {t["content"]: t["id"] for t in added} | tokenizer["model"]["vocab"]
        made: dict[str, list[str]] = {}
        for left, right in tokenizer["model"]["merges"]:
            made.setdefault(left + right, []).append(left)
        if not tokenizer["model"].get("byte_fallback"):
            return vocab, {t["content"]: t["special"] for t in added}, list(made.items())
        return vocab, {t["content"]: t["special"] for t in added}, [(p, sorted(m)) for p, m in made.items()]

    return words(one) == words(other)
