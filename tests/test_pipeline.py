"""The whole road on a tiny desk: what each stage hands to the next, and that nothing is done twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tensaku.errors import ConfigError, DataError, GateError, NotFound, UsageError
from tensaku.pipeline import STAGES, Workspace, build
from tensaku.store import SilentReporter, Store
from tensaku.testing import tiny_desk


def walk(folder: Path, *sets: str, until: str = "release") -> dict[str, str]:
    """The refs that a walk leaves, by stage."""
    workspace = Workspace.open(folder, sets)
    built = build(Store(workspace.root, SilentReporter()), workspace, until)
    return {stage: artifact.ref for stage, artifact in built.artifacts.items()}


def manifests(folder: Path) -> dict[str, bytes]:
    return {p.parent.name: p.read_bytes() for p in (folder / ".tensaku" / "artifacts").glob("*/manifest.json")}


def test_every_stage_is_sealed_and_says_what_it_was_made_from(road: Path) -> None:
    store = Store(road / ".tensaku", SilentReporter())
    made = {artifact.stage: artifact for artifact in store.list()}
    passed_by = {"synthesize", "trim", "documents", "pretrain", "decisions", "dpo"}  # the tiny desk has no use for them
    assert set(made) == set(STAGES) - passed_by
    for artifact in made.values():
        assert store.verify(artifact.ref) == []
    release = made["release"]
    lineage = [artifact.stage for artifact in store.lineage(release.ref)]
    assert set(lineage) == set(made)
    assert lineage[-1] == "release"
    assert made["tune"].inputs["base"] == made["base"].ref
    assert made["tune"].inputs["lessons"] == made["lessons"].ref
    assert "exam" not in made["tune"].inputs
    assert made["evaluate"].inputs["exam"] == made["exam"].ref
    assert release.inputs["adapter"] == made["tune"].ref


def test_the_exam_is_never_taught(road: Path) -> None:
    made = {artifact.stage: artifact for artifact in Store(road / ".tensaku", SilentReporter()).list()}
    exam, lessons = (
        [json.loads(line) for line in made[stage].file(f"{stage}.jsonl").read_text(encoding="utf-8").splitlines()]
        for stage in ("exam", "lessons")
    )
    assert len(exam) == 10
    assert min(row["as_of"] for row in exam) > max(row["as_of"] for row in lessons)
    assert not {row["family"] for row in exam} & {row["family"] for row in lessons}
    assert made["evaluate"].facts["exam_n"] == 10
    assert made["tune"].facts["lessons"] == len(lessons)


def test_a_second_walk_does_no_work(desk: Path) -> None:
    before = manifests(desk)
    refs = walk(desk)
    assert manifests(desk) == before
    assert set(refs.values()) == set(before)
    assert refs["trim"] == refs["base"]


@pytest.mark.parametrize(
    ("change", "until", "again"),
    [
        ("evaluate.resamples=101", "evaluate", {"evaluate"}),
        ("tune.seed=2", "tune", {"tune"}),
        ('exam.newest="5 months"', "lessons", {"exam", "lessons"}),
        ("lessons.near=0.95", "lessons", {"lessons"}),
        ('trim.keep="ja"', "trim", {"trim"}),
        ("serve.port=9000", "release", set()),
        ('gate.owner="Model risk"', "release", {"release"}),
    ],
)
def test_a_changed_knob_runs_what_depends_on_it_and_no_more(
    desk: Path, change: str, until: str, again: set[str]
) -> None:
    before = walk(desk, until=until)
    after = walk(desk, change, until=until)
    assert {stage for stage in after if after[stage] != before[stage]} == again


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("data/pairs.jsonl", {"ingest", "curate", "exam", "lessons"}),
        ("model/LICENSE", {"base", "trim"}),
        ("names.toml", {"lessons"}),
    ],
)
def test_a_changed_file_too(desk: Path, name: str, again: set[str]) -> None:
    before = walk(desk, until="trim")
    with (desk / name).open("a", encoding="utf-8") as file:
        file.write("\n")
    after = walk(desk, until="trim")
    assert {stage for stage in after if after[stage] != before[stage]} == again


def test_a_changed_file_that_a_step_names_too(tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk")
    asked = folder / "asked.jsonl"
    asked.write_text(
        '{"text": "この文は、どの原稿にも公表文にもない長い試験の文であり、三十字を超えている。"}\n', encoding="utf-8"
    )
    change = 'curate.steps=[{ step = "decontaminate", exam = "asked.jsonl" }]'
    before = walk(folder, change, until="lessons")
    assert walk(folder, change, until="lessons") == before
    with asked.open("a", encoding="utf-8") as file:
        file.write("\n")
    after = walk(folder, change, until="lessons")
    assert {stage for stage in after if after[stage] != before[stage]} == {"curate", "exam", "lessons"}


def test_it_stops_where_it_is_told(tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk")
    assert list(walk(folder, until="exam")) == ["ingest", "curate", "exam"]
    assert len(manifests(folder)) == 3
    workspace = Workspace.open(folder)
    with pytest.raises(NotFound, match=r"no stage 'evalute'\. Did you mean evaluate\?"):
        build(Store(workspace.root, SilentReporter()), workspace, "evalute")


def test_a_gate_that_says_no(desk: Path) -> None:
    need = 'gate.need=[{ gate = "beats-draft", by = 5.0 }, { gate = "exam-size", at_least = 11 }]'
    before = manifests(desk)
    with pytest.raises(GateError, match=r"gate 'beats-draft' refused.*'exam-size' too") as caught:
        walk(desk, need)
    assert caught.value.exit_code == 3
    assert manifests(desk) == before


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ('evaluate.scorers=[{ scorer = "blue" }]', r"no scorer 'blue'.*Did you mean bleu"),
        ('evaluate.scorers=[{ scorer = "bleu", tokenise = "char" }]', r"unknown setting 'tokenise'.*'tokenize'"),
        ('evaluate.engine={ engine = "nativ" }', r"no engine 'nativ'.*Did you mean native"),
        ('evaluate.engine={ engine = "native", precision = "int4" }', "precision must be one of"),
        ('curate.steps=[{ step = "reapir" }]', r"no step 'reapir'.*Did you mean repair"),
        (
            'curate.steps=[{ step = "empty" }, { step = "decontaminate", exam = "gone.jsonl" }]',
            r"gone\.jsonl: there is no such file.*Correct exam in step 'decontaminate'",
        ),
        ('gate.need=[{ gate = "beats-drafts" }]', r"no gate 'beats-drafts'.*Did you mean beats-draft"),
        ('gate.need=[{ gate = "facts-kept", least = 1.0 }]', "unknown setting 'least'"),
        ('sources.use=[{ path = "data/gone.jsonl" }]', "there is no such file"),
        ('base.model="path:data"', "this folder is no model"),
        ('base.model="gemma"', "named in no known way"),
        ('task.instruction="gone.md"', r"there is no such file.*task\.instruction"),
        ('task.names="gone.toml"', r"there is no such file.*task\.names"),
    ],
)
def test_what_can_be_known_is_known_before_any_work(tmp_path: Path, change: str, what: str) -> None:
    folder = tiny_desk(tmp_path / "desk")
    with pytest.raises(ConfigError, match=what):
        Workspace.open(folder, [change])
    assert not (folder / ".tensaku").exists()


def test_all_faults_together(tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk")
    (folder / "instruction.md").write_bytes("公表文".encode("cp932"))
    (folder / "names.toml").write_text('[names]\n"日銀" = 3\n', encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        Workspace.open(folder, ['base.model="path:nowhere"', 'gate.need=[{ gate = "x" }]'])
    faults = caught.value.faults
    assert len(faults) == 4
    for what in ("there is no such folder", "the instruction is not UTF-8", "日銀", "no gate 'x'"):
        assert any(what in fault for fault in faults), what


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("日銀 = [", r"names\.toml: the names cannot be read"),
        ('names = "x"', "the names are no table"),
        ('"日銀" = ["日銀", 3]', "list of texts"),
    ],
)
def test_names_that_are_no_table(tmp_path: Path, content: str, what: str) -> None:
    folder = tiny_desk(tmp_path / "desk")
    (folder / "names.toml").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=what):
        Workspace.open(folder)


def test_a_table_of_names_without_a_heading_will_do(tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk")
    (folder / "names.toml").write_text('"日本銀行" = ["日銀", "日本銀行"]\n', encoding="utf-8")
    assert Workspace.open(folder).names() == {"日本銀行": ["日銀", "日本銀行"]}
    walk(folder, until="lessons")


def test_a_job_speaks_for_the_workspace(road: Path) -> None:
    workspace = Workspace.open(road)
    job = workspace.job({"release": "release-1"})
    assert (job.adapter, job.provenance) == (None, {"release": "release-1"})
    assert job.instruction == (road / "instruction.md").read_text(encoding="utf-8").strip()
    assert job.names == workspace.names()


def test_faulty_rows_stop_the_road_with_file_and_line(tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk")
    with (folder / "data" / "pairs.jsonl").open("a", encoding="utf-8") as file:
        file.write("{ not json\n")
    with pytest.raises(DataError, match=r"pairs\.jsonl, line 61: the line is not JSON"):
        walk(folder, until="ingest")
    assert manifests(folder) == {}


def test_no_lessons_are_left(tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk")
    with pytest.raises(UsageError, match="all pairs lie within the newest 10 years"):
        walk(folder, 'exam.newest="10 years"', until="exam")


def test_the_trimmed_model_goes_all_the_way(desk: Path) -> None:
    refs: dict[str, Any] = walk(desk, 'trim.keep="ja"')
    store = Store(desk / ".tensaku", SilentReporter())
    assert refs["trim"] != refs["base"]
    assert store.get(refs["tune"]).inputs["base"] == refs["trim"]
    assert store.get(refs["release"]).inputs["base"] == refs["trim"]
