"""Near and contained pairs: which goes, which stays, and that each drop names its partner."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.curate.test_steps import pairs, reasons, walk

from tensaku.curate import alike
from tensaku.curate.alike import figures_of
from tensaku.curate.dedup import Links, Plan, components, near_links
from tensaku.curate.dedup.contained import covers
from tensaku.curate.dedup.near import likeness_of
from tensaku.curate.shards import Shards, write_shards

LONG = "当月の国内株式市場は、企業業績への期待から上昇し、半導体関連株が買われた。月末にかけては利益確定の売りが出た。"


def test_of_near_pairs_the_newest_stays_and_the_drop_names_it() -> None:
    rows = pairs(
        {"draft": LONG, "final": LONG + "以上。"},
        {"draft": LONG.replace("半導体", "電気機器"), "final": LONG + "以 上。", "as_of": "2026-05"},
        {"draft": "まったく別の債券市場についての原稿であり、似たところはない。", "final": "債券市場は別である。"},
    )
    kept, dropped, _ = walk("near-duplicates", rows, likeness=0.6)
    assert [pair.id for pair in kept] == ["p2", "p3"]
    assert reasons(dropped) == [("near-duplicate", "a.csv:1")]
    assert dropped[0].partner == "a.csv:2"
    assert [pair.id for pair in walk("near-duplicates", rows, likeness=0.6, keep="first")[0]] == ["p1", "p3"]


def test_other_figures_or_other_finals_make_another_pair() -> None:
    rows = pairs({"draft": LONG + "騰落率は３％", "final": LONG}, {"draft": LONG + "騰落率は4%", "final": LONG})
    assert len(walk("near-duplicates", rows)[0]) == 2
    assert len(walk("near-duplicates", rows, figures="any")[0]) == 1
    rows = pairs({"draft": LONG, "final": "上昇した。"}, {"draft": LONG + "。", "final": "下落に転じ、売られた。"})
    kept, _, tally = walk("near-duplicates", rows)
    assert len(kept) == 2
    assert tally["near drafts, unlike finals"] == 1


def test_a_large_pool_is_compared_in_files_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [LONG.replace("半導体", f"業種{n // 3}") + "以上" * (n % 3) for n in range(60)]
    rows = pairs(*({"draft": text, "final": text} for text in texts))
    held = Shards(write_shards(tmp_path, rows), tmp_path)
    wanted = walk("near-duplicates", rows, figures="any")
    made: list[Path] = []

    def watched(texts: Iterable[str], plan: Plan, *, folder: Path) -> Links:
        made.append(folder)
        return near_links(texts, plan, folder=folder)

    monkeypatch.setattr(alike, "near_links", watched)
    monkeypatch.setattr(alike, "IN_MEMORY", 10)
    assert walk("near-duplicates", held, figures="any") == wanted
    assert len(wanted[1]) > 20
    assert made[0].parent == tmp_path
    assert not made[0].exists(), "what was kept in files goes when the step is done"


@pytest.mark.parametrize("keep", ["newest", "first"])
@pytest.mark.parametrize("figures", ["same", "any"])
@pytest.mark.parametrize("in_memory", [10, 10_000])
def test_who_stays_is_what_tables_of_pairs_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str, figures: str, in_memory: int
) -> None:
    dice = random.Random(11)
    texts = [LONG.replace("半導体", f"業種{n // 4}") + "以上" * dice.randrange(3) for n in range(40)] + [LONG] * 30
    rows = pairs(
        *(
            {
                "draft": f"{text}{dice.randrange(2)}％",
                "final": dice.choice((text, "下落した。")),
                "as_of": f"20{month}-05",
            }
            for text, month in ((text, dice.randrange(10, 14)) for text in texts)
        )
    )
    links = near_links([pair.draft for pair in rows], Plan.at(0.8))
    finals = likeness_of([(rows[a].final, rows[b].final) for a, b, _ in links], 5, "chars")
    same = [figures == "any" or figures_of(rows[a], "both") == figures_of(rows[b], "both") for a, b, _ in links]
    roots = components(len(rows), [link for link, s, f in zip(links, same, finals, strict=True) if s and f >= 0.8])
    groups: dict[int, list[int]] = {}
    for place, root in enumerate(roots.tolist()):
        groups.setdefault(root, []).append(place)
    stays = {
        place: max(group, key=lambda n: (rows[n].as_of if keep == "newest" else "", -n))
        for group in groups.values()
        for place in group
    }
    monkeypatch.setattr(alike, "IN_MEMORY", in_memory)
    held = Shards(write_shards(tmp_path, rows), tmp_path)
    kept, dropped, tally = walk("near-duplicates", held, figures=figures, keep=keep)
    assert [pair.source for pair in kept] == [rows[n].source for n in sorted(stays) if stays[n] == n]
    assert [(drop.source, drop.partner) for drop in dropped] == [
        (rows[n].source, rows[other].source) for n, other in sorted(stays.items()) if n != other
    ]
    assert tally["near drafts, unlike finals"] == sum(s and f < 0.8 for s, f in zip(same, finals, strict=True)) > 10
    assert len(dropped) > 20


def test_what_a_killed_run_left_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pairs({"draft": LONG, "final": LONG}, {"draft": LONG + "。", "final": LONG})
    held = Shards(write_shards(tmp_path, rows), tmp_path)
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "shingles.u32").write_bytes(bytes(4000))
    monkeypatch.setattr(alike, "IN_MEMORY", 1)
    assert len(walk("near-duplicates", held)[1]) == 1
    assert not (tmp_path / "near").exists()


def test_a_draft_within_another_goes() -> None:
    rows = pairs({"draft": LONG}, {"draft": LONG[5:45]}, {"draft": "新しい話。" * 12}, {"draft": LONG[:20]})
    kept, dropped, _ = walk("contained", rows, run=15)
    assert reasons(dropped) == [("contained", "a.csv:2"), ("contained", "a.csv:4")]
    assert dropped[0].partner == "a.csv:1"
    assert [pair.id for pair in kept] == ["p1", "p3"]


@given(st.lists(st.text("あいう", max_size=14), max_size=8), st.integers(1, 7))
def test_cover_is_that_of_the_slow_way(texts: list[str], run: int) -> None:
    found = covers(texts, run)
    for place, text in enumerate(texts):
        hit = {
            i + k
            for i in range(len(text) - run + 1)
            for k in range(run)
            if any(text[i : i + run] in other for other in texts[:place])
        }
        assert found[place].share == pytest.approx(len(hit) / len(text) if text else 0.0)
        assert (found[place].partner >= 0) == bool(hit)


def test_twins_by_rank_and_for_people() -> None:
    rows = pairs({"final": "甲", "source": "old.csv:1"}, {"final": "乙", "source": "chief.csv:1"}, {"draft": "別"})
    kept, dropped, _ = walk("twins", rows, keep="rank", trust=["chief.csv", "old.csv"])
    assert [pair.id for pair in kept] == ["p2", "p3"]
    assert dropped[0].partner == "chief.csv:1"
    kept, dropped, _ = walk("twins", rows, keep="people")
    assert [pair.id for pair in kept] == ["p3"]
    assert {drop.reason for drop in dropped} == {"contradiction-for-people"}
    rows = pairs({"draft": "甲"}, {"draft": "乙"})
    assert len(walk("twins", rows)[0]) == 2
    assert len(walk("twins", rows, same="final")[0]) == 1
