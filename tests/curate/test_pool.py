"""The pool: its data sheet, its shards, and a run that goes on with what an earlier one had not done."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tensaku.curate import Curate, Sources, curate, files, ingest, shards, step_files
from tensaku.curate.steps import drop, one_by_one
from tensaku.errors import UsageError
from tensaku.plugins import steps
from tensaku.records import Drop, Pair
from tensaku.store import Artifact, Bench, SilentReporter, Store


def source(folder: Path, rows: list[dict[str, str]]) -> tuple[Store, Artifact]:
    with (folder / "pairs.jsonl").open("w", encoding="utf-8") as file:
        for row in rows:
            label = {"manager": "蒼樹坂", "fund": "みずいろ", "section": "market", "as_of": "2026-01"}
            file.write(json.dumps(label | row, ensure_ascii=False) + "\n")
    cfg = Sources.model_validate({"use": [{"path": "pairs.jsonl"}]})
    store = Store(folder / "work", SilentReporter())
    return store, store.run(ingest, cfg, **files(cfg, folder))


def test_the_data_sheet_is_sealed_and_tells_what_happened(tmp_path: Path) -> None:
    rows = [{"draft": f"株は\u200b{n}円上昇。山田太郎様へ。", "final": f"株式は{n}円上昇しました。"} for n in range(9)]
    rows += [rows[0], rows[1] | {"final": "別の公表文 <script>alert(1)</script>"}]
    store, made = source(tmp_path, rows)
    pool = store.run(curate, Curate(), source=made)
    page = pool.file("datasheet.html").read_text(encoding="utf-8")
    for words in (
        "データシート",
        "Data sheet",
        "contradictory-twin",
        "duplicate",
        "person",
        "要判断",
        "drafts mended 11",
    ):
        assert words in page, words
    assert "<script>" not in page
    assert "://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert pool.facts["n"] == 9


def test_an_empty_pool_has_a_data_sheet(tmp_path: Path) -> None:
    store, made = source(tmp_path, [{"draft": "同じ", "final": "同じ"}])
    pool = store.run(curate, Curate(), source=made)
    assert pool.facts["n"] == 0
    assert "identical-sides" in pool.file("datasheet.html").read_text(encoding="utf-8")


@steps.register("test-stops-once")
@one_by_one
def stops_once(rows: Iterable[Pair], tally: Counter[str], /, *, at: str, seen: str) -> Iterator[Pair | Drop]:
    """Writes down every pair that it sees in the file `seen`; stops the first time that it sees the draft `at`."""
    for pair in rows:
        stopped = Path(seen).exists() and at in Path(seen).read_text(encoding="utf-8").split()
        with Path(seen).open("a", encoding="utf-8") as file:
            file.write(pair.draft + "\n")
        if pair.draft == at and not stopped:
            raise KeyboardInterrupt
        tally["seen"] += 1
        yield drop(pair, "third", "every third goes") if pair.draft.endswith("3") else pair


def bench(folder: Path) -> Bench:
    for path in (folder / "path", folder / "aside"):
        path.mkdir(parents=True, exist_ok=True)
    return Bench(folder / "path", folder / "aside")


def content(made: Bench) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(made.path.iterdir())}


def test_a_stopped_run_goes_on_with_the_shards_that_are_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, made = source(tmp_path, [{"draft": f"原稿{n}", "final": f"公表文{n}"} for n in range(30)])
    whole, stopped = bench(tmp_path / "whole"), bench(tmp_path / "stopped")
    for folder in (whole, stopped):
        (folder.aside / "seen").touch()

    def told(folder: Bench) -> Curate:
        step = {"step": "test-stops-once", "at": "原稿23", "seen": str(folder.aside / "seen")}
        return Curate(steps=({"step": "duplicates"}, {"step": "empty"}, step, {"step": "ids"}))

    (whole.aside / "seen").write_text("原稿23\n", encoding="utf-8")
    curate(whole, told(whole), source=made)
    monkeypatch.setattr(shards, "SHARD", 10)
    with pytest.raises(KeyboardInterrupt):
        curate(stopped, told(stopped), source=made)
    curate(stopped, told(stopped), source=made)
    seen = (stopped.aside / "seen").read_text(encoding="utf-8").split()
    assert [seen.count(f"原稿{n}") for n in (0, 9, 10, 19, 20, 23, 24, 29)] == [1, 1, 1, 1, 2, 2, 1, 1]
    for name in ("pairs.jsonl", "drops.jsonl"):  # the data sheet holds the settings, a path here
        assert content(stopped)[name] == content(whole)[name]
    assert without_paths(stopped.facts) == without_paths(whole.facts)
    assert stopped.facts["dropped"] == {"third": 3}


def without_paths(facts: dict[str, Any]) -> dict[str, Any]:
    return facts | {"steps": [{key: told for key, told in step.items() if key != "args"} for step in facts["steps"]]}


def test_shards_and_processes_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"draft": f" 株は\u200b{n}円。", "final": "" if n % 7 == 0 else f"株式は{n % 40}円。"} for n in range(120)]
    _, made = source(tmp_path, rows)
    whole, cut = bench(tmp_path / "whole"), bench(tmp_path / "cut")
    curate(whole, Curate(), source=made)
    monkeypatch.setattr(shards, "SHARD", 9)
    curate(cut, Curate(), source=made)
    assert content(cut) == content(whole)
    assert cut.facts == whole.facts
    assert cut.facts["dropped"] == {"empty-final": 18}


def test_a_wrong_setting_is_told_as_it_is_whatever_process_meets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, made = source(tmp_path, [{"draft": f"株は{n}円。", "final": f"株式は{n}円。"} for n in range(30)])
    monkeypatch.setattr(shards, "SHARD", 5)
    cfg = Curate(steps=({"step": "empty"}, {"step": "decontaminate", "exam": str(tmp_path / "none.jsonl")}))
    with pytest.raises(UsageError, match="there is no such exam"):
        curate(bench(tmp_path / "b"), cfg, source=made)


def test_another_content_of_a_file_that_a_step_names_makes_another_pool(tmp_path: Path) -> None:
    texts = ["当月の国内株式市場は、企業業績への期待から上昇しました。", "債券市場では、長期金利が低下しました。"]
    store, made = source(tmp_path, [{"draft": text, "final": text + "以上"} for text in texts])
    exam = tmp_path / "old exam.jsonl"
    cfg = Curate(steps=({"step": "empty"}, {"step": "decontaminate", "exam": exam.name, "run": 10}))

    def pool(text: str) -> Artifact:
        exam.write_text(json.dumps({"text": text}, ensure_ascii=False), encoding="utf-8")
        return store.run(curate, cfg, source=made, files=step_files(cfg, tmp_path))

    first, second = pool(texts[0]), pool(texts[1])
    assert [made.facts["n"] for made in (first, second)] == [1, 1]
    assert first.ref != second.ref == pool(texts[1]).ref
    assert second.inputs == {"source": made.ref, "files.step_2_exam": f"file:{exam}"}
    assert texts[0] in second.file("pairs.jsonl").read_text(encoding="utf-8")
    # Where the file lies on this machine is no part of what the pool says.
    assert second.facts["steps"][1]["args"] == {"exam": exam.name, "run": 10}
    assert pool(texts[0]).ref == first.ref
    exam.unlink()
    with pytest.raises(UsageError, match=r"old exam.*there is no such file.*Correct exam in step 'decontaminate'"):
        step_files(cfg, tmp_path)


def test_what_the_steps_of_tensaku_read_is_known_as_files() -> None:
    told = {
        "decontaminate": {"exam": "a"},
        "quality": {"accepts": "a"},
        "domain": {"examples": "a"},
        "personal": {"key": "a"},
    }
    assert {name: steps.files({"step": name, **args}) for name, args in told.items()} == told
