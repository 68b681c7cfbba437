import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensaku.config import Section
from tensaku.errors import GateError, UsageError
from tensaku.govern import Gate, Release, release
from tensaku.store import Artifact, Bench, SourceFile, Store, stage
from tensaku.store.artifact import sha256_of

Road = Callable[..., dict[str, Artifact]]


class Task(Section):
    name: str = "monthly-comment"


def read(artifact: Artifact, name: str) -> Any:
    return json.loads(artifact.file(name).read_text(encoding="utf-8"))


def test_a_candidate_stands_without_its_ancestors(store: Store, road: Road, tmp_path: Path) -> None:
    (tmp_path / "instruction.md").write_text("直してください。", encoding="utf-8")
    made = road()
    found = store.run(release, Release(), **made, instruction=SourceFile(tmp_path / "instruction.md"))
    assert found.files == [
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
        "card.md",
        "gates.json",
        "instruction.md",
        "lineage.json",
        "report.html",
        "scores.json",
    ]
    weights = found.file("adapter/adapter_model.safetensors")
    assert weights.read_text() == "content of adapter_model.safetensors"
    assert weights.stat().st_ino != made["adapter"].file("adapter/adapter_model.safetensors").stat().st_ino
    assert found.facts["adapter_sha256"] == sha256_of(weights)
    assert found.facts["bleu_tuned"] == 88.75
    assert found.facts["made_from"]["adapter"] == made["adapter"].ref
    assert store.verify(found.ref) == []


def test_the_gates_are_written_out(store: Store, road: Road) -> None:
    gates = read(store.run(release, Release(), **road()), "gates.json")
    assert gates["passed"] is True
    assert [(g["gate"], g["passed"]) for g in gates["gates"]] == [("beats-draft", True), ("facts-kept", True)]
    assert gates["gates"][1]["settings"] == {"at_least": 0.98}


def test_the_lineage_goes_up_to_the_files(store: Store, road: Road, tmp_path: Path) -> None:
    made = road()
    lineage = read(store.run(release, Release(), **made), "lineage.json")
    assert {name: part["key"] for name, part in lineage["inputs"].items()} == {n: a.key for n, a in made.items()}
    refs = [entry["ref"] for entry in lineage["artifacts"]]
    assert sorted(ref.rpartition("-")[0] for ref in refs) == ["base", "evaluate", "exam", "lessons", "pool", "tune"]
    for entry in lineage["artifacts"]:
        inner = [part["ref"] for part in entry["inputs"].values() if not part["ref"].startswith("file:")]
        assert all(refs.index(ref) < refs.index(entry["ref"]) for ref in inner)
    assert {Path(f["path"]).name: f["sha256"] for f in lineage["files"]} == {
        "pairs.jsonl": sha256_of(tmp_path / "pairs.jsonl"),
        "weights.gguf": sha256_of(tmp_path / "weights.gguf"),
    }


def test_the_model_document_says_it_in_both_languages(store: Store, road: Road) -> None:
    gate = Gate(owner="運用企画部 山田|係")
    card = store.run(release, Release(task=Task(), gate=gate), **road()).file("card.md").read_text(encoding="utf-8")
    assert "# モデル記述書: monthly-comment" in card
    assert "# Model document: monthly-comment" in card
    for words in (
        "| 責任者 | 運用企画部 山田\\|係 |",
        "| Licence | gemma |",
        f"| Hash (SHA-256) | {'b' * 64} |",
        "| Parameters | 268,000,000 |",
        "| Lessons | 700 | 2022-10 – 2026-03 | exam-family 3 |",
        "| Exam (never trained on) | 100 | 2026-04 – 2026-09 | — |",
        "| BLEU（語） | 52.50 | — | 40.25 | 88.75 |",
        "| chrF | 60.00 | — | 50.00 | 92.00 |",
        "numbers, dates, units, names, negations) | 99.0 % |",
        "| 事実を保つ | 事実をすべて保つ出力の割合 0.9900 | 0.9800 以上 | 合格 |",
        "| facts-kept | 0.9900 of outputs keep every fact | at least 0.9800 | passed |",
        "投資判断",
    ):
        assert words in card


