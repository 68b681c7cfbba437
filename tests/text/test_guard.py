"""The facts guard: quiet where nothing was lost, loud where a figure, a date, a name or a negation changed."""

from __future__ import annotations

import csv
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.records import Fact
from tensaku.text import compare, facts, lost

NAMES = {
    "日本銀行": ["日銀", "BOJ"],
    "米連邦準備制度理事会": ["FRB", "Fed"],
    "トヨタ自動車": ["トヨタ"],
    "ソニーグループ": ["ソニー"],
    "日経平均株価": ["日経平均"],
    "TOPIX": ["東証株価指数"],
}

KEPT = [
    ("日経平均は▲３．２％、日銀は動かず。", "日経平均株価は3.2%下落した。日本銀行は政策を変更しませんでした。"),
    ("令和8年3月、25bp利上げ", "2026年3月は0.25%の利上げ"),
    ("売上高は3割増、営業利益は2割減。", "売上高は30%増加し、営業利益は20%減少した。"),
    ("ドル円は148円、ユーロ円は162円となりました。", "1ドル=148円、1ユーロ=162円となった。"),
    ("日経平均は3.2%、TOPIXは1.5%上昇。", "TOPIXは1.5%上昇し、日経平均株価は3.2%上昇した。"),
    ("日経平均とTOPIXはそれぞれ3.2%、1.5%上昇。", "日経平均株価は3.2%、TOPIXは1.5%上昇した。"),
    ("利回りは2.35%から2.41%へ上昇した。", "利回りは2.41%に上昇した（前月末2.35%）。"),
    ("政策金利を4.25〜4.50%に据え置いた。", "政策金利を4.25%～4.5%で維持した。"),
    ("騰落率は+1.2%でした。3月の騰落率は+1.2%でした。", "3月の騰落率は1.2%となった。"),
    ("2026年3月は上昇した。3月の上昇率は1.2%。", "2026年3月は1.2%上昇した。"),
    ("3月のリターンは1.2%。", "2026年3月の騰落率は1.2%となった。"),
    ("市場は値下がりしました。率は0.9%でした。", "市場は0.9%下落した。"),
    (
        "BMの-1.9%に対し、リターンは-2.3%となり、0.4ポイントの負け。",
        "当ファンドは-2.3%となり、ベンチマークの-1.9%を0.4ポイント下回った。",
    ),
    ("上がるかもしれない。", "上がる可能性がある。"),
    ("日銀は3月に動いた。日銀は様子を見る。", "日本銀行は3月に動き、様子を見る。"),
    ("FOMCでは、FRBが据え置いた。日銀も動かなかった。", "FRBはFOMCで据え置いた。日本銀行も動かなかった。"),
    ("日銀は利上げを決めました。FRBは利下げを見送りました。", "FRBは利下げを見送った。日本銀行は利上げを決定した。"),
]

