"""Difference and marks as HTML."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensaku.desk.markup import Span, difference, listed, marked, utf16_spans
from tensaku.text import changes

TEXT = st.text("上昇した市場は3.2％。<>&\"'\n𠮷 ab", max_size=40)


def shown(fragment: str, *, without: str) -> str:
    """The text of a fragment without what stands in a tag."""
    return html.unescape(re.sub(r"<[^>]+>", "", re.sub(rf"<{without}\b.*?</{without}>", "", fragment, flags=re.S)))


@given(TEXT, TEXT)
def test_without_what_is_put_in_or_taken_out_the_other_text_remains(old: str, new: str) -> None:
    fragment = str(difference(old, new, changes(old, new)))
    assert shown(fragment, without="del") == new
    assert shown(fragment, without="ins") == old


@given(TEXT, st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=5))
def test_marks_never_change_a_text_and_let_no_tag_through(text: str, places: list[tuple[int, int]]) -> None:
    fragment = str(marked(text, [Span(a, b, "k") for a, b in places]))
    assert html.unescape(re.sub(r'<mark class="fact" data-fact="k">|</mark>', "", fragment)) == text
    assert set(re.findall(r"<[^>]*>", fragment)) <= {'<mark class="fact" data-fact="k">', "</mark>"}


def test_a_key_cannot_leave_its_attribute() -> None:
    assert '"><script>' not in str(marked("3", [Span(0, 1, '"><script>')]))


def test_a_broken_fact_is_marked_inside_what_was_taken_out_and_put_in() -> None:
    old, new = "3.2％上昇した。", "3.8％上昇した。"
    missing, added = [Span(0, 4, "3.2%")], [Span(0, 4, "3.8%")]
    fragment = str(difference(old, new, changes(old, new), missing=missing, added=added))
    assert '<del><mark class="fact" data-fact="3.2%">3.2％</mark></del>' in fragment
    assert '<ins><mark class="fact" data-fact="3.8%">3.8％</mark></ins>' in fragment


def test_what_is_still_to_be_written_is_not_taken_out() -> None:
    old, new = "市場は大きく上昇した。", "市場は"
    fragment = str(difference(old, new, changes(old, new), awaited="円は下落した。"))
    assert "<del>" not in fragment
    assert '<span class="awaited">大きく上昇した。円は下落した。</span>' in fragment


@pytest.mark.parametrize(("text", "span", "expected"), [("ab3", (2, 3), [2, 3]), ("𠮷野3円", (2, 3), [3, 4])])
def test_offsets_as_the_browser_counts(text: str, span: tuple[int, int], expected: list[int]) -> None:
    assert utf16_spans(text, [Span(*span, "k")]) == [[*expected, "k", "3"]]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("上昇\n", "上昇↵"), ("\n", "↵"), ("一\n二", "一↵\n二"), ("\u3000 ", "□␣"), ("<b> ", "&lt;b&gt; "), ("", "")],
)
def test_what_is_not_to_be_seen_is_shown_in_the_list(text: str, shown: str) -> None:
    assert str(listed(text)) == shown
