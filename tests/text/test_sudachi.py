"""Words: nothing lost, offsets right, whatever the length; and loaded only when needed."""

from __future__ import annotations

import subprocess
import sys
import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.text import Word, words


def test_words_with_lemma_and_part_of_speech() -> None:
    found = words("日経平均は上がらなかった。")
    assert [w.text for w in found][-5:] == ["は", "上がら", "なかっ", "た", "。"]
    assert next(w for w in found if w.text == "上がら") == Word("上がら", 5, 8, "上がる", "動詞-一般")


def test_short_units_whatever_stands_around() -> None:
    assert [w.text for w in words("相変わらず")][-2:] == ["変わら", "ず"]


@given(st.text(max_size=80))
@settings(deadline=None, max_examples=300)
def test_nothing_is_lost(text: str) -> None:
    found = words(text)
    assert "".join(w.text for w in found) == text
    assert all(text[w.start : w.end] == w.text for w in found)


def test_a_text_longer_than_sudachi_takes_at_once() -> None:
    text = "国内株式市場は上昇した。" * 9_000 + "𠮷" * 30_000
    assert "".join(w.text for w in words(text)) == text


def test_a_lone_surrogate_is_kept() -> None:
    text = "市場\ud800は"
    assert "".join(w.text for w in words(text)) == text


def test_threads_do_not_share_a_tokenizer() -> None:
    text = "国内株式市場は上昇した。" * 50
    wanted = words(text)
    wrong: list[int] = []

    def work(n: int) -> None:
        if any(words(text) != wanted for _ in range(20)):
            wrong.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_importing_the_room_loads_no_heavy_part() -> None:
    code = (
        "import sys, tensaku.text; print([m for m in ('sudachipy', 'rapidfuzz', 'numpy', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
