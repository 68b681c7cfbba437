"""Facts: what is found, in which normal form, and where."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.text import facts, mask

NAMES = {
    "日本銀行": ["日銀", "BOJ"],
    "米連邦準備制度理事会": ["米連邦準備制度理事会（FRB）", "FRB", "Fed"],
    "日経平均株価": ["日経平均", "日経225", "N225"],
    "S&P500": [],
    "インド": [],
}


def values(text: str, kind: str = "") -> list[str]:
    return [f.value for f in facts(text, NAMES) if not kind or f.kind == kind]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3.2%", "3.2%"),
        ("３．２％", "3.2%"),
        ("3.20パーセント", "3.2%"),
        ("０．２５㌫", "0.25%"),
        ("3.2 percent", "3.2%"),
        ("+3.2%", "3.2%"),
        ("プラス3.2％", "3.2%"),
        ("▲3.2%", "-3.2%"),
        ("△３．２％", "-3.2%"),
        ("−3.2%", "-3.2%"),
        ("－３．２％", "-3.2%"),
        ("マイナス3.2%", "-3.2%"),
        ("ﾏｲﾅｽ3.2ﾊﾟｰｾﾝﾄ", "-3.2%"),
        ("3.2%下落", "-3.2%"),
        ("3.2%の下落", "-3.2%"),
        ("▲3.2%の下落", "-3.2%"),
        ("3.2%下回った", "-3.2%"),
        ("3.2%上昇", "3.2%"),
        ("下落率は3.2%", "-3.2%"),
        ("3.2%に低下", "3.2%"),
        ("▲0.0%", "0%"),
        ("0.25ポイント", "0.25ポイント"),
        ("0.25%ポイント", "0.25ポイント"),
        ("0.25 percentage points", "0.25ポイント"),
        ("25bp", "25bp"),
        ("２５ｂｐｓ", "25bp"),
        ("〇・二五%", "0.25%"),
        ("二・三パーセントの下落", "-2.3%"),
        ("25ベーシスポイント", "25bp"),
        ("25-basis-point", "25bp"),
        ("5-1/4 percent", "5.25%"),
    ],
)
def test_percent_in_one_form(text: str, value: str) -> None:
    assert [f.value for f in facts(text) if f.kind == "percent"] == [value]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("38,500円", "38500円"),
        ("３８，５００円", "38500円"),
        ("3万8500円", "38500円"),
        ("3万8,500円", "38500円"),
        ("三万八千五百円", "38500円"),
        ("¥38,500", "38500円"),
        ("148円50銭", "148.5円"),
        ("1ドル=148円", "148円"),
        ("１ドル＝１４８円", "148円"),
        ("1ドル148円", "148円"),
        ("1.2兆円", "1200000000000円"),
        ("1兆2000億円", "1200000000000円"),
        ("2,000億ドル", "200000000000ドル"),
        ("$200 billion", "200000000000ドル"),
        ("5百万ドル", "5000000ドル"),
        ("3千円", "3000円"),
        ("2,712.35ポイント", "2712.35ポイント"),
        ("5ヶ月", "5か月"),
        ("５カ月間", "5か月"),
        ("10-year", "10年"),
        ("十年債", "10年"),
        ("3割", "3割"),
        ("1.5倍", "1.5倍"),
        ("三割", "3割"),
        ("約三割", "3割"),
        ("三割五分", "3.5割"),
        ("3割5分2厘", "3.52割"),
        ("五厘", "0.05割"),
        ("七分五厘", "0.75割"),
        ("百二十三億円", "12300000000円"),
        ("約百二十三億円", "12300000000円"),
        ("二五〇〇億円", "250000000000円"),
        ("金参百万円", "3000000円"),
        ("一三・五倍", "13.5倍"),
        ("十五分間", "15分"),
        ("十二名", "12名"),
        ("百二十三銘柄", "123銘柄"),
    ],
)
def test_quantity_in_one_form(text: str, value: str) -> None:
    assert [f.value for f in facts(text) if f.kind == "unit"] == [value]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026年3月", "2026年3月"),
        ("２０２６年３月", "2026年3月"),
        ("令和8年3月", "2026年3月"),
        ("令和八年三月", "2026年3月"),
        ("二〇二六年三月", "2026年3月"),
        ("R8.3", "2026年3月"),
        ("R8/3/31", "2026年3月31日"),
        ("2026/3", "2026年3月"),
        ("2026/03", "2026年3月"),
        ("2026-03", "2026年3月"),
        ("26年3月", "2026年3月"),
        ("March 2026", "2026年3月"),
        ("Mar. 2026", "2026年3月"),
        ("2026年3月31日", "2026年3月31日"),
        ("2026/03/31", "2026年3月31日"),
        ("2026.3.31", "2026年3月31日"),
        ("Mar 31, 2026", "2026年3月31日"),
        ("31 March 2026", "2026年3月31日"),
        ("令和元年5月", "2019年5月"),
        ("平成31年4月30日", "2019年4月30日"),
        ("昭和64年1月7日", "1989年1月7日"),
        ("㍻31年4月", "2019年4月"),
        ("3月19日", "3月19日"),
        ("3/31", "3月31日"),
        ("3月末", "3月末"),
        ("3月中旬", "3月中旬"),
        ("2026年1〜3月期", "2026年1~3月"),
        ("1-3月期", "1~3月"),
        ("2026年3月期", "2026年3月期"),
        ("2026年度", "2026年度"),
        ("FY2026", "2026年度"),
        ("令和8年度", "2026年度"),
        ("第1四半期", "第1四半期"),
        ("1Q", "第1四半期"),
        ("Q1 2026", "2026年第1四半期"),
        ("2025年末", "2025年末"),
        ("二十五日", "25日"),
        ("二〇二六年度", "2026年度"),
    ],
)
def test_date_in_one_form(text: str, value: str) -> None:
    assert [(f.kind, f.value, f.text) for f in facts(text)] == [("date", value, text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4.2〜4.5%", ["4.2%", "4.5%"]),
        ("4.2%-4.5%", ["4.2%", "4.5%"]),
        ("3から5%", ["3%", "5%"]),
        ("3〜5万円", ["30000円", "50000円"]),
        ("38,000円～39,000円", ["38000円", "39000円"]),
        ("4月10日〜12日", ["4月10日", "4月12日"]),
    ],
)
def test_ranges_share_unit_and_scale(text: str, found: list[str]) -> None:
    assert values(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [("三万八千五百で終えた", ["38500"]), ("二〇二六", ["2026"]), ("百二十三", ["123"]), ("第百二十三", [])],
)
def test_a_bare_kanji_numeral_of_three_signs_is_a_number(text: str, found: list[str]) -> None:
    assert values(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "一方で、一部の銘柄は一段と、第一に一時的に",
        "数十社、数%、十数年",
        "四半期ごとに",
        "G7とCOVID-19",
        "三菱と二酸化炭素",
        "唯一社、同一銘柄、十分に、万一、一時、一人、一日千秋",
        "①株式 ②債券",
        "まずは、必ず、わずかに、はずだ、いずれ",
        "かもしれない。に過ぎない。にすぎません。だけでなく、のみならず。",
        "なければならない。なくてはならない。ねばならない。しなければなりません。ざるを得ない。",
        "にもかかわらず、を問わず、相変わらず、少なからず、間違いない、に違いありません。",
        "しか上がらなかった。するしかない。",
        "ないしは、間もなく、なくなった、言うまでもなく、欠かせない。少ない。",
        "It may rise. not only, no doubt, whether or not.",
        "March on. It may.",
    ],
)
def test_nothing_to_find(text: str) -> None:
    assert facts(text) == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("日銀は金融政策を変更しなかった。", 1),
        ("変更しませんでした。", 1),
        ("変更せず、", 1),
        ("問題はない。", 1),
        ("問題ありません。", 1),
        ("変更なし。", 1),
        ("少なくない。", 1),
        ("予期せぬ下落", 1),
        ("上がらない限り、下がらない。", 2),
        ("とは限らない。", 1),
        ("してはならない。", 1),
        ("ないわけではない。", 2),
        ("変化することなく推移した。", 1),
        ("It did not rise and never fell.", 2),
        ("It didn't; it cannot.", 2),
    ],
)
def test_negations_counted(text: str, count: int) -> None:
    assert values(text, "negation") == ["ない"] * count


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("日銀とBOJ", ["日本銀行", "日本銀行"]),
        ("BOJX、インドネシア", []),
        ("インドは", ["インド"]),
        ("米連邦準備制度理事会（FRB）は", ["米連邦準備制度理事会"]),
        ("ＦＲＢは", ["米連邦準備制度理事会"]),
        ("S&P500は5,680", ["S&P500"]),
        ("日経225は", ["日経平均株価"]),
        ("Fed", ["米連邦準備制度理事会"]),
        ("Federal", []),
    ],
)
def test_names_longest_form_and_whole_words(text: str, found: list[str]) -> None:
    assert values(text, "name") == found


def test_a_figure_inside_a_name_is_no_figure() -> None:
    assert values("日経225は38,500円、S&P500は5,680") == ["日経平均株価", "38500円", "S&P500", "5680"]


def test_mask_shows_the_form_only() -> None:
    one = mask("令和８年３月の日経平均は▲３．２％", NAMES)
    assert one == "〈日付〉の〈名〉は〈率〉"
    assert one == mask("2025年11月のN225は0.4パーセント", NAMES)
    assert mask("金利は変わらなかった。") == "金利は変わらなかった。"


# --- properties -----------------------------------------------------------------------------------------------------

_number = st.one_of(
    st.integers(0, 99999).map(str),
    st.integers(1000, 9_999_999).map("{:,}".format),
    st.decimals(0, 999, places=2).map(str),
)
_quantity = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "▲", "-", "マイナス", "+"]),
    _number,
    st.sampled_from(["%", "円", "ポイント", "bp", "ドル", "億円", "倍", "社", "か月"]),
)
_date = st.builds(
    "{}{}月{}".format,
    st.sampled_from(["", "2026年", "令和8年", "平成30年"]),
    st.integers(1, 12),
    st.sampled_from(["", "5日", "末", "期"]),
)
_words = st.sampled_from(
    [
        "株式市場は",
        "、日銀は",
        "となった。",
        "が上昇し、",
        "の下落",
        "しなかった。",
        "BOJ",
        "日経平均",
        " ",
        "一方",
        "インド",
    ]
)
_sentence = st.lists(st.one_of(_quantity, _date, _words), max_size=12).map("".join)
_anything = st.one_of(
    _sentence, st.text(max_size=60), st.text(alphabet="0123456789.,/-年月日%円一二十万億~〜▲ 数第", max_size=24)
)

_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


@given(_anything)
@settings(deadline=None, max_examples=400)
def test_offsets_point_at_the_text(text: str) -> None:
    for fact in facts(text, NAMES):
        assert text[fact.start : fact.end] == fact.text
        assert fact.start < fact.end


@given(_anything)
@settings(deadline=None, max_examples=300)
def test_facts_but_negations_do_not_overlap(text: str) -> None:
    found = [f for f in facts(text, NAMES) if f.kind != "negation"]
    assert all(one.end <= two.start for one, two in itertools.pairwise(found))


@given(_sentence)
@settings(deadline=None, max_examples=400)
def test_values_read_as_themselves(text: str) -> None:
    for fact in facts(text, NAMES):
        assert [(f.kind, f.value) for f in facts(fact.value, NAMES)] == [(fact.kind, fact.value)]


@given(_sentence)
@settings(deadline=None, max_examples=400)
def test_full_width_reads_as_half_width(text: str) -> None:
    wide = text.translate(_WIDE)
    assert [(f.kind, f.value) for f in facts(wide, NAMES)] == [(f.kind, f.value) for f in facts(text, NAMES)]


@given(_anything)
@settings(deadline=None, max_examples=200)
def test_mask_never_fails(text: str) -> None:
    assert isinstance(mask(text, NAMES), str)
