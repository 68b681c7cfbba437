"""Key strokes: what it costs a writer to make one text into another, on a keyboard with a Japanese input method.

Each character taken out is one stroke. What is put in is typed by its reading in Latin letters (訓令式: 上昇 is
zyousyou), with one stroke to convert each word that is not plain hiragana and one to accept a change that was
converted; letters, digits and marks are one stroke each. Moving the cursor costs nothing, and nothing is pasted: a
sentence that has to be moved is taken out and typed again.
"""

from __future__ import annotations

import re

from tensaku.text.diff import changes
from tensaku.text.sudachi import words_read

__all__ = ["strokes", "typing"]

_READ = re.compile(r"[ぁ-ヿ㐀-鿿々〆]")  # words with kana or kanji are typed by their reading
_PLAIN = re.compile(r"[ぁ-ゖー]+")
_VOWELS = "アイウエオ"
_SMALL_VOWELS = "ァィゥェォ"
_FREE = "フヴ"  # ファ is fa: the small vowel takes the place of the big one's
_N_ALONE = (
    "カキクケコガギグゲゴサシスセソザジズゼゾタチツテトダヂヅデドハヒフヘホバビブベボパピプペポマミムメモラリルレロワヲ"
)


def strokes(old: str, new: str) -> int:
    """The strokes that make `old` into `new`, change by change. 0 if and only if they are equal."""
    return sum(len(change.old) + typing(change.new) for change in changes(old, new, fine=True))


def typing(text: str) -> int:
    """The strokes that type `text`."""
    total, converted = 0, False
    for word, reading in words_read(text):
        if not _READ.search(word):
            total += len(word)
        elif _PLAIN.fullmatch(word):
            total += _letters(_katakana(word))
        else:
            total += _letters(reading) + 1
            converted = True
    return total + converted


def _katakana(text: str) -> str:
    return "".join(chr(ord(c) + 96) if "ぁ" <= c <= "ゖ" else c for c in text)


def _letters(kana: str) -> int:
    """Latin letters that type a reading in katakana; any other character is one."""
    total = 0
    for place, sound in enumerate(kana):
        after = kana[place + 1 : place + 2]
        if sound == "ン":
            total += 1 if after and after in _N_ALONE else 2
        elif sound in _SMALL_VOWELS:
            total += kana[place - 1 : place] not in _FREE
        elif sound in _VOWELS or sound in "ッャュョヮー" or not "ァ" <= sound <= "ヺ":
            total += 1
        else:
            total += 2
    return total
