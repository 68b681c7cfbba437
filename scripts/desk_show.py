"""A desk to be looked at, in a process of its own: `python scripts/desk_show.py FOLDER PORT [full|empty]`.

`full` holds the sample desk's own drafts, half a year of saved comments, reports, questions and readings, answered by a
scripted engine that writes the published comment, so that every page shows what its reader sees without a model being
loaded. `empty` holds one person with a password and nothing else. The address is printed.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from tensaku.desk import AccessRules, mount
from tensaku.engines.protocol import Engine
from tensaku.govern import Approval, needs_by
from tensaku.govern.findings import add_finding
from tensaku.intake import Reports, Road
from tensaku.ledger import (
    Conditions,
    Ledger,
    NewComparison,
    NewDraft,
    ReasonsMissing,
    SeenPair,
    drafts,
    finals,
    lines,
    releases,
    rollouts,
)
from tensaku.records import Message, Revision, Usage, Verdict
from tensaku.retrieve.answer import Answerer
from tensaku.retrieve.indexing import Collection, index
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.search import Searcher
from tensaku.revise import Job
from tensaku.sampledesk import folder as sample
from tensaku.sampledesk import report_files
from tensaku.sampledesk.reports import sample_reports
from tensaku.serve import Served, build_app, run
from tensaku.testing import ScriptedEngine, write_adapter
from tensaku.text import names_from, required_from, style_from

PASSWORD = "correct-horse-1"  # noqa: S105  of a desk that lives for a minute, on this machine
RELEASE, NEWER, REFUSED = "release-3fa9c1d2b0aa", "release-7d10b95ce421", "release-b26f00e91c3d"
BASE = "trim-90aa12cd77e1"
PEOPLE = (
    ("sato", "佐藤 美咲", ("writer",)),
    ("tanaka", "田中 健一", ("writer",)),
    ("mori", "森 直子", ("reviewer",)),
    ("kansa", "監査 太郎", ("auditor",)),
    ("oda", "小田 修", ("developer",)),
    ("abe", "安倍 涼子", ("validator",)),
    ("kuroda", "黒田 明", ("approver",)),
)
WRITERS = (
    report_files.word_with_styles,
    report_files.pdf_of_two_pages,
    report_files.excel_beside_labels,
    report_files.html_of_today,
    report_files.pdf_of_two_columns,
    report_files.word_in_a_table,
)
RULES = """# 運用報告コメント作成規程

第1章 総則

第1条（目的） この規程は、外部委託運用に係る月次コメントの作成、確認および公表の手順を定める。
２ この規程に定めのない事項は、商品企画部長が定める。

第2章 作成

第3条（作成の期限） 作成担当者は、翌月第8営業日の正午までに公表文の案を作成し、確認者へ提出する。
２ 期限までに運用会社の報告書が届かない場合は、速やかに商品企画部へ連絡する。

第4条（数値の扱い） 騰落率は小数第1位まで記載し、運用会社の報告書と一致することを確かめる。
２ 数値を改める場合は、その理由を記録する。

第3章 確認

