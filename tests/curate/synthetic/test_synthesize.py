"""Made-up pairs: mined wordings, what a model is asked, what is let through, the mark, the cap, never in an exam."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tensaku.curate import Exam, Lessons, Synthesize, exam, finals_source, lessons, synthesize, topics_file
from tensaku.curate.made import is_made, made_id
from tensaku.curate.rows import JsonlWriter, PairFile, read_drops
from tensaku.curate.synthetic.judging import judged
from tensaku.curate.synthetic.prompts import back, grade_of, two_texts, written
from tensaku.curate.synthetic.voices import as_draft, mine
from tensaku.errors import DataError, UsageError
from tensaku.ledger import Ledger, NewTopic
from tensaku.plugins import engines
from tensaku.records import Drop, Message, Pair
from tensaku.sampledesk import folder
from tensaku.store import Artifact, Bench, SilentReporter, SourceFile, Store, stage
from tensaku.testing import ScriptedEngine

asked: list[str] = []


def writes(messages: tuple[Message, ...]) -> str:
    """Drafts in the manner of 七色橋, and a poor grade for what speaks of bonds."""
    text = messages[-1].content
    asked.append(text)
    if "評価" in text:
        return "自然です。\n評価: " + ("2" if "債券" in text.rpartition("<原稿>")[2] else "5")
    if "題材" in text:
        return "<公表文>\n為替は円安となった。\n</公表文>\n<原稿>\nいつもお世話になります。為替は円安です。\n</原稿>"
    last = text.rpartition("<原稿>" if "書き直して" in text else "<公表文>")[2].partition("</")[0].strip()
    return f"<原稿>\n平素よりありがとうございます。{last}\n</原稿>"


@engines.register("test-writes")
def scripted(base: Path, /) -> ScriptedEngine:
    """Answers by a rule."""
    return ScriptedEngine(writes, context=20_000)


@stage(version=1, name="test-pool")
def a_pool(bench: Bench, cfg: Exam, *, pairs: SourceFile) -> None:
    """A pool of the pairs in a file."""
    with JsonlWriter(bench.path / "pairs.jsonl") as file:
        for pair in PairFile(pairs.path):
            file.write(pair)


@pytest.fixture(scope="module")
def real() -> list[Pair]:
    read = (folder() / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [Pair(**json.loads(line), source=f"pairs.jsonl:{number}") for number, line in enumerate(read, 1)]
    return pairs[::5]


class Road:
    """The stages around `synthesize`, over a workspace of their own."""

    def __init__(self, path: Path, pairs: list[Pair]) -> None:
        self.path, self.store = path, Store(path / "work", SilentReporter())
        with JsonlWriter(path / "in.jsonl") as file:
            for pair in pairs:
                file.write(pair)
        self.pool = self.store.run(a_pool, Exam(), pairs=SourceFile(path / "in.jsonl"))
        self.exam = self.store.run(exam, Exam(newest="6 months"), pool=self.pool)
        with Ledger.open(path / "ledger.sqlite") as ledger:
            ledger.add_person("sato", "佐藤")
            ledger.add_person("mori", "森")
            ledger.review_topic(
                ledger.add_topic(NewTopic("knowledge", "円安", "為替。"), by="sato").id, "approved", by="mori"
            )
            ledger.add_topic(NewTopic("knowledge", "まだ", "未承認。"), by="sato")
            self.topics = topics_file(ledger, path / "topics")

    def synthesize(self, cfg: Synthesize, **more: Any) -> Artifact:
        given = {"instruction": SourceFile(folder() / "instruction.md"), "names": SourceFile(folder() / "names.toml")}
        return self.store.run(synthesize, cfg, pool=self.pool, exam=self.exam, topics=self.topics, **given, **more)

    def lessons(self, made: Artifact) -> Artifact:
        return self.store.run(lessons, Lessons(), pool=self.pool, exam=self.exam, made=made)


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory, real: list[Pair]) -> Road:
    return Road(tmp_path_factory.mktemp("synthesize"), real)


def test_a_voice_is_what_the_house_changes_turned_round(real: list[Pair]) -> None:
    voices = mine(real)
    assert len(voices) == 10
    wordings = {(rule.old, rule.new) for voice in voices for rule in voice.rules}
    assert ("した。", "しました。") in wordings
    assert ("した", "しました") not in wordings, "it would be said in the middle of a sentence too"
    dice = random.Random(1)
    final = "当月の国内株式市場は3.2%上昇した。日本銀行が利上げを見送ったことから、投資家心理が改善した。"
    drafts = {as_draft(final, voice, dice) for voice in voices for _ in range(5)}
    assert len(drafts) > 10
    assert all("3.2" in text or "３．２" in text for text in drafts)
    assert [as_draft(final, voices[0], random.Random(7)) for _ in "ab"] == [
        as_draft(final, voices[0], random.Random(7))
    ] * 2


def test_answers_count_only_if_they_are_plain() -> None:
    assert [grade_of(said) for said in ("評価: 4", "評価：５点", "評価: 4\n評価: 2", "4", "")] == [
        4,
        5,
        None,
        None,
        None,
    ]
    assert written("<原稿>\n本文。\n</原稿>\n以上です。") == "本文。"
    assert written(" 本文。 ") == "本文。"
    assert two_texts("<公表文>公。</公表文><原稿>原。</原稿>") == ("原。", "公。")
    assert two_texts("<公表文>公。</公表文>") is None
    assert two_texts("<公表文>公。</公表文><原稿>原。</原稿><原稿>又。</原稿>") is None
    assert "</公表文>" not in back("逃げる</公表文>", "甲", (), "ja").rpartition("<公表文>")[2].removesuffix(
        "</公表文>"
    )


def test_what_differs_or_leads_to_the_exam_is_set_aside(real: list[Pair]) -> None:
    one = real[0]
    held = [replace(real[1], as_of="2030-01", final="秘密の公表文です。")]
    rows = [
        replace(one, draft=one.final),
        replace(one, draft=one.draft),
        replace(one, draft="指数は9.9%上昇しました。", final="指数は8.8%上昇した。"),
        replace(one, draft="銘柄選択がマイナスに寄与しました。", final="銘柄選択がプラスに寄与した。"),
        replace(one, draft="ながい" * 40, final="短い。"),
        replace(one, draft="市場は堅調でした。", final="市場は堅調だった。", as_of="2030-01"),
        replace(one, draft="秘密の公表文ですね。", final="秘密の公表文です。"),
        replace(one, draft="市場は堅調でした。", final="市場は堅調だった。"),
        replace(one, draft="市場は堅調でした。", final="市場は堅調となった。"),
    ]
    found = list(judged(rows, [one], held, {}))
    assert [row.reason if isinstance(row, Drop) else "kept" for row in found] == [
        "unchanged",
        "copy",
        "facts-differ",
        "direction-differs",
        "length-ratio",
        "exam-month",
        "near-exam",
        "kept",
        "copy",
    ]


def test_rules_alone_make_marked_pairs_up_to_the_cap(road: Road) -> None:
    made = road.synthesize(Synthesize(make={"errors": 150}, most=0.5))
    rows = list(PairFile(made.file("made.jsonl")))
    assert len(rows) == made.facts["n"] == made.facts["real"] // 2
    assert all(is_made(pair) and pair.source.startswith("synthetic:errors:") for pair in rows)
    assert made.facts["dropped"]["capped"] == sum(d.reason == "capped" for d in read_drops(made.file("drops.jsonl")))
    taught = road.lessons(made)
    assert taught.facts["made"] == len(rows)
    assert taught.facts["n"] == made.facts["real"] + len(rows)
    (road.path / "again").mkdir()
    again = Road(road.path / "again", list(PairFile(road.path / "in.jsonl")))
    same = again.synthesize(Synthesize(make={"errors": 150}, most=0.5))
    assert same.file("made.jsonl").read_bytes() == made.file("made.jsonl").read_bytes()


def test_a_model_writes_grades_and_is_asked_once(road: Road, tmp_path: Path, real: list[Pair]) -> None:
    loose = [
        {"final": "当月の金価格は2.5%上昇した。", "fund": "ななほし", "section": "market", "as_of": "2023-05"},
        {"final": "債券市場は1.5%下落した。", "fund": "ななほし", "section": "market", "as_of": "2023-06"},
        {"final": real[-1].final, "fund": "ななほし", "section": "market", "as_of": real[-1].as_of},
    ]
    (tmp_path / "finals.jsonl").write_text("".join(json.dumps(row) + "\n" for row in loose), encoding="utf-8")
    cfg = Synthesize.model_validate(
        {
            "make": {"back": 2, "paraphrase": 3, "topics": 7},
            "engine": {"engine": "test-writes"},
            "finals": "finals.jsonl",
        }
    )
    asked.clear()
    made = road.synthesize(cfg, finals=finals_source(cfg, tmp_path))
    rows = {pair.source.split(":")[1]: pair for pair in PairFile(made.file("made.jsonl"))}
    reasons = {drop.reason: drop for drop in read_drops(made.file("drops.jsonl"))}
    assert rows["back"].final == "当月の金価格は2.5%上昇した。"
    assert rows["back"].draft == "平素よりありがとうございます。当月の金価格は2.5%上昇した。"
    assert rows["back"].manager in {pair.manager for pair in real}
    assert "債券" in reasons["low-grade"].row["draft"]
    assert reasons["exam-final"].row["final"] == real[-1].final
    assert any("題材: 円安" in text for text in asked)
    assert not any("まだ" in text for text in asked if "題材" in text)
    assert reasons["copy"].source.startswith("synthetic:topics:"), "one answer to seven questions is one pair"
    n = len(asked)
    assert road.synthesize(cfg, finals=finals_source(cfg, tmp_path)).ref == made.ref
    assert len(asked) == n


def test_what_was_made_up_is_never_asked(tmp_path: Path, real: list[Pair]) -> None:
    newest = max(pair.as_of for pair in real)
    fake = [replace(real[0], id=made_id("errors", str(n), ""), draft=f"{n}件", as_of=newest) for n in range(9)]
    held = Road(tmp_path, [*real, *fake])
    assert not any(is_made(pair) for pair in PairFile(held.exam.file("exam.jsonl")))


def test_wrong_settings_and_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="back needs an engine"):
        Synthesize(make={"back": 1})
    away = Synthesize(make={"back": 1}, engine={"engine": "openai", "url": "https://api.example.com/v1"})
    with pytest.raises(UsageError, match="nobody is named who allowed it"):
        finals_source(away, tmp_path)
    with pytest.raises(UsageError, match="no such file"):
        finals_source(Synthesize(finals="none.jsonl"), tmp_path)


def test_a_broken_line_of_finals_is_named(road: Road, tmp_path: Path) -> None:
    for text, line in (('{"final": "文。"}\n', 1), ("\nno json\n", 2)):
        (tmp_path / "f.jsonl").write_text(text, encoding="utf-8")
        cfg = Synthesize(make={"errors": 3}, finals="f.jsonl")
        with pytest.raises(DataError, match=f"line {line}"):
            road.synthesize(cfg, finals=finals_source(cfg, tmp_path))
