"""Trimming a small tokenizer of the same kind as Gemma's."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tensaku.models.trim import keep_list, trim_tensors, trim_tokenizer

SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<unused0>"]
WORDS = {
    "株式": ("株", "式"),
    "市場": ("市", "場"),
    "株式市場": ("株式", "市場"),
    "上昇": ("上", "昇"),
    "した": ("し", "た"),
}
LATIN = {
    "th": ("t", "h"),
    "the": ("th", "e"),
    "an": ("a", "n"),
    "ban": ("b", "an"),
    "bank": ("ban", "k"),
    "简单": ("简", "单"),
}
SYMBOLS = {"..": (".", "."), "...": ("..", ".")}


def build() -> dict[str, Any]:
    merges = [list(pair) for pair in (WORDS | LATIN | SYMBOLS).values()]
    single = sorted({c for word in (WORDS | LATIN | SYMBOLS) for c in word} | set("▁abcdefghijk。、0123456789％"))
    tokens = SPECIAL + [f"<0x{n:02X}>" for n in range(256)] + single + list(WORDS | LATIN | SYMBOLS)
    added = [
        {
            "id": n,
            "content": t,
            "special": True,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
        }
        for n, t in enumerate(SPECIAL)
    ]
    model = {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "merges": merges}
    model |= {"vocab": {t: n for n, t in enumerate(tokens)}}
    decoders = [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    return {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": model,
    }


FULL = build()
KEEP = keep_list(FULL, ["the"])
SMALL = trim_tokenizer(FULL, KEEP)
before, after = (Tokenizer.from_str(json.dumps(t)) for t in (FULL, SMALL))


def kept() -> set[str]:
    return set(SMALL["model"]["vocab"])


def test_japanese_symbols_and_used_words_stay_and_the_rest_goes() -> None:
    assert {"株式市場", "株式", "した", "..", "...", "the", "th"} <= kept()
    assert not {"bank", "ban", "简单", "<unused0>"} & kept()
    assert {"简", "单", "<0x00>", "<eos>"} <= kept()  # single characters, bytes and special tokens always


@given(st.text(max_size=40))
def test_any_string_survives(text: str) -> None:
    ids = after.encode(text, add_special_tokens=False).ids
    assert len(ids) == 0 or max(ids) < len(KEEP)
    assert after.decode(ids, skip_special_tokens=False) == before.decode(
        before.encode(text, add_special_tokens=False).ids, skip_special_tokens=False
    )


@given(st.text(alphabet="株式市場上昇した。、...▁the0123", max_size=30))
def test_kept_text_is_cut_as_before(text: str) -> None:
    assert after.encode(text).tokens == before.encode(text).tokens


def test_rows_follow_their_words() -> None:
    embedding = torch.arange(len(FULL["model"]["vocab"]))[:, None].float()
    small = trim_tensors({"model.embed_tokens.weight": embedding, "other": embedding}, KEEP, len(embedding))
    for word, new in SMALL["model"]["vocab"].items():
        assert small["model.embed_tokens.weight"][new, 0] == FULL["model"]["vocab"][word]
    assert len(small["other"]) == len(embedding)


def test_the_closure_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the pieces on the way, BPE could not reach a kept word any more."""
    monkeypatch.setattr("tensaku.models.trim._closure", lambda kept, merges: set())
    monkeypatch.setattr("tensaku.models.trim._by_rule", lambda token: len(token) == 1 or token == "株式市場")
    broken = Tokenizer.from_str(json.dumps(trim_tokenizer(FULL, keep_list(FULL, []))))
    assert broken.encode("株式市場").tokens != before.encode("株式市場").tokens
    with pytest.raises(KeyError):
        SMALL["model"]["vocab"]["<unused0>"]
