"""A comment held against its draft."""

from __future__ import annotations

from tensaku.desk.comparison import House, hold

DRAFT = "当月の市場は３．２パーセント上昇した。為替は円安とならなかった。"


def test_a_broken_fact_appears_on_both_sides() -> None:
    found = hold(DRAFT, "当月の市場は3.8％上昇しました。為替は円安になりませんでした。", House())
    assert [(b.what, b.kind, b.text) for b in found.broken] == [
        ("missing", "percent", "３．２パーセント"),
        ("added", "percent", "3.8％"),
    ]
    assert '<mark class="fact" data-fact="3.2%">３．２パーセント</mark>' in found.draft_html
    assert found.marks == [[6, 10, "3.8%", "3.8％"]]


def test_a_kept_fact_is_no_warning() -> None:
    found = hold(DRAFT, "当月の市場は3.2％上昇しました。為替は円安になりませんでした。", House())
    assert found.broken == []
    assert "<mark" not in found.draft_html + found.difference_html


def test_names_of_the_house_count() -> None:
    names = {"日本銀行": ["日銀", "日本銀行"]}
    assert hold("日銀が動いた。", "日本銀行が動きました。", House(names)).broken == []
    assert [b.text for b in hold("日銀が動いた。", "当局が動きました。", House(names)).broken] == ["日銀"]


def test_no_comment_no_findings() -> None:
    found = hold(DRAFT, " \n", House())
    assert (found.broken, found.changes, found.difference_html, found.marks) == ([], (), "", [])
    assert found.draft_html == DRAFT


def test_while_writing_only_what_is_invented_counts() -> None:
    found = hold(DRAFT, "当月の市場は3.8％", House(), writing=True)
    assert [(b.what, b.text) for b in found.broken] == [("added", "3.8％")]
    assert "為替は円安とならなかった。</span>" in found.difference_html
    assert hold(DRAFT, "当月の", House(), writing=True).broken == []