LOST = [
    ("一桁", "上昇率は3.2%。", "上昇率は3.3%。", {"3.2%", "3.3%"}),
    ("符号", "騰落率は▲3.2%。", "騰落率は3.2%。", {"-3.2%", "3.2%"}),
    ("方向", "3.2%下落した。", "3.2%上昇した。", {"-3.2%", "3.2%"}),
    ("単位", "148円", "148ドル", {"148円", "148ドル"}),
    ("%とポイント", "0.5ポイント上昇", "0.5%上昇", {"0.5ポイント", "0.5%"}),
    ("年", "令和8年3月", "2025年3月", {"2026年3月", "2025年3月"}),
    ("年だけ", "2026年3月に", "2026年に", {"2026年3月"}),
    ("期間", "1〜3月期は", "1〜6月期は", {"1~3月", "1~6月"}),
    ("末と初", "3月末に", "3月初に", {"3月末", "3月初"}),
    ("年度", "2026年度", "2026年", {"2026年度", "2026年"}),
    ("名前", "日銀とFRBは", "日銀は", {"米連邦準備制度理事会"}),
    ("別の名前", "日銀は", "FRBは", {"日本銀行", "米連邦準備制度理事会"}),
    ("否定", "変更しなかった。", "変更した。", {"ない"}),
    ("否定の追加", "上昇した。", "上昇しなかった。", {"ない"}),
    ("少なくない", "影響は少なくない。", "影響は少ない。", {"ない"}),
    (
        "入れ替え",
        "日経平均は3.2%、TOPIXは1.5%上昇。",
        "日経平均株価は1.5%上昇し、TOPIXは3.2%上昇した。",
        {"3.2%", "1.5%"},
    ),
    (
        "それぞれ",
        "日経平均とTOPIXはそれぞれ3.2%、1.5%上昇。",
        "日経平均株価は1.5%、TOPIXは3.2%上昇した。",
        {"3.2%", "1.5%"},
    ),
    ("からへ", "2.35%から2.41%へ上昇した。", "2.41%から2.35%へ上昇した。", {"2.35%", "2.41%"}),
    ("為替", "ドル円は148円、ユーロ円は162円。", "1ドル=162円、1ユーロ=148円。", {"148円", "162円"}),
    (
        "対ベンチマーク",
        "BMの-1.9%に対し、リターンは-2.3%となった。",
        "当ファンドは-1.9%となり、ベンチマークは-2.3%となった。",
        {"-1.9%", "-2.3%"},
    ),
    ("同じ値の片方", "日経平均は1.2%上昇。トヨタの売上高は1.2%増。", "日経平均は1.2%上昇。トヨタは堅調。", {"1.2%"}),
    ("付け足し", "上昇した。", "3.2%上昇した。", {"3.2%"}),
    (
        "主語の入れ替え",
        "トヨタの好決算が寄与しました。ソニーの減益がマイナスでした。",
        "ソニーグループの好決算がプラスに寄与した。トヨタ自動車の減益がマイナスに影響した。",
        {"トヨタ自動車", "ソニーグループ"},
    ),
]


@pytest.mark.parametrize(("draft", "text"), KEPT)
def test_no_alarm_where_only_the_wording_changed(draft: str, text: str) -> None:
    assert compare(draft, text, NAMES).breaks == ()


@pytest.mark.parametrize(("draft", "text", "values"), [case[1:] for case in LOST], ids=[case[0] for case in LOST])
def test_alarm_where_a_fact_changed(draft: str, text: str, values: set[str]) -> None:
    verdict = compare(draft, text, NAMES)
    assert not verdict.kept
    assert {b.fact.value for b in verdict.breaks} == values
    for found in verdict.breaks:
        side = draft if found.what == "missing" else text
        assert side[found.fact.start : found.fact.end] == found.fact.text


def test_the_month_of_the_report_may_be_named_and_must_be_right() -> None:
    draft = "当月は1.2%上昇した。"
    assert compare(draft, "2026年3月は1.2%上昇した。", as_of="2026-03").kept
    assert not compare(draft, "2026年4月は1.2%上昇した。", as_of="2026-03").kept
    assert not compare(draft, "2026年3月は1.2%上昇した。").kept
    assert not compare("3月は1.2%上昇した。", "2025年3月は1.2%上昇した。", as_of="2026-03").kept
    assert compare("12月は1.2%上昇した。", "2025年12月は1.2%上昇した。", as_of="2026-03").kept


_bit = st.sampled_from(
    [
        "日経平均は",
        "TOPIXが",
        "3.2%",
        "▲1.5%",
        "38,500円",
        "上昇し、",
        "下落した。",
        "2026年3月",
        "変わらない。",
        "日銀の",
        "\n",
    ]
)


@given(st.one_of(st.lists(_bit, max_size=30).map("".join), st.text(max_size=60)))
@settings(deadline=None, max_examples=300)
def test_a_text_keeps_its_own_facts(text: str) -> None:
    assert compare(text, text, NAMES).kept


def test_a_very_long_draft_takes_no_quadratic_time() -> None:
    draft = "".join(f"第{n}銘柄は{n / 10:.1f}%上昇し、{n}円となった。" for n in range(1, 1_000))
    assert len(draft) > 20_000
    start = time.process_time()
    assert compare(draft, draft, NAMES).kept
    assert time.process_time() - start < 30  # about 3 s


