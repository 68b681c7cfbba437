"""The sample desk's own data: every fault of the old system's export is found, with its right reason."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files as resource_files
from pathlib import Path

import pytest

from tensaku.curate import Curate, Exam, Lessons, Sources, Use, curate, exam, files, ingest, lessons
from tensaku.curate.rows import PairFile, read_drops
from tensaku.store import Artifact, SilentReporter, SourceFile, Store

EXPECTED = {
    "copy": "duplicate",
    "width": "duplicate",
    "no-draft": "empty-draft",
    "no-final": "empty-final",
    "same": "identical-sides",
    "twin": "contradictory-twin",
    "cut": "field-count",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    desk = Path(str(resource_files("tensaku.sampledesk")))
    store = Store(tmp_path_factory.mktemp("work"), SilentReporter())
    sources = Sources(use=(Use(path="pairs.jsonl"), Use(path="old-system.csv")))
    source = store.run(ingest, sources, **files(sources, desk))
    pool = store.run(curate, Curate(), source=source)
    asked = store.run(exam, Exam(), pool=pool)
    taught = store.run(lessons, Lessons(), pool=pool, exam=asked, names=SourceFile(desk / "names.toml"))
    return {"source": source, "pool": pool, "exam": asked, "lessons": taught}


def test_every_faulty_row_goes_with_its_right_reason(made: dict[str, Artifact]) -> None:
    drops = [*read_drops(made["source"].path / "drops.jsonl"), *read_drops(made["pool"].path / "drops.jsonl")]
    assert all(drop.source.startswith("old-system.csv:") for drop in drops)
    found = {str(drop.row.get("id") or drop.row["text"].split(",")[0]): drop.reason for drop in drops}
    assert len(found) == len(drops) == 30
    assert found == {row: EXPECTED[row.split("-", 2)[2]] for row in found}


def test_every_sound_pair_stays(made: dict[str, Artifact]) -> None:
    assert made["pool"].facts["n"] == 800
    assert not [step for step in made["pool"].facts["steps"] if step["step"] == "repair" and step["noted"]]


def test_exam_and_lessons_make_up_the_pool(made: dict[str, Artifact]) -> None:
    months = Counter(pair.as_of for pair in PairFile(made["exam"].path / "exam.jsonl"))
    assert (min(months), max(months)) == ("2026-04", "2026-09")
    assert made["exam"].facts["n"] + made["lessons"].facts["n"] + sum(made["lessons"].facts["dropped"].values()) == 800
    assert 0 < made["lessons"].facts["form_seen_share"] < 0.6
