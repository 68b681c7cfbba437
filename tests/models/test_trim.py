"""Trimming a small tokenizer of the same kind as Gemma's."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tensaku.errors import UsageError
from tensaku.models.trim import ids_in, renumbered, trim_tensors, trim_tokenizer
from tensaku.models.trim_keep import keep_list

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
KEEP = keep_list(FULL, "ja", ["the"])
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
    monkeypatch.setattr("tensaku.models.trim_keep._closure", lambda kept, merges: set())
    monkeypatch.setattr("tensaku.models.trim_keep._always", lambda text, piece: len(piece) == 1)
    monkeypatch.setattr("tensaku.models.trim_keep._japanese", lambda text: text == "株式市場")
    broken = Tokenizer.from_str(json.dumps(trim_tokenizer(FULL, keep_list(FULL, "ja", []))))
    assert broken.encode("株式市場").tokens != before.encode("株式市場").tokens
    with pytest.raises(KeyError):
        SMALL["model"]["vocab"]["<unused0>"]


def test_what_surrounds_a_text_is_renumbered() -> None:
    bos, new = FULL["model"]["vocab"]["<bos>"], SMALL["model"]["vocab"]["<bos>"]
    template: dict[str, Any] = {
        "type": "TemplateProcessing",
        "pair": [],
        "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}],
    }
    template["single"].append({"Sequence": {"id": "A", "type_id": 0}})
    template["special_tokens"] = {"<bos>": {"id": "<bos>", "ids": [bos], "tokens": ["<bos>"]}}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    around = {"type": "Sequence", "processors": [byte_level, template]}
    keep = [n for n in KEEP if n != 0]  # so that the number changes
    made = trim_tokenizer(FULL | {"post_processor": around}, keep)
    assert Tokenizer.from_str(json.dumps(made)).encode("株式").ids[0] == keep.index(bos) != new
    named = {"type": "RobertaProcessing", "sep": ["<eos>", 1], "cls": ["<bos>", bos]}
    assert trim_tokenizer(FULL | {"post_processor": named}, keep)["post_processor"]["cls"] == ["<bos>", keep.index(bos)]
    template["special_tokens"]["<bos>"]["ids"] = [10**6]
    with pytest.raises(UsageError, match=r"names the id 1000000, which is not there.*trim\.keep"):
        trim_tokenizer(FULL | {"post_processor": around}, keep)


def test_ids_in_settings() -> None:
    settings = {"eos_token_id": [1, 9], "bos_token_id": 2, "pad_token_id": None, "suppress_tokens": [7, 9], "n": 3}
    assert ids_in(settings) == {1, 2, 9}
    assert renumbered(settings, {1: 0, 2: 1, 9: 2}) == {
        "eos_token_id": [0, 2],
        "bos_token_id": 1,
        "pad_token_id": None,
        "suppress_tokens": [2],
        "n": 3,
    }