def test_the_model_document_says_how_the_figures_were_measured(store: Store, road: Road) -> None:
    more = {
        "base_n": 20,
        "signatures": {"bleu": "nrefs:1|tok:ja-mecab"},
        "intervals": {"bleu": {"draft": [50.0, 55.0], "base": [0.0, 0.0], "tuned": [86.5, 90.0]}},
    }
    card = store.run(release, Release(), **road(more)).file("card.md").read_text(encoding="utf-8")
    assert "| BLEU（語） | 52.50 [50.00, 55.00] | — | 40.25 | 88.75 [86.50, 90.00] |" in card
    assert "基盤モデルは 100 件中 20 件の標本で測った。" in card
    assert "measured on a sample of 20 of the 100 pairs" in card
    assert "| BLEU（語） | nrefs:1\\|tok:ja-mecab |" in card


def test_a_gate_that_says_no_makes_no_candidate_and_leaves_its_findings(store: Store, road: Road) -> None:
    made = road({"bleu_tuned": 55.0, "facts_kept": 0.5})
    with pytest.raises(GateError) as caught:
        store.run(release, Release(), **made)
    message = str(caught.value)
    assert caught.value.exit_code == 3
    assert "'beats-draft' refused: measured bleu 55.00, +2.50" in message
    assert "'facts-kept' too: measured 0.5000" in message
    assert store.list("release") == []
    (written,) = store.root.glob("scratch/release-*/gates.json")
    assert str(written) in message
    assert json.loads(written.read_text())["passed"] is False


def test_a_lower_gate_then_makes_a_clean_candidate(store: Store, road: Road) -> None:
    made = road({"bleu_tuned": 55.0})
    with pytest.raises(GateError):
        store.run(release, Release(), **made)
    lower = Release(gate=Gate(need=({"gate": "beats-draft", "by": 1.0},)))
    assert read(store.run(release, lower, **made), "gates.json")["passed"] is True


def test_evidence_for_something_else_is_refused(store: Store, road: Road) -> None:
    ours, other = road(), road(files=("adapter_config.json", "adapter_model.safetensors"))
    assert ours["adapter"].ref != other["adapter"].ref
    with pytest.raises(UsageError, match="measured another adapter"):
        store.run(release, Release(), **{**ours, "evaluation": other["evaluation"]})
    with pytest.raises(UsageError, match="tuned on other lessons"):
        store.run(release, Release(), **{**ours, "lessons": ours["exam"]})
    with pytest.raises(UsageError, match="not made on this exam"):
        store.run(release, Release(), **{**ours, "exam": ours["lessons"]})
    assert store.list("release") == []


@pytest.mark.parametrize(
    ("files", "missing"),
    [((), "adapter/adapter_config.json"), (("adapter_config.json",), "adapter/adapter_model.safetensors")],
)
def test_what_is_no_adapter_is_refused(store: Store, road: Road, files: tuple[str, ...], missing: str) -> None:
    with pytest.raises(UsageError, match=f"holds no {missing}"):
        store.run(release, Release(), **road(files=files))
    assert store.list("release") == []


@stage(version=1)
def dpo(bench: Bench, cfg: Section, *, adapter: Artifact, base: Artifact) -> None:
    (bench.path / "adapter").mkdir(exist_ok=True)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (bench.path / "adapter" / name).write_text(f"more of {name}")


@stage(version=1, name="evaluate")
def evaluate_again(bench: Bench, cfg: Section, *, adapter: Artifact, base: Artifact, exam: Artifact) -> None:
    for name in ("report.html", "scores.json"):
        (bench.path / name).write_text("{}")
    bench.facts.update(bleu_draft=50.0, bleu_tuned=80.0, facts_kept=1.0)


def test_an_adapter_tuned_on_top_of_another_has_its_lessons(store: Store, road: Road) -> None:
    ours, other = road(), road(files=("adapter_config.json", "adapter_model.safetensors"))
    top = store.run(dpo, Section(), adapter=ours["adapter"], base=ours["base"])
    measured = store.run(evaluate_again, Section(), adapter=top, base=ours["base"], exam=ours["exam"])
    found = store.run(release, Release(), **{**ours, "adapter": top, "evaluation": measured})
    assert found.inputs["adapter"] == top.ref
    assert ours["adapter"].ref in found.file("lineage.json").read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="tuned on other lessons"):
        store.run(release, Release(), **{**other, "adapter": top, "evaluation": measured, "lessons": ours["exam"]})


def test_a_figure_that_was_not_measured_stops_the_release(store: Store, road: Road) -> None:
    with pytest.raises(UsageError, match="did not measure 'bleu_draft'"):
        store.run(release, Release(), **road({"bleu_draft": None}))
