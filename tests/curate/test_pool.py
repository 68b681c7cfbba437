"""The pool: its data sheet, and a run that goes on after the step at which it was killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.curate.test_steps import PAIR

from tensaku.curate import Curate, Sources, curate, files, ingest
from tensaku.plugins import steps
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


def test_a_killed_run_goes_on_after_its_last_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert PAIR.draft
    _, made = source(tmp_path, [{"draft": f"株は{n % 7}円。", "final": f"株式は{n % 7}円。"} for n in range(30)])
    whole = tmp_path / "whole"
    bench = Bench(_folder(whole / "path"), _folder(whole / "aside"))
    curate(bench, Curate(), source=made)
    killed = Bench(_folder(tmp_path / "k" / "path"), _folder(tmp_path / "k" / "aside"))
    walked: list[str] = []
    build = steps.build

    def watched(use: dict[str, object]) -> object:
        part = build(use)

        def call(*given: object) -> object:
            walked.append(part.name)
            if part.name == "twins" and walked.count("twins") == 1:
                raise KeyboardInterrupt
            return part(*given)

        return type("Watched", (), {"name": part.name, "args": part.args, "__call__": lambda _, *given: call(*given)})()

    monkeypatch.setattr(steps, "build", watched)
    with pytest.raises(KeyboardInterrupt):
        curate(killed, Curate(), source=made)
    curate(killed, Curate(), source=made)
    assert walked.count("duplicates") == 1
    assert walked.count("twins") == 2
    for name in ("pairs.jsonl", "drops.jsonl", "datasheet.html"):
        assert (killed.path / name).read_bytes() == (bench.path / name).read_bytes()
    assert killed.facts == bench.facts


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path
