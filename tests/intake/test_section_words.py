"""What headings mean: by what was learnt, by words of the field, and never by half a guess."""

from __future__ import annotations

import pytest

from tensaku.intake.labels import find_month, find_name
from tensaku.intake.section_words import Meanings, fold_heading


@pytest.mark.parametrize(
    ("heading", "section"),
    [
        ("１．市場動向", "market"),
        ("【投資環境について】", "market"),
        ("■ 10月の市況", "market"),
        ("２０２６年１０月のマーケット・レビュー", "market"),
        ("（２）ファンドの運用状況", "performance"),
        ("当月の運用について", "performance"),
        ("Ⅲ. 今後の市場見通しおよび運用方針", "outlook"),
        ("3) Outlook and Strategy", "outlook"),
        ("ご留意事項", "-"),
    ],
)
def test_headings_of_every_house(heading: str, section: str) -> None:
    assert Meanings({}, {}).of(heading).section == section


@pytest.mark.parametrize(
    ("heading", "how"),
    [
        ("運用経過と今後の見通し", "doubtful"),
        ("ごあいさつ", "unknown"),
        ("市場は当月も上昇を続けましたがその後に反落し今後を見極める展開です", "unknown"),
    ],
)
def test_a_doubtful_heading_means_nothing(heading: str, how: str) -> None:
    meaning = Meanings({}, {}).of(heading)
    assert (meaning.section, meaning.how) == ("", how)


def test_what_was_learnt_counts_more_than_what_is_known() -> None:
    meanings = Meanings({fold_heading("市況"): "outlook"}, {"esg": ("責任投資",)})
    assert meanings.of("■市況").section == "outlook"
    assert meanings.of("責任投資への取り組み").section == "esg"


def test_the_month_is_the_one_that_is_said_to_be() -> None:
    assert find_month([["作成日：2026年11月5日", "2026年10月末現在"]]).value == "2026-10"
    assert find_month([["令和8年10月 月次報告"]]).value == "2026-10"
    assert find_month([["レポート_202610.pdf"]]).value == "2026-10"
    assert find_month([["October 2026"]]).value == "2026-10"
    assert find_month([["2026年9月と2026年10月"]]).why == "several"
    assert find_month([["昨年"], ["別紙"]]).why == "missing"


def test_a_name_inside_a_longer_one_is_not_a_second_name() -> None:
    known = ("みずいろ国内株式ファンド", "みずいろ国内株式ファンドＤＸ")
    assert find_name("fund", known, [["みずいろ国内株式ファンドDX"]]).value == known[1]
    assert find_name("fund", known, [["ファンド名: べつのもの"]]) == ("", "new", ("べつのもの",))
