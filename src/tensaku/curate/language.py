"""Which language a text is in: Japanese, Chinese, Korean, English or another that Latin letters write.

By script and by the commonest words, without a model: one pass over the text, nothing to install. Kana say Japanese,
hangul Korean; a few Han characters alone are Japanese, a heading, if none is one that only China writes; Latin letters
are English by its function words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from tensaku.curate.steps import Step, drop, one_by_one
from tensaku.plugins import steps
from tensaku.records import Pair

__all__ = ["Language", "language", "language_of"]

Language = Literal["ja", "en", "zh", "ko", "other", "none"]
_KANA = re.compile("[\u3041-\u30fa\u30fd-\u30ff\uff66-\uff9f]")
_HANGUL = re.compile("[\uac00-\ud7a3\u1100-\u11ff]")
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
_HEADING = 12
"""Han characters that Japanese writes in a row without kana, in headings; longer texts without kana are Chinese."""
_LETTER = re.compile(r"[^\W\d_]")
_CHINESE = re.compile(
    "[们这个为说么没吗呢吧啊您她它还过时间现开发经济业产场报国会东车门问题马头买卖长书见贝龙广应当对]"
)
_ENGLISH_WORDS = (
    "the of and to in a is that for on with as was by at from are it be this an or which has have not but we our its "
    "were will their after than i you he she they his her your my what how when who all can do no if so up"
)
_FOREIGN_WORDS = (
    "der die das und ist nicht ein eine mit den von zu auf für el la los las de que y en un una es no se por con le "
    "les des et est dans pour une du sur il lo gli di che è per non con sono uma os não em do da"
)
_ENGLISH, _FOREIGN = frozenset(_ENGLISH_WORDS.split()), frozenset(_FOREIGN_WORDS.split())


def language_of(text: str) -> Language:
    """The language of most of `text`; "none" if it holds no letters."""
    counts = {name: len(found.findall(text)) for name, found in _SCRIPTS.items()}
    letters = len(_LETTER.findall(text))
    if not letters:
        return "none"
    east = counts["kana"] + counts["han"]
    # A letter of Latin says a third of what a kana or a kanji says.
    if counts["hangul"] > max(east, counts["latin"] / 3):
        return "ko"
    if east * 3 >= counts["latin"] and east:
        if counts["kana"]:
            return "ja" if counts["kana"] * 20 >= east else "zh"
        return "zh" if counts["han"] > _HEADING or _CHINESE.search(text) else "ja"
    if counts["latin"] * 2 < letters:
        return "other"
    words = Counter(re.findall(r"[a-zà-ɏ']+", text.lower()))
    english = sum(n for word, n in words.items() if word in _ENGLISH)
    foreign = sum(n for word, n in words.items() if word in _FOREIGN)
    accents = len(re.findall("[\u00c0-\u024f]", text))
    return "en" if english >= foreign and accents * 50 <= counts["latin"] else "other"


_SCRIPTS = {"kana": _KANA, "hangul": _HANGUL, "han": _HAN, "latin": _LATIN}


@steps.register("language")
@one_by_one
def language(
    rows: Iterable[Pair],
    tally: Counter[str],
    /,
    *,
    draft: Sequence[Language] = ("ja", "en"),
    final: Sequence[Language] = ("ja",),
) -> Step:
    """Drop pairs with a side in another language: `draft-language`, `final-language`. The tally counts all by side."""
    for pair in rows:
        found = {"draft": language_of(pair.draft), "final": language_of(pair.final)}
        for side, name in found.items():
            tally[f"{side}s in {name}"] += 1
        wrong = [side for side, wanted in (("draft", draft), ("final", final)) if found[side] not in wanted]
        if wrong:
            yield drop(pair, f"{wrong[0]}-language", f"the {wrong[0]} is in {found[wrong[0]]}")
        else:
            yield pair