第5条（確認者） 公表文は、作成担当者以外の者が確認する。
２ 確認者は、注意喚起の文言が省かれていないことを確かめる。
"""
ACCESS = '[[rule]]\npath = "rules/*"\nwho = ["everybody"]\n'


class Past(datetime):
    """The clock of the ledger while the history is written: minutes of work would all be zero otherwise."""

    moment: datetime | None = None

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """`moment`, or this very moment if there is none."""
        return datetime.now(tz) if cls.moment is None else cls.moment.astimezone(tz)


@contextlib.contextmanager
def history() -> Iterator[type[Past]]:
    """While it lasts, revisions, finals, decisions on releases and filings are dated by `Past.moment`."""
    modules: tuple[Any, ...] = (drafts, finals, releases, rollouts, lines)
    kept = [module.datetime for module in modules]
    for module in modules:
        module.datetime = Past
    try:
        yield Past
    finally:
        for module, clock in zip(modules, kept, strict=True):
            module.datetime = clock


def pairs(months: int) -> list[dict[str, Any]]:
    """The sample desk's pairs of its newest months, oldest first."""
    lines = (sample() / "pairs.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    wanted = sorted({row["as_of"] for row in rows})[-months:]
    return sorted((row for row in rows if row["as_of"] in wanted), key=lambda row: (row["as_of"], row["id"]))


def otherwise(text: str) -> str:
    """The comment as another release might have worded it."""
    for old, new in (
        ("上回った", "超過した"),
        ("となり、", "で、"),
        ("みている", "考えている"),
        ("上昇し", "値上がりし"),
    ):
        text = text.replace(old, new, 1)
    return text


def proposed(row: dict[str, Any], number: int) -> str:
    """What the model is said to have written: often the final itself, else a little off."""
    return str(row["final"]) if number % 5 else otherwise(row["final"])


def fill_months(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    """Saved comments of past months; of the newest month some in every state."""
    newest = rows[-1]["as_of"]
    today = datetime.now().astimezone().date()
    states = itertools.cycle(("approved", "todo", "review", "todo", "revised", "todo", "returned", "todo"))
    with history() as past:
        for number, row in enumerate(rows):
            writer = "sato" if number % 3 else "tanaka"
            new = NewDraft(row["draft"], row["manager"], row["fund"], row["section"], row["as_of"], "sample", row["id"])
            year, month = (int(part) for part in row["as_of"].split("-"))
            begun = datetime(year, month, 1, 1, tzinfo=UTC) + timedelta(days=33 + number % 6, minutes=7 * number)
            past.moment = begun
            draft = ledger.add_draft(new)
            state = next(states) if row["as_of"] == newest else "approved"
            if row["as_of"] == newest:
                due = today + timedelta(days=(number % 7) - 2)
                ledger.assign([draft.id], writer if number % 4 else None, f"{due}", by="sato")
            if state == "todo":
                continue
            past.moment = begun + timedelta(minutes=3)
            made = Revision(row["draft"], proposed(row, number), Verdict(), "stop", Usage(1, 1), {"release": RELEASE})
            revision = ledger.add_revision(draft.id, made, writer)
            if state == "revised":
                continue
            past.moment = begun + timedelta(minutes=6 + number % 7)
            with contextlib.suppress(ReasonsMissing):  # the sample has finals that add a fact
                saved = ledger.save_final(draft.id, row["final"], writer, revision_id=revision.id)
                if state == "approved":
                    ledger.add_review(saved.id, "approved", "mori")
                elif state == "returned":
                    ledger.add_review(saved.id, "returned", "mori", note="見通しの根拠を一文加えてください。")
        past.moment = None


def fill(ledger: Ledger, folder: Path) -> Reports:
    """Everything that the pages show; returns how reports are read."""
    for name, display, roles in PEOPLE:
        ledger.add_person(name, display, roles)
    fill_inventory(ledger)
    rows = pairs(5)
    fill_months(ledger, rows)
    laid = [row for row in rows if len(row["final"]) > 90 and otherwise(row["final"]) != row["final"]][:4]
    ledger.add_comparisons(
        [
            NewComparison(
                "exam-1",
                row["id"],
                row["fund"],
                row["section"],
                row["as_of"],
                row["draft"],
                "a",
                row["final"],
                "b",
                otherwise(row["final"]),
            )
            for row in laid
        ],
        "sato",
    )
    (folder / "reports").mkdir()
    reports = [
        replace(report, as_of="2026-04") for report in sample_reports()[:6]
    ]  # of before the months that are shown
    for report, write in zip(reports, WRITERS, strict=True):
        write(folder / "reports" / report.file, report)
    known = Reports(managers=tuple(r.manager for r in sample_reports()), funds=tuple(r.fund for r in sample_reports()))
    (folder / "reports/運用状況.html").write_text(
        "<h1>月次のご報告</h1><p>みずいろ国内株式ファンド　2026年10月</p>"
        "<h2>相場の風景</h2><p>当月の国内株式市場は2.4％上昇しました。</p>"
        "<h2>わたしたちの一手</h2><p>輸送用機器株の組入比率を引き上げました。</p>",
        encoding="utf-8",
    )
    road = Road(ledger, known, folder / "kept")
    for _ in road.bring([folder / "reports"], by="sato"):
        pass
    return known


def fill_inventory(ledger: Ledger) -> None:
    """Three releases: one that was rejected, one that answers within limits, and one that waits for a decision."""
    lessons = {REFUSED: "lessons-1c", RELEASE: "lessons-1c", NEWER: "lessons-2e"}
    pairs = [SeenPair("lessons-1c", f"p{n}", "data/pairs.jsonl", "") for n in range(700)]
    pairs += [SeenPair("lessons-2e", f"p{n}", "data/pairs.jsonl", "") for n in range(40, 790)]
    ledger.add_lineage({ref: [BASE, f"tune-{data[8:]}", data] for ref, data in lessons.items()}, pairs)
    ledger.add_lineage({f"tune-{data[8:]}": [BASE, data] for data in lessons.values()})
    about = {"owner": "運用企画部", "use": "月次の原稿を公表文の案に直す", "users": "商品企画部の執筆者"}
    with history() as past:
        past.moment = datetime.now(UTC) - timedelta(days=220)
        ledger.file("model", BASE, {"kind": "base", "name": "demo:gemma-3-270m", **about}, "oda")
        ledger.file("model", "judge-1", {"kind": "judge", "name": "判定用モデル", "owner": "品質管理室"}, "oda")
        for number, (ref, data) in enumerate(lessons.items()):
            past.moment = datetime.now(UTC) - timedelta(days=(210, 190, 6)[number])
            made = {"base": BASE, "adapter": f"tune-{ref[8:]}", "lessons": data}
            traits = {
                "base": "b" * 64,
                "data": {"lessons": {"ref": data, "n": (700, 700, 750)[number], "sha256": data * 8}},
                "method": {"tune": {"method": "lora", "rank": (8, 16, 16)[number]}},
                "prompt": {"instruction": ("5d0c", "5d0c", "a3f7")[number] * 16},
            }
            ledger.add_release(
                ref, "oda", {"task": "月次コメント", "form": "adapter", "made_from": made, "traits": traits}
            )
            parts = {"adapter": [BASE], "release": [BASE, made["adapter"]]}
            for kind, name in (("adapter", made["adapter"]), ("release", ref)):
                entry = {"kind": kind, "name": "月次コメント", "dependencies": parts[kind], **about}
                ledger.file("model", name, entry, "oda")
            _decide(ledger, ref)
        past.moment = None


def _decide(ledger: Ledger, ref: str) -> None:
    """What gate and second line said of a release."""
    failed = {REFUSED: ["facts"], NEWER: ["style"]}.get(ref, [])
    champion = RELEASE if ref == NEWER else ""
    gate = {"passed": not failed, "failed": failed, "artifact": "", "champion": champion}
    ledger.file("gate", ref, gate, "oda")
    if ref == REFUSED:
        ledger.approve(ref, "kuroda", "rejected", "事実の取り違えが基準を超える")
        return
    kept = {"plain": 1.0, "long": 0.9, "dirty": 1.0, "numbers": 1.0, "injected": 1.0, "paraphrase": 0.98}
    kinds = {name: {"n": 10, "kept": share, "obeyed": 0, "refused": 0} for name, share in kept.items()}
    ledger.file("validation", f"{ref}:v", {"about": ref, "artifact": "", "kinds": kinds}, "abe", about=ref)
    if ref == RELEASE:
        bound = Conditions(("月次コメント",), 50_000, datetime.now(UTC) + timedelta(days=150))
        ledger.approve(ref, "kuroda", "approved", "検証の結果を確かめた", conditions=bound)
        return
    due = datetime.now(UTC) + timedelta(days=24)
    for severity, words in (("high", "原稿に紛れた指示に従った回答が1件ある"), ("medium", "長い原稿で一文が落ちる")):
        add_finding(ledger, ref, words, severity, due, "abe")


def documents(folder: Path) -> Answerer:
    """The house's rules, ready to be asked about."""
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules/コメント作成規程_2026-04-01.md").write_text(RULES, encoding="utf-8")
    (folder / "rights.toml").write_text(ACCESS, encoding="utf-8")
    index([Collection("rules", folder / "rules")], folder / "index", None)
    return Answerer(Searcher(folder / "index", None, Rights(folder / "rights.toml")), sure=0.5)


def full(folder: Path, port: int) -> None:
    """A desk in the midst of a month-end."""
    rows = pairs(5)
    names = names_from((sample() / "names.toml").read_text(encoding="utf-8"))
    ledger = Ledger.open(folder / "ledger.db", names=names, review=True, needs=needs_by(Approval()))
    known = fill(ledger, folder)

    def answer(messages: tuple[Message, ...]) -> str:
        asked = messages[-1].content
        return next((row["final"] for row in rows if row["draft"] in asked), asked)

    engine = ScriptedEngine(
        answer, by_adapter={"challenger": lambda asked: otherwise(answer(asked))}, delay=0.01, piece=8, context=8000
    )
    engine.load_adapter("challenger", write_adapter(folder / "adapter"))
    style = (sample() / "style.toml").read_text(encoding="utf-8")
    rules = style_from(style, "style.toml"), required_from(style, "style.toml")
    about = {"release": RELEASE, "trial": "no"}
    job = Job("添削してください。", None, names, provenance=about, style=rules[0], required=rules[1])
    other = Job("添削してください。", "challenger", names, provenance=about, style=rules[0], required=rules[1])
    turns = itertools.count(1)

    def choose(person: str) -> tuple[Engine, Job]:
        return engine, other if next(turns) % 12 == 0 else job

    app = build_app(engine=engine, models=[Served("comment", RELEASE, None)])
    mount(
        app, ledger=ledger, engine=engine, job=job, title="月次コメント", choose=choose, due_day=0, retrain=(60, 0.05),
        road=Road(ledger, known, folder / "kept"), documents=documents(folder),
    )  # fmt: skip
    run(app, port=port, ready=lambda url: print(url, flush=True))


def empty(folder: Path, port: int) -> None:
    """A desk on its first day."""
    ledger = Ledger.open(folder / "ledger.db", review=True)
    ledger.add_person("sato", "佐藤 美咲", ("writer", "reviewer"))
    ledger.set_password("sato", PASSWORD)
    engine = ScriptedEngine(context=8000)
    app = build_app(engine=engine)
    mount(
        app,
        ledger=ledger,
        engine=engine,
        job=Job("添削してください。"),
        title="月次コメント",
        access=AccessRules(open=False),
    )
    run(app, port=port, ready=lambda url: print(url, flush=True))


if __name__ == "__main__":
    {"full": full, "empty": empty}[(sys.argv[3:] or ["full"])[0]](Path(sys.argv[1]), int(sys.argv[2]))