# --- the sample desk: no alarm on true pairs, and nearly every alteration found ---------------------------------

_FIGURES = ("number", "percent", "unit")
Alteration = Callable[[random.Random, str, Sequence[Fact]], Iterator[str]]


def _spliced(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def one_digit(rng: random.Random, text: str, found: Sequence[Fact]) -> Iterator[str]:
    for fact in found:
        if fact.kind in _FIGURES:
            at = rng.choice([i for i in range(fact.start, fact.end) if text[i].isdigit()])
            yield text[:at] + rng.choice([d for d in "123456789" if d != text[at]]) + text[at + 1 :]


def two_figures(rng: random.Random, text: str, found: Sequence[Fact]) -> Iterator[str]:
    figures = [f for f in found if f.kind in _FIGURES]
    for i, one in enumerate(figures):
        for two in figures[i + 1 :]:
            if (
                one.text != two.text
                and one.value != two.value
                and re.sub(r"[-\d.,]", "", one.value) == re.sub(r"[-\d.,]", "", two.value)
            ):
                yield _spliced(text, [(one.start, one.end, two.text), (two.start, two.end, one.text)])


def no_sign(rng: random.Random, text: str, found: Sequence[Fact]) -> Iterator[str]:
    for fact in found:
        if fact.kind == "percent" and fact.text.startswith("-"):
            yield text[: fact.start] + text[fact.start + 1 :]


def other_direction(rng: random.Random, text: str, found: Sequence[Fact]) -> Iterator[str]:
    turned = {"上昇": "下落", "下落": "上昇", "上回": "下回", "下回": "上回"}
    for fact in found:
        word = text[fact.end :].removeprefix("の")[:2]
        if fact.kind in _FIGURES and word in turned:
            at = text.index(word, fact.end)
            yield text[:at] + turned[word] + text[at + 2 :]


def no_negation(rng: random.Random, text: str, found: Sequence[Fact]) -> Iterator[str]:
    plain = (
        ("行わなかった", "行った"),
        ("しなかった", "した"),
        ("なかった", "た"),
        ("ていない", "ている"),
        ("ない", "る"),
    )
    for fact in found:
        if fact.kind == "negation":
            for word, instead in plain:
                at = text.find(word, max(0, fact.start - 2), fact.end + 3)
                if at >= 0:
                    yield text[:at] + instead + text[at + len(word) :]
                    break


def other_year(rng: random.Random, text: str, found: Sequence[Fact]) -> Iterator[str]:
    for fact in found:
        year = re.match(r"20\d\d", fact.text)
        if fact.kind == "date" and year:
            yield text[: fact.start] + str(int(year.group()) + rng.choice([-2, -1, 1, 2])) + text[fact.start + 4 :]


def other_month(rng: random.Random, text: str, found: Sequence[Fact]) -> Iterator[str]:
    for fact in found:
        month = re.search(r"(\d+)月", fact.text)
        if fact.kind == "date" and month:
            other = rng.choice([n for n in range(1, 13) if n != int(month.group(1))])
            yield text[: fact.start + month.start(1)] + str(other) + text[fact.start + month.end(1) :]


def no_name(rng: random.Random, text: str, found: Sequence[Fact]) -> Iterator[str]:
    for value in sorted({f.value for f in found if f.kind == "name"}):
        yield _spliced(text, [(f.start, f.end, "") for f in found if f.kind == "name" and f.value == value])


ALTERATIONS: tuple[Alteration, ...] = (
    one_digit,
    two_figures,
    no_sign,
    other_direction,
    no_negation,
    other_year,
    other_month,
    no_name,
)


def test_no_false_alarm_on_the_sample_desk(pairs: list[dict[str, Any]], names: dict[str, list[str]]) -> None:
    alarms = {
        row["id"]: [(b.what, b.fact.value) for b in verdict.breaks]
        for row in pairs
        if not (verdict := compare(row["draft"], row["final"], names, as_of=row["as_of"])).kept
    }
    assert alarms == {}


@pytest.mark.parametrize("alter", ALTERATIONS, ids=lambda alter: str(alter.__name__))
def test_alterations_of_the_sample_desk_are_found(
    alter: Alteration, pairs: list[dict[str, Any]], names: dict[str, list[str]]
) -> None:
    rng = random.Random(1)
    missed: list[str] = []
    total = 0
    for row in pairs:
        for text in alter(rng, row["final"], facts(row["final"], names)):
            total += 1
            if compare(row["draft"], text, names, as_of=row["as_of"]).kept:
                missed.append(f"{row['draft']}\n-> {text}")
    assert total > 10
    assert 1 - len(missed) / total >= 0.995, "\n".join(missed[:5])


def test_reports_of_several_sections(pairs: list[dict[str, Any]], names: dict[str, list[str]]) -> None:
    """All sections of a fund and month in one text, the sections in another order, and two figures exchanged."""
    rng = random.Random(2)
    reports: Mapping[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in pairs:
        reports[row["fund"], row["as_of"]].append(row)
    missed: list[str] = []
    total = 0
    for (_, as_of), rows in reports.items():
        if len(rows) < 2:
            continue
        draft = "\n".join(r["draft"] for r in rows)
        final = "\n".join(r["final"] for r in rng.sample(rows, len(rows)))
        assert compare(draft, final, names, as_of=as_of).kept, f"{draft}\n-> {final}"
        for text in two_figures(rng, final, facts(final, names)):
            total += 1
            if compare(draft, text, names, as_of=as_of).kept:
                missed.append(f"{draft}\n-> {text}")
    assert 1 - len(missed) / total >= 0.99, "\n".join(missed[:5])


# --- texts made by others -------------------------------------------------------------------------------------------


def test_real_honorific_rewrites_raise_no_alarm(real_data: Callable[[str], Path]) -> None:
    with (real_data("keigo_transfer") / "annot_data_1.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(bool(facts(row["元文"])) for row in rows) > 100
    assert [row["元文"] for row in rows if not compare(row["元文"], row["変換文"]).kept] == []


def test_real_formal_rewrites_raise_few_alarms(real_data: Callable[[str], Path]) -> None:
    folder = real_data("pastel_jp") / "Formality"
    informal, formal = (
        (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines() for name in ("informal", "formal")
    )
    alarms = [a for a, b in zip(informal, formal, strict=True) if not compare(a, b).kept]
    assert len(alarms) <= 6  # each of them did change a negation or a figure: 家にいません became 家を空けます


def test_real_statements_altered(real_data: Callable[[str], Path]) -> None:
    rng = random.Random(3)
    missed = total = 0
    for file in sorted((real_data("fomc_statements") / "statements").glob("*.txt"))[::4]:
        text = file.read_text(encoding="utf-8", errors="replace")
        assert compare(text, text).kept
        for altered in one_digit(rng, text, facts(text)):
            total += 1
            missed += compare(text, altered).kept
    assert total > 50
    assert missed / total <= 0.005


@pytest.mark.parametrize(
    ("draft", "text"),
    [
        ("騰落率は三割五分の上昇。", "騰落率は35%の上昇。"),
        ("利率は五厘。", "利率は0.5%。"),
        ("二〇二六年三月に百二十三銘柄を保有。", "2026年3月に123銘柄を保有。"),
        ("日経平均は三万八千五百円。", "日経平均は3万8,500円。"),
    ],
)
def test_kanji_numerals_are_the_same_facts(draft: str, text: str) -> None:
    assert compare(draft, text).kept
    assert compare(text, draft).kept
    assert not compare(draft, text.replace("3", "4").replace("0.5", "0.6")).kept


def test_sentences_of_whose_facts_none_appears() -> None:
    draft = "株式は3.2%上昇した。債券は横ばい。為替は148円で、百二十社を調べた。9月は20社を売却した。"
    text = "株式は3.2%上昇した。債券は横ばい。9月は21社を売却した。"
    assert [sentence.text for sentence in lost(draft, compare(draft, text))] == ["為替は148円で、百二十社を調べた。"]
    assert lost(draft, compare(draft, draft)) == []
