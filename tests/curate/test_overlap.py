"""Folding has a quick way for most texts: it must never say another thing than the plain definition."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tensaku.curate.overlap import fold

COMMON = "abzAZ09%（）％ＡＺａｚ０９，．、。「」・ーがかはガカ円高安上昇 \u3000\n\t\xa0"
"""Characters that the quick ways know."""
AWKWARD = "ｶﾞﾊﾟ\u3099\u309a\u0301\u0327é㌔ﬁ①½Ⅳİıßſ\u1100\u1161\u11a8神\u200bÅΩ゛゜¨"
"""Characters that become others by their neighbours, or more than one, or that fold by rules of their own."""


def plainly(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def test_each_character_of_the_basic_plane_alone_and_beside_others() -> None:
    for char in map(chr, range(0x10000)):
        for text in (char, f"か{char}", f"Ａ{char}％", f"{char} e\u0301"):
            assert fold(text) == plainly(text), ascii(text)


@given(st.text(COMMON + AWKWARD, max_size=12) | st.text(COMMON, max_size=12) | st.text(max_size=12))
def test_any_text(text: str) -> None:
    assert fold(text) == plainly(text)
