"""What is searched for when somebody asks: follow-up questions made whole, keywords taken out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from tensaku.text.sudachi import analysed

__all__ = ["keywords", "made_whole", "nouns"]

_POINTS = re.compile(
    r"それ|これ|あれ|その|この|あの|そこ|ここ|そちら|同じ|上記|前者|後者|では[、,]|じゃあ"
    r"|\b(it|its|they|them|their|that|those|this|these|then|and what)\b"
)
_SHORT = 1
"""A question of so few words that carry meaning leans on the one before."""
_ASKING = re.compile("何.?|誰|だれ|いつ|どこ|どれ|いくつ|いくら|what|who|when|where|which|how|why")


def keywords(text: str, *, verbs: bool = True) -> list[str]:
    """The nouns (and verbs) of a question as they are written, compounds joined, without question words."""
    found: list[str] = []
    joined = ""
    for surface, _, _, pos in [*analysed(unicodedata.normalize("NFKC", text)), ("", "", "", "")]:
        noun = pos in ("名詞", "接頭辞", "接尾辞") and surface.strip() and not _ASKING.fullmatch(surface.casefold())
        if noun:
            joined += surface
            continue
        if joined:
            found.append(joined)
            joined = ""
        if verbs and pos in ("動詞", "形容詞", "形状詞") and len(surface) > 1:
            found.append(surface)
    return list(dict.fromkeys(found))


def nouns(text: str) -> set[str]:
    """The nouns of a text in Sudachi's normalised form, folded; numbers and words of one kana left out."""
    return {
        normal.casefold()
        for surface, normal, _, pos in analysed(unicodedata.normalize("NFKC", text))
        if pos == "名詞" and not surface.isdigit() and not re.fullmatch("[ぁ-ん]", surface)
    }


def made_whole(question: str, before: Sequence[str]) -> str:
    """The question with the nouns of the one before it, if it leans on that: `before` holds the former questions.

    It leans on it if it points back (それは, その, "its") or has hardly any words of its own.
    """
    if not before:
        return question
    own = [w for w in keywords(question) if len(w) > 1]
    if not _POINTS.search(question.casefold()) and len(own) > _SHORT:
        return question
    lent = [word for word in keywords(before[-1], verbs=False) if word not in question]
    return f"{' '.join(lent)} {question}" if lent else question
