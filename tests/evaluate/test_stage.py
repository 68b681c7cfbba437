"""The whole stage, with a scripted engine in the place of a model; and the report that it leaves."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tensaku.config import Section
from tensaku.errors import UsageError
from tensaku.evaluate import Evaluate, answers, engine_from, evaluate, table
from tensaku.records import Message, Pair
from tensaku.store import Artifact, Bench, SilentReporter, SourceFile, Store, stage
from tensaku.testing import ScriptedEngine, tiny_pairs, write_adapter

EVIL = "<script>alert(1)</script>&\"'"
PAIRS = [
    *tiny_pairs(11),
    replace(tiny_pairs(12)[11], draft=f"弊社は{EVIL}と述べた。", final=f"当社は{EVIL}と述べました。"),
]


class Nothing(Section):
    """No settings."""


@stage(version=1)
def exam(bench: Bench, cfg: Nothing) -> None:
    lines = (json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in PAIRS)
    (bench.path / "exam.jsonl").write_text("".join(lines), encoding="utf-8")
    bench.facts.update(n=len(PAIRS), months={"first": "2025-01", "last": "2025-12"}, families_across=0)


@stage(version=1)
def lessons(bench: Bench, cfg: Nothing, *, exam: Artifact) -> None:
    files = [{"file": f"{EVIL}.csv", "rows": 20, "set_aside": {"bad-as-of": 2}}]
    steps = [{"step": "duplicates", "dropped": {"duplicate": 3}}]
    lines = (json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in tiny_pairs(40)[12:])
    (bench.path / "lessons.jsonl").write_text("".join(lines), encoding="utf-8")
    bench.facts.update(n=28, form_seen_share=0.25, pool={"n": 15, "source": {"files": files}, "steps": steps})


@stage(version=1)
def base(bench: Bench, cfg: Nothing) -> None:
    bench.facts.update(sha256="ab" * 32, licence="Apache-2.0")


@stage(version=1)
def tune(bench: Bench, cfg: Nothing, *, base: Artifact) -> None:
    write_adapter(bench.path / "adapter")
    rows = [{"step": n, "loss": 2 / n, "lr": 1e-3, "tokens": 5, "seconds": n} for n in range(1, 30)]
    (bench.path / "loss.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def pair_of(messages: tuple[Message, ...]) -> Pair:
    return next(pair for pair in PAIRS if pair.draft in messages[-1].content)


def taught(messages: tuple[Message, ...]) -> str:
    """Right but for one number and one sentence."""
    pair = pair_of(messages)
    changed = {"tiny-003": pair.final.replace("2.1", "9.9"), "tiny-004": pair.final.split("。", 1)[1]}
    return changed.get(pair.id, pair.final)


def untaught(messages: tuple[Message, ...]) -> str:
    return EVIL + pair_of(messages).draft


def run(folder: Path, cfg: Evaluate | None = None) -> tuple[Artifact, list[ScriptedEngine]]:
    opened: list[ScriptedEngine] = []

    def factory(spec: Mapping[str, Any], path: Path) -> ScriptedEngine:
        assert spec in ({"engine": "native"}, {"engine": "native", "precision": "fp32"})
        opened.append(ScriptedEngine(untaught, by_adapter={"tuned": taught}))
        return opened[-1]

    store = Store(folder / "work", SilentReporter())
    (folder / "instruction.md").write_text("公表文に直してください。\n", encoding="utf-8")
    asked, model = store.run(exam, Nothing()), store.run(base, Nothing())
    given = {"exam": asked, "lessons": store.run(lessons, Nothing(), exam=asked), "base": model}
    adapter = store.run(tune, Nothing(), base=model)
    cfg, told = cfg or Evaluate(resamples=200), {"instruction": SourceFile(folder / "instruction.md")}
    with engine_from(factory):
        answered = store.run(answers, cfg.answering(), exam=asked, base=model, adapter=adapter, **told)
    made = store.run(evaluate, cfg, **given, adapter=adapter, answered=answered, **told)  # no model is asked
    return made, opened


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, list[ScriptedEngine]]:
    return run(tmp_path_factory.mktemp("evaluate"))


def test_the_facts_that_others_read(made: tuple[Artifact, list[ScriptedEngine]]) -> None:
    facts = made[0].facts
    assert facts["exam_n"] == 12
    assert facts["bleu_base"] < facts["bleu_draft"] < facts["bleu_tuned"] < 100
    assert facts["chrf_tuned"] > facts["chrf_draft"]
    assert facts["bleu_char_tuned"] > facts["bleu_char_draft"]
    assert facts["facts_kept"] == pytest.approx(10 / 12, abs=1e-4)
    assert facts["dropped_sentences"] == 1
    assert facts["doubled_sentences"] == 0
    assert facts["form_seen_share"] == 0.25
    assert facts["decode_tokens_per_second"] > 0
    assert set(facts["signatures"]) == {"bleu", "bleu-char", "chrf", "edits", "strokes"}
    assert facts["bleu_draft"] < facts["bleu_rules"] < facts["bleu_tuned"]
    assert facts["strokes_draft"] > facts["strokes_rules"] > facts["strokes_tuned"] > 0
    assert facts["lower_is_better"] == ["strokes"]
    assert {(gain["row"], gain["over"]) for gain in facts["gains"] if gain["scorer"] == "bleu"} == {
        ("rules", "draft"),
        ("base", "draft"),
        ("tuned", "draft"),
        ("base", "rules"),
        ("tuned", "rules"),
    }


def test_one_engine_answers_both_rows_and_is_closed(made: tuple[Artifact, list[ScriptedEngine]]) -> None:
    (engine,) = made[1]
    assert engine._closed
    assert (
        sorted(str(request.adapter) for request in engine.requests) == ["None"] * 15 + ["tuned"] * 15
    )  # 3 of each are probes
    assert all("公表文に直してください。" in request.messages[0].content for request in engine.requests)


def test_every_output_is_kept_as_it_is_with_its_finding(made: tuple[Artifact, list[ScriptedEngine]]) -> None:
    lines = [json.loads(line) for line in made[0].file("outputs.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == [pair.id for pair in PAIRS]
    broken = lines[3]["rows"]["tuned"]
    assert not broken["kept"]
    assert {(found["what"], found["kind"]) for found in broken["breaks"]} == {
        ("missing", "percent"),
        ("added", "percent"),
    }
    assert lines[3]["rows"]["base"]["text"].startswith(EVIL)
    assert lines[4]["rows"]["tuned"]["dropped"]
    assert lines[0]["rows"]["tuned"]["exact"]
    assert lines[0]["rows"]["tuned"]["provenance"]["engine"] == "scripted"


def test_the_table_for_a_terminal(made: tuple[Artifact, list[ScriptedEngine]]) -> None:
    head, *rows = table(made[0])
    assert head[:5] == ["", "n", "bleu", "bleu-char", "chrf"]
    assert [row[1] for row in rows] == ["12", "12", "12", "12"]
    assert all(len(row) == len(head) for row in rows)


def test_the_figures_as_a_table_for_a_spreadsheet(made: tuple[Artifact, list[ScriptedEngine]]) -> None:
    with made[0].file("scores.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    held = json.loads(made[0].file("scores.json").read_text(encoding="utf-8"))["rows"]
    assert list(rows) == list(held) == ["draft", "rules", "base", "tuned"]
    for name, row in rows.items():
        assert None not in row
        assert None not in row.values()
        for end, key in (("", "value"), ("_low", "low"), ("_high", "high")):
            assert float(row[f"bleu-char{end}"]) == held[name]["scores"]["bleu-char"][key]
        assert float(row["facts_kept"]) == held[name]["findings"]["facts_kept"]
    assert (rows["tuned"]["dropped"], rows["draft"]["seconds"]) == ("1", "")
    assert float(rows["tuned"]["seconds"]) > 0


class Page(HTMLParser):
    """Collects what a browser would load or run, checks that tags close, and takes the text."""

    VOID = frozenset(("meta", "input", "br", "rect", "line", "polyline", "text/"))

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.scripts = 0
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script" or any(name.startswith("on") for name, _ in attrs)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_report_is_whole_loads_nothing_and_shows_markup_as_text(
    made: tuple[Artifact, list[ScriptedEngine]],
) -> None:
    written = made[0].file("report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(written)
    page.close()
    assert page.open == []
    assert page.scripts == 0
    assert page.loads == []
    assert not re.search(r"https?://|@import|url\(", written)
    shown = "".join(page.texts)
    assert EVIL in shown
    for words in ("評価報告書", "調整済みモデル", "学習の経過", "同じ対の重複", "年月が読めない行", "系譜", "9.9"):
        assert words in shown
    assert written.count("<svg") == 7


def test_the_worst_come_first_by_broken_facts(made: tuple[Artifact, list[ScriptedEngine]]) -> None:
    written = made[0].file("report.html").read_text(encoding="utf-8")
    assert re.findall(r"<small>(tiny-\d+)</small>", written)[:2] == ["tiny-004", "tiny-003"]


def test_a_sample_for_the_base_model(tmp_path: Path) -> None:
    made, (engine,) = run(tmp_path, Evaluate(resamples=100, base_sample=4, scorers=({"scorer": "chrf"},)))
    assert made.facts["base_n"] == 4
    assert sum(request.adapter is None for request in engine.requests) == 4 + 3
    assert [(gain["row"], gain["over"]) for gain in made.facts["gains"]] == [
        ("rules", "draft"),
        ("tuned", "draft"),
        ("tuned", "rules"),
    ]
    assert "等間隔に選んだ 4 件" in made.file("report.html").read_text(encoding="utf-8")


def test_another_number_format_answers_beside(tmp_path: Path) -> None:
    cfg = Evaluate(resamples=100, also={"fp32": {"precision": "fp32"}}, scorers=({"scorer": "chrf"},))
    made, engines = run(tmp_path, cfg)
    assert len(engines) == 2
    assert made.facts["chrf_tuned_fp32"] == made.facts["chrf_tuned"]
    assert [row[0] for row in table(made)][-1] == "調整済み fp32"
    assert "調整済み（fp32）" in made.file("report.html").read_text(encoding="utf-8")


def test_scorers_must_differ(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the scorer chrf is named twice"):
        run(tmp_path, Evaluate(scorers=({"scorer": "chrf"}, {"scorer": "chrf"})))


def test_another_scorer_or_price_asks_no_model_again(tmp_path: Path) -> None:
    cfg = Evaluate(resamples=100, scorers=({"scorer": "exact"},))
    first, opened = run(tmp_path, cfg)
    assert sum(len(engine.requests) for engine in opened) > 0
    other = {"scorers": ({"scorer": "chrf"},), "yen_per_hour": 100.0, "resamples": 200}
    second, again = run(tmp_path, cfg.model_copy(update=other))
    assert again == []
    assert second.ref != first.ref
    assert second.inputs["answered"] == first.inputs["answered"]
    assert second.facts["costs"]["tuned"]["yen_per_thousand"] > 0
    assert first.facts["costs"]["tuned"]["yen_per_thousand"] is None
