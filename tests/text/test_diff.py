"""Changes: they rebuild the new text, any subset applies, ids last, phrases stay whole, and it is quick."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.text import apply, changes

DRAFT = "令和８年３月の国内株式市場は▲３．２％の下落となりました。日銀は動かず。円安が進行したと思います。"
FINAL = "2026年3月の国内株式市場は、3.2%下落しました。円安が進行しました。日本銀行は政策を変更しませんでした。"

_piece = st.sampled_from(
    [
        "国内株式",
        "市場は",
        "上昇",
        "下落",
        "しました",
        "。",
        "3.2%",
        "令和8年3月",
        "、",
        "日銀",
        "\n",
        " ",
        "the ",
        "market ",
        "rose. ",
    ]
)
_text = st.one_of(
    st.lists(_piece, max_size=16).map("".join), st.text(max_size=40), st.text(alphabet="あ。市1.%", max_size=16)
)


def shown(old: str, new: str) -> list[tuple[str, str]]:
    return [(c.old, c.new) for c in changes(old, new)]


@given(_text, _text)
@settings(deadline=None, max_examples=500)
def test_all_gives_the_new_text_and_none_the_old(old: str, new: str) -> None:
    found = changes(old, new)
    assert apply(old, found) == new
    assert apply(old, []) == old
    assert apply(old, reversed(found)) == new


@given(_text, _text)
@settings(deadline=None, max_examples=300)
def test_offsets_and_operations_agree(old: str, new: str) -> None:
    found = changes(old, new)
    assert len({c.id for c in found}) == len(found)
    for c in found:
        assert old[c.old_start : c.old_end] == c.old
        assert new[c.new_start : c.new_end] == c.new
        assert c.op == ("replace" if c.old and c.new else "delete" if c.old else "insert")
        assert c.old != c.new
    for one, two in itertools.pairwise(found):
        assert one.old_end <= two.old_start
        assert one.new_end <= two.new_start


def test_equal_characters_in_other_words_are_no_change() -> None:
    """A Japanese sentence and an English one are cut into words by other rules: the same end of a line, once in two."""
    assert shown("国内株式3.2% \n", "3.2% \n") == [("国内株式", "")]


@given(_text, _text, st.data())
@settings(deadline=None, max_examples=300)
def test_a_subset_and_then_the_rest(old: str, new: str, data: st.DataObject) -> None:
    found = changes(old, new)
    taken = [c for c in found if data.draw(st.booleans())]
    part = apply(old, taken)
    assert len(part) == len(old) + sum(len(c.new) - len(c.old) for c in taken)
    assert apply(part, changes(part, new)) == new


def test_phrases_dates_and_sentences_change_as_wholes() -> None:
    assert shown(DRAFT, FINAL) == [
        ("令和８年３月", "2026年3月"),
        ("▲３．２％の", "、3.2%"),
        ("となり", "し"),
        ("日銀は動かず。", ""),
        ("たと思います", "ました"),
        ("", "日本銀行は政策を変更しませんでした。"),
    ]


def test_ids_outlive_an_edit_elsewhere() -> None:
    before = {c.id: (c.old, c.new) for c in changes(DRAFT, FINAL)}
    edited = FINAL.replace("日本銀行は政策", "日本銀行は金融政策") + "以上です。"
    after = {c.id: (c.old, c.new) for c in changes(DRAFT, edited)}
    kept = [ident for ident in before if ident in after]
    assert len(kept) == 5
    assert all(before[ident] == after[ident] for ident in kept)


def test_equal_changes_have_different_ids() -> None:
    found = changes("株は上昇した。" * 5, "株は下落した。" * 5)
    assert len(found) == len({c.id for c in found}) == 5


def test_a_change_of_another_text_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        apply("まったく別の文章。", changes(DRAFT, FINAL))


def test_overlapping_changes_are_refused() -> None:
    one = changes("市場は上昇した。", "市場は下落した。")
    with pytest.raises(ValueError, match="does not fit"):
        apply("市場は上昇した。", [*one, *one])


def test_the_sample_desk(pairs: list[dict[str, Any]]) -> None:
    ids_kept = ids = 0
    for row in pairs:
        found = changes(row["draft"], row["final"])
        assert apply(row["draft"], found) == row["final"]
        later = changes(row["draft"], row["final"] + "なお、この文は後から加えた。")
        ids += len(found)
        ids_kept += len({c.id for c in found} & {c.id for c in later})
    assert ids_kept / ids > 0.95


def test_a_thousand_characters_in_a_few_milliseconds(pairs: list[dict[str, Any]]) -> None:
    rows = [r for r in pairs if r["as_of"] >= "2026-04"]
    old = "".join(r["draft"] for r in rows)[:1000]
    new = "".join(r["final"] for r in rows)[:1000]
    changes(old, new)
    taken = []
    for _ in range(7):
        start = time.process_time()
        changes(old, new)
        taken.append(time.process_time() - start)
    assert statistics.median(taken) < 0.03  # of processor time, as others may be at work


def test_real_pairs(real_data: Callable[[str], Path]) -> None:
    folder = real_data("pastel_jp")
    for kind, one, two in (("Formality", "informal", "formal"), ("Simplicity", "comp", "simp")):
        olds = (folder / kind / f"{one}.txt").read_text(encoding="utf-8").splitlines()
        news = (folder / kind / f"{two}.txt").read_text(encoding="utf-8").splitlines()
        for old, new in zip(olds, news, strict=True):
            assert apply(old, changes(old, new)) == new


def test_real_statements_in_a_row(real_data: Callable[[str], Path]) -> None:
    files = sorted((real_data("fomc_statements") / "statements").glob("*.txt"))[-12:]
    texts = [f.read_text(encoding="utf-8", errors="replace") for f in files]
    for old, new in itertools.pairwise(texts):
        assert apply(old, changes(old, new)) == new
