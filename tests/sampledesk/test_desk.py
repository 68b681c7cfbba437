from __future__ import annotations

import re
from collections import Counter

import pytest

from tensaku.sampledesk.content import funds
from tensaku.sampledesk.desk import Desk, build
from tensaku.sampledesk.market import months_between
from tensaku.sampledesk.voices import voices

EXAM = "2026-04"


@pytest.fixture(scope="module")
def desk() -> Desk:
    return build()


def test_there_are_800_pairs_in_48_months(desk: Desk) -> None:
    months = Counter(p.as_of for p in desk.pairs)
    assert len(desk.pairs) == 800
    assert sorted(months) == months_between("2022-10", "2026-09")
    assert set(months.values()) == {16, 17}
    assert {p.as_of for p in desk.drafts} == {"2026-10"}
    assert len(desk.drafts) == 17


def test_every_manager_fund_and_section_is_well_covered(desk: Desk) -> None:
    lessons = [p for p in desk.pairs if p.as_of < EXAM]
    exam = [p for p in desk.pairs if p.as_of >= EXAM]
    for rows, share in ((lessons, 0.05), (exam, 0.03)):
        assert {p.manager for p in rows} == {v.name for v in voices()}
        assert {p.fund for p in rows} == {f.name for f in funds()}
        for count in Counter(p.fund for p in rows).values():
            assert count >= share * len(rows)
        assert min(Counter(p.section for p in rows).values()) >= 0.25 * len(rows)


def test_ids_are_unique_and_sides_differ(desk: Desk) -> None:
    rows = [*desk.pairs, *desk.drafts]
    assert len({p.id for p in rows}) == len(rows)
    assert all(p.draft != p.final for p in desk.pairs)
    assert len({p.draft for p in desk.pairs}) == 800


def test_a_family_is_one_fund_section_and_month(desk: Desk) -> None:
    members: dict[str, set[str]] = {}
    for p in desk.pairs:
        members.setdefault(p.family, set()).add(f"{p.fund}/{p.section}")
        assert p.as_of >= p.family[-7:]
    assert all(len(kinds) == 1 for kinds in members.values())


def test_some_drafts_come_in_again_and_cross_the_border_of_the_exam(desk: Desk) -> None:
    again = [p for p in desk.pairs if p.id.endswith("-again")]
    first = {p.family: p.as_of for p in desk.pairs if not p.id.endswith("-again")}
    assert 10 <= len(again) <= 14
    assert all(first[p.family] < p.as_of for p in again)
    assert sum(first[p.family] < EXAM <= p.as_of for p in again) >= 2


def test_managers_of_one_month_quote_the_same_figures(desk: Desk) -> None:
    moves: dict[tuple[str, str], set[str]] = {}
    levels: dict[tuple[str, str], set[str]] = {}
    for p in desk.pairs:
        month = p.family[-7:]
        if p.section == "market":
            found = re.search(r"市場は([\d.]+%)(上昇|下落)", p.final)
            assert found
            moves.setdefault((p.fund, month), set()).add(found[1] + found[2])
        for name, level in re.findall(
            r"(10年国債利回り|日経平均株価|1ドル=|S&P500種株価指数は|原油先物価格は)は?([\d,.]+)", p.final
        ):
            before = "米国" if f"米国{name}" in p.final else ""
            levels.setdefault((before + name, month), set()).add(level)
        found = re.search(r"ベンチマークの(-?[\d.]+)%", p.final)
        if found:
            moves.setdefault((p.fund, month), set()).add(
                f"{found[1].lstrip('-')}%{'下落' if found[1].startswith('-') else '上昇'}"
            )
    assert len(levels) > 60
    assert all(len(values) == 1 for values in moves.values())
    assert all(len(values) == 1 for values in levels.values())


def test_the_gap_is_fund_minus_benchmark(desk: Desk) -> None:
    found = [
        re.search(r"騰落率は(-?[\d.]+)%となり、ベンチマークの(-?[\d.]+)%を([\d.]+)ポイント(上|下)回った", p.final)
        for p in desk.pairs
        if p.section == "performance"
    ]
    assert len(found) > 200
    assert all(found)
    for m in found:
        assert m is not None
        gap = float(m[3]) * (1 if m[4] == "上" else -1)
        assert round(float(m[1]) - float(m[2]), 1) == gap


def test_bond_prices_fall_when_yields_rise(desk: Desk) -> None:
    seen = 0
    for p in desk.pairs:
        for fell, rose in re.findall(r"(下落|上昇)し、[^。]*国債利回りは[\d.]+%に(上昇|低下)した", p.final):
            assert (fell, rose) in {("下落", "上昇"), ("上昇", "低下")}
            seen += 1
    assert seen > 20
    for month in desk.market.values():
        assert (month.returns["jp-bond"] > 0) == ("boj:dove" in month.flags)
        assert (month.returns["dm-bond"] > 0) == ("fed:dove" in month.flags)


def test_another_seed_gives_another_desk(desk: Desk) -> None:
    assert build(seed=7).pairs[0] != desk.pairs[0]
