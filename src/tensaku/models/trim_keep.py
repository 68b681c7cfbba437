"""Which words of a vocabulary stay: what the language, the house's own texts and the model's own settings need.

Decided by rule and by the given texts alone. Always kept: every single character, every byte and every part of a
character, special tokens, numbers, punctuation. By language: for Japanese, pieces of several characters that
hold kana or kanji and that Shift_JIS can write, and abbreviations in capitals (GDP, EU) among the first `FIRST` pieces
in the order of merging; for English, all pieces of plain letters among those. Then what the texts use, and the closure
under BPE: each piece that merging makes on the way to a kept piece. BPE joins by rank (Sennrich et al. 2016), so a text
whose every join is kept is tokenised exactly as before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from tensaku.errors import UsageError

__all__ = ["FIRST", "Kind", "Language", "keep_list", "kind_of", "read_tokenizer", "text_of"]

Kind = Literal["characters", "bytes"]
"""BPE over characters with bytes for those it has not (Gemma), or BPE over bytes (GPT-2, Llama 3, Qwen, SmolLM2)."""

Language = Literal["ja", "en", "ja+en"]

FIRST = 50_000
"""How many pieces, in the order of merging and so of how frequent they were, are looked through for Latin letters;
`docs/models.md` has the figures for other bounds."""

_JAPANESE = re.compile("[\u3005-\u3007\u3040-\u30ff\u4e00-\u9fff\uff10-\uff5a\uff66-\uff9f]")
_LETTERS = re.compile(" ?['\u2019]?[A-Za-z]+")
_CAPITALS = re.compile("[A-Z]{2,6}")
_BROKEN = "\ufffd"
_BYTE = re.compile("<0x[0-9A-F]{2}>")
_RESERVED = re.compile(r"<unused\d+>|<\|reserved_special_token_\d+\|>")


def read_tokenizer(path: Path) -> dict[str, Any]:
    """A parsed tokenizer.json of a kind that can be cut, its merges as pairs.

    Raises:
        UsageError: it cannot be read, or works in another way.
    """
    try:
        tokenizer = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"the tokenizer cannot be read ({error})", where=path) from None
    if not isinstance(tokenizer, dict) or not isinstance(tokenizer.get("model"), dict):
        raise UsageError("the tokenizer cannot be read (it describes no model)", where=path)
    kind_of(tokenizer, path)
    model = tokenizer["model"]  # merges were once written as one text, "a b"
    model["merges"] = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
    return tokenizer


def kind_of(tokenizer: dict[str, Any], where: Path | str | None = None) -> Kind:
    """How a tokenizer.json cuts words, where its vocabulary can be cut.

    Raises:
        UsageError: it is neither BPE over characters with byte fallback nor BPE over bytes.
    """
    model = tokenizer.get("model") or {}
    found = str(model.get("type"))
    if found == "BPE" and not (model.get("continuing_subword_prefix") or model.get("end_of_word_suffix")):
        if model.get("byte_fallback"):
            return "characters"
        if "ByteLevel" in _types(tokenizer.get("pre_tokenizer")):
            return "bytes"
        found = "BPE without bytes"
    what = f"this model's vocabulary cannot be cut: its tokenizer is of the kind {found}"
    fix = 'Set trim.keep = "all", or use a base whose tokenizer is BPE with byte fallback or over bytes'
    raise UsageError(what, where=where, fix=fix)


def _types(part: Any) -> set[str]:
    """The kinds of a pre-tokenizer and of everything in it."""
    if not isinstance(part, dict):
        return set()
    inner = part.get("pretokenizers") or ()
    return {str(part.get("type"))}.union(*(_types(one) for one in inner))


def keep_list(
    tokenizer: dict[str, Any],
    language: Language,
    texts: Iterable[str],
    *,
    also: Iterable[int] = (),
    rows: int | None = None,
    first: int = FIRST,
) -> list[int]:
    """Ids to keep, ascending.

    Args:
        tokenizer: as `read_tokenizer` gives it.
        language: what to keep by rule.
        texts: what is kept because it is used.
        also: ids to keep whatever they are, such as those that end an answer.
        rows: rows of the embedding; ids from there on stand for nothing and go. None: as many as there are ids.
        first: how many pieces are looked through for Latin letters.
    """
    kind, model = kind_of(tokenizer), tokenizer["model"]
    added = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    vocab: dict[str, int] = added | model["vocab"]
    early = _order(model["merges"], first)
    latin = _LETTERS if "en" in language else _CAPITALS
    kept = {token for token in added if not _RESERVED.fullmatch(token)}
    for piece in model["vocab"]:
        text = text_of(piece, kind)
        spoken = ("ja" in language and _japanese(text)) or (piece in early and latin.fullmatch(text))
        if spoken or _always(text, piece):
            kept.add(piece)
    word_of = {number: piece for piece, number in vocab.items()}
    kept |= {word_of[number] for number in {*also, *_used(tokenizer, texts)} if number in word_of}
    kept |= _closure(kept, model["merges"])
    return sorted(n for n in {vocab[piece] for piece in kept if piece in vocab} if rows is None or n < rows)


def _letters() -> dict[str, int]:
    """The alphabet in which GPT-2 writes bytes: printable Latin-1 as itself, the others from U+0100 on, in order."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = (byte for byte in range(256) if byte not in plain)
    return {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(others)}


_BYTE_OF = _letters()


def text_of(piece: str, kind: Kind) -> str:
    """What a piece writes, with U+FFFD for a part of a character."""
    if kind == "characters":
        return piece.replace("▁", " ")
    try:
        return bytes(_BYTE_OF[letter] for letter in piece).decode("utf-8", errors="replace")
    except KeyError:
        return piece  # an added token is written as it is


def _always(text: str, piece: str) -> bool:
    if len(piece) == 1 or len(text) == 1 or not text.strip(_BROKEN) or _BYTE.fullmatch(piece):
        return True
    if text.isascii() and len(text.removeprefix(" ")) == 1:
        return True
    return not any(c.isalnum() and not (c.isascii() and c.isdigit()) for c in text)


def _japanese(text: str) -> bool:
    """Whether the piece is Japanese; that Windows' Shift_JIS can write it leaves out simplified Chinese."""
    if not _JAPANESE.search(text):
        return False
    try:
        text.replace(_BROKEN, "").encode("cp932")
    except UnicodeEncodeError:
        return False
    return True


def _order(merges: list[list[str]], first: int) -> set[str]:
    """The `first` pieces that merging can make, by rank: the more frequent a piece was, the earlier it stands."""
    found: dict[str, None] = {}
    for left, right in merges:
        if len(found) == first:
            break
        found[left + right] = None
    return set(found)


def _used(tokenizer: dict[str, Any], texts: Iterable[str]) -> set[int]:
    from tokenizers import Tokenizer

    core = Tokenizer.from_str(json.dumps(tokenizer))
    used: set[int] = set()
    for text in texts:
        used.update(core.encode(text, add_special_tokens=False).ids)
    return used


def _closure(kept: set[str], merges: list[list[str]]) -> set[str]:
    """Every piece that BPE makes on the way to a kept piece."""
    rank = {(a, b): n for n, (a, b) in reversed(list(enumerate(merges)))}  # the first of equals counts
    never = len(merges)
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
