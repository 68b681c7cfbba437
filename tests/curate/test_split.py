"""Pool, exam and lessons: the exam is never taught, not even in part."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensaku.curate import Curate, Exam, Lessons, Sources, Use, curate, exam, files, ingest, lessons
from tensaku.curate.overlap import fold
from tensaku.curate.rows import PairFile, read_drops
from tensaku.errors import UsageError
from tensaku.store import Artifact, SilentReporter, SourceFile, Store


def row(n: int, month: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"p{n}",
        "draft": f"第{n}号の原稿である。株は{n}%上昇。",
        "final": f"第{n}号の公表文です。株式は{n}%上昇しました。",
        "manager": "あおば",
        "fund": "国内株式",
        "section": "market",
        "as_of": month,
        "family": f"f{n}",
    } | more


def road(
    folder: Path, rows: list[dict[str, Any]], cfg: Lessons, newest: str = "6 months", steps: Any = ()
) -> list[Artifact]:
    (folder / "a.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    store = Store(folder / "work", SilentReporter())
    sources = Sources(use=(Use(path="a.jsonl"),))
    source = store.run(ingest, sources, **files(sources, folder))
    pool = store.run(curate, Curate(steps=steps), source=source)
    asked = store.run(exam, Exam(newest=newest), pool=pool)
    return [pool, asked, store.run(lessons, cfg, pool=pool, exam=asked)]


def test_the_newest_months_are_the_exam(tmp_path: Path) -> None:
    rows = [row(n, f"2026-{n:02d}") for n in range(1, 10)]
    pool, asked, taught = road(tmp_path, rows, Lessons())
    assert [pair.as_of for pair in PairFile(asked.path / "exam.jsonl")] == [f"2026-{n:02d}" for n in range(4, 10)]
    assert [pair.as_of for pair in PairFile(taught.path / "lessons.jsonl")] == ["2026-01", "2026-02", "2026-03"]
    assert asked.facts["months"] == {"first": "2026-04", "last": "2026-09"}
    assert taught.facts["pool"]["n"] == 9
    assert pool.facts["datasheet"]["months"] == {"first": "2026-01", "last": "2026-09", "n": 9}


def test_nothing_of_the_exam_is_taught(tmp_path: Path) -> None:
    new = row(9, "2026-09")
    rows = [
        row(1, "2020-01", draft="全く別の話題を扱う文章。", final="債券市場についての説明です。"),
        row(2, "2020-01", family="f9"),
        row(3, "2020-01", draft="第９号の原稿である。 株は９％上昇。"),
        row(4, "2020-01", final="第９号の公表文です。株式は9％上昇しました。"),
        row(5, "2020-01", draft=new["draft"] + "なお。", final="為替の話に変えた文です。"),
        new,
    ]
    (tmp_path / "counted").mkdir()
    _, asked, taught = road(tmp_path / "counted", rows, Lessons(near=0.85))
    reasons = {drop.row["id"]: drop.reason for drop in read_drops(taught.path / "drops.jsonl")}
    assert reasons == {"p2": "exam-family", "p3": "exam-draft", "p4": "exam-final"}
    assert asked.facts["families_across"] == 1
    assert taught.facts["near_copies"] == 1
    (tmp_path / "dropped").mkdir()
    _, _, taught = road(tmp_path / "dropped", rows, Lessons(near=0.85, drop_near=True))
    assert taught.facts["dropped"]["near-exam"] == 1
    assert [pair.id for pair in PairFile(taught.path / "lessons.jsonl")] == ["p1"]


def test_the_share_of_forms_seen_masks_figures(tmp_path: Path) -> None:
    rows = [
        row(1, "2020-01", final="株式は3.2%上昇しました。債券は横ばいでした。"),
        row(2, "2026-09", final="株式は9.9%上昇しました。円安が進みました。"),
    ]
    *_, taught = road(tmp_path, rows, Lessons())
    assert (taught.facts["forms_seen"], taught.facts["exam_sentences"]) == (1, 2)
    assert taught.facts["form_seen_share"] == 0.5


def test_the_names_of_the_house_are_masked_too(tmp_path: Path) -> None:
    rows = [
        row(1, "2020-01", final="あおば投信は堅調でした。"),
        row(2, "2026-09", final="みどり投信は堅調でした。"),
    ]
    pool, asked, taught = road(tmp_path, rows, Lessons())
    (tmp_path / "names.toml").write_text(
        '[names]\n"あおば投信" = ["あおば投信"]\n"みどり投信" = ["みどり投信"]\n', encoding="utf-8"
    )
    store = Store(tmp_path / "work", SilentReporter())
    named = store.run(lessons, Lessons(), pool=pool, exam=asked, names=SourceFile(tmp_path / "names.toml"))
    assert (taught.facts["form_seen_share"], named.facts["form_seen_share"]) == (0.0, 1.0)


def test_a_pool_within_the_exam_leaves_no_lessons(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none is left to learn from"):
        road(tmp_path, [row(1, "2026-08"), row(2, "2026-09")], Lessons())


def test_a_span_is_read_or_refused() -> None:
    Exam(newest="1 year")
    Exam(newest="3か月")
    with pytest.raises(pydantic.ValidationError, match="must say how many months"):
        Exam(newest="soon")
    with pytest.raises(pydantic.ValidationError, match="must say how many months"):
        Exam(newest="0 months")


words = st.text(st.sampled_from("甲乙丙３3"), min_size=1, max_size=3)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(words, words, st.integers(1, 12), st.integers(0, 6)), min_size=2, max_size=20))
def test_a_split_shares_no_family_no_draft_and_no_final(cells: list[tuple[str, str, int, int]]) -> None:
    rows = [
        row(n, f"2026-{m:02d}", draft=f"稿{d}", final=f"文{f}", family=f"f{k}") for n, (d, f, m, k) in enumerate(cells)
    ]
    with tempfile.TemporaryDirectory() as folder:
        try:
            pool, asked, taught = road(Path(folder), rows, Lessons(), newest="3 months")
        except UsageError:
            return
        inside = list(PairFile(asked.path / "exam.jsonl"))
        outside = list(PairFile(taught.path / "lessons.jsonl"))
        dropped = list(read_drops(taught.path / "drops.jsonl"))
        assert len(inside) + len(outside) + len(dropped) == pool.facts["n"]
        assert not {p.family for p in inside} & {p.family for p in outside}
        assert not {fold(p.draft) for p in inside} & {fold(p.draft) for p in outside}
        assert not {fold(p.final) for p in inside} & {fold(p.final) for p in outside}
        assert max(p.as_of for p in outside) < min(p.as_of for p in inside)
