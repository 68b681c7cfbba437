"""Lineage both ways, from sealed artifacts, and its speed with 1,000 models and 100,000 answers."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from tensaku.config import Section
from tensaku.desk.approvals import read_listing, read_record
from tensaku.desk.lineage_page import answers as answers_of
from tensaku.desk.rights import PersonalLedger
from tensaku.errors import UsageError
from tensaku.govern import Release, note_lineage, release
from tensaku.govern.traces import rebuild, what_made, what_stood, who_saw
from tensaku.ledger import Ledger, NewDraft, SeenPair
from tensaku.records import Revision, Usage, Verdict
from tensaku.store import Artifact, Bench, Store, stage


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        opened.add_person("sato", "佐藤", ("engineer",))
        opened.add_person("endo", "遠藤", ("writer",))
        opened.add_person("kuroda", "黒田", ("approver",))
        yield opened


@stage(version=1, name="lessons")
def taught(bench: Bench, cfg: Section, *, pool: Artifact, exam: Artifact) -> None:
    rows = [
        {"id": "p1", "source": "reports.csv#a1", "manager": "みさき投信"},
        {"id": "p2", "source": "reports.csv#a2", "manager": "港投資"},
        {"id": "p3", "source": "ledger:final:1", "manager": "港投資"},
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (bench.path / "lessons.jsonl").write_text(lines, encoding="utf-8")


def test_a_release_is_traced_to_its_files_and_back(
    ledger: Ledger, store: Store, road: Callable[..., dict[str, Artifact]]
) -> None:
    made = road()
    sealed = store.run(release, Release(), **made)
    ledger.add_release(sealed.ref, "sato", sealed.facts)
    note_lineage(ledger, store, sealed.ref)
    (found,) = what_made(ledger, sealed.ref)
    assert set(found.ancestors) >= {artifact.ref for artifact in made.values()}
    assert [ref for ref in found.ancestors if ref.endswith("pairs.jsonl")]
    assert ledger.descendants(made["base"].ref)[-1] == sealed.ref
    assert rebuild(ledger, store) == 1
    assert what_made(ledger, sealed.ref) == [found]


def test_the_pairs_of_sealed_lessons_have_the_writer_of_their_final(
    ledger: Ledger, store: Store, road: Callable[..., dict[str, Artifact]]
) -> None:
    draft = ledger.add_draft(NewDraft("原稿。", "港投資", "F", "market", "2026-10", "paste"), by="endo")
    ledger.save_final(draft.id, "公表文。", by="endo")
    made = road()
    sealed = store.run(taught, Section(), pool=made["exam"], exam=made["exam"])
    note_lineage(ledger, store, sealed.ref)
    n, pairs = ledger.pairs_of(sealed.ref)
    assert n == 3
    assert [(one.document, one.person) for one in pairs] == [
        ("reports.csv#a1", "みさき投信"),
        ("reports.csv#a2", "港投資"),
        ("ledger:final:1", "endo"),
    ]


def test_documents_people_and_sentences(ledger: Ledger) -> None:
    for n in (1, 2):
        ledger.add_release(f"release-{n}", "sato", {})
    seen = [
        SeenPair("lessons-1", "p1", "reports.csv#a1", "みさき投信"),
        SeenPair("lessons-1", "p2", "reports.csv#a2", "endo"),
        SeenPair("lessons-2", "p9", "reports.csv2#a1", "endo"),
    ]
    edges = {"release-1": ["tune-1"], "tune-1": ["lessons-1"], "release-2": ["tune-2"], "tune-2": ["lessons-2"]}
    ledger.add_lineage(edges, seen)
    ledger.add_lineage(edges, seen)  # a second time changes nothing
    assert who_saw(ledger, "reports.csv").releases == ("release-1",)
    assert [pair.pair for pair in who_saw(ledger, "reports.csv").pairs] == ["p1", "p2"]
    assert who_saw(ledger, "p9").releases == ("release-2",)
    assert set(who_saw(ledger, "endo").releases) == {"release-1", "release-2"}
    assert who_saw(ledger, "nobody") == who_saw(ledger, "reports.cs")
    draft = ledger.add_draft(NewDraft("原稿。", "A", "F", "market", "2026-10", "paste"), by="endo")
    made_by = {"release": "release-1", "trial": "yes"}
    revision = Revision("原稿。", "前置き。当月は3.2%上昇した。", Verdict(), "stop", Usage(1, 1), made_by)
    ledger.add_revision(draft.id, revision, by="endo")
    (made,) = what_made(ledger, "当月は3.2%上昇した。")
    assert (made.release, made.n, made.found[0].subject) == ("release-1", 2, "revision:1")
    assert [pair.pair for pair in made.pairs] == ["p1", "p2"]
    with pytest.raises(UsageError, match="no answer that is kept holds"):
        what_made(ledger, "書かれていない文。")
    with pytest.raises(UsageError, match="no sentence"):
        what_made(ledger, " ")


def test_what_stood_then_is_not_what_stands_now(ledger: Ledger) -> None:
    assert what_stood(ledger, datetime.now(UTC)) is None
    for n in (1, 2):
        ledger.add_release(f"release-{n}", "sato", {})
    ledger.approve("release-1", "kuroda", "approved", "一代目")
    between = datetime.now(UTC)
    ledger.approve("release-2", "kuroda", "approved")
    ledger.approve("release-2", "kuroda", "withdrawn", "誤り")
    for moment, champion in ((between, "release-1"), (datetime.now(UTC), "release-1")):
        found = what_stood(ledger, moment)
        assert found is not None
        assert (found.rollout.champion, found.approvals[-1].by) == (champion, "kuroda")
    assert what_stood(ledger, between - timedelta(days=1)) is None


@pytest.mark.slow
def test_three_questions_take_under_a_second_at_full_size(tmp_path: Path, ledger: Ledger) -> None:
    """1,000 models with 200 pairs each, 100,000 answers; prints the times."""
    path = tmp_path / "ledger.sqlite"
    now = datetime.now(UTC)
    ledger.add_release("release-0000", "sato", {})
    ledger.approve("release-0000", "kuroda", "approved")
    ledger.close()
    text = "当月の国内株式市場は、米国の金融政策をめぐる見方の変化を受けて上昇しました。" * 6
    with sqlite3.connect(path) as raw:
        stamp = now.strftime("%Y-%m-%d %H:%M:%S.%f")
        names = [f"release-{n:04d}" for n in range(1, 1000)]
        raw.executemany("INSERT INTO releases VALUES (?, 'sato', '{}', ?)", [(name, stamp) for name in names])
        held = [(f"release-{n:04d}", f"tune-{n}") for n in range(1000)] + [
            (f"tune-{n}", f"lessons-{n}") for n in range(1000)
        ]
        raw.executemany("INSERT INTO lineage VALUES (?, ?)", held)
        pairs = (
            (f"lessons-{n}", f"p{k}", f"file{(n + k) % 400}.csv#{k}", f"writer{k % 12}")
            for n in range(1000)
            for k in range(200)
        )
        raw.executemany("INSERT INTO lessons_seen VALUES (?, ?, ?, ?)", pairs)
        columns = (
            "door, model, release, arm, provenance, answer, finish, prompt_tokens, completion_tokens, seconds, by, at"
        )
        answered = (
            ("chat", "m", f"release-{n % 1000:04d}", "", "{}", f"{text}{n}番。", "stop", 1, 1, 0.1, "sato", stamp)
            for n in range(100_000)
        )
        raw.executemany(f"INSERT INTO answers ({columns}) VALUES ({', '.join('?' * 12)})", answered)
        rolled = [(f"release-{n:04d}", "deployed", n, "", "kuroda", stamp) for n in range(1, 1000)]
        raw.executemany(
            "INSERT INTO rollouts (champion, event, before, note, by, at) VALUES (?, ?, ?, ?, ?, ?)", rolled
        )
    raw.close()
    questions: dict[str, Callable[[Ledger], object]] = {
        "made": lambda book: what_made(book, "777番。"),
        "saw a document": lambda book: who_saw(book, "file7.csv"),
        "saw a person": lambda book: who_saw(book, "writer3"),
        "at": lambda book: what_stood(book, datetime.now(UTC)),
        "page, inventory": lambda book: read_listing(PersonalLedger(book, "kuroda"), "", "", 1),
        "page, one model": lambda book: read_record(
            PersonalLedger(book, "kuroda"), "release-0999", "kuroda", None, 0.1
        ),
    }
    for name, asked in (("made", "777番。"), ("saw", "file7.csv"), ("saw", "writer3"), ("at", now.isoformat())):
        nothing = {"made": "", "saw": "", "at": ""}
        questions[f"page, {name} {asked}"] = partial(answers_of, asked=nothing | {name: asked})
    with Ledger.open(path) as full:
        for name, ask in questions.items():
            began, cpu = time.perf_counter(), time.process_time()
            assert ask(full)
            seconds = time.process_time() - cpu  # the database works in this process; others' load is no matter of it
            print(f"{name}: {seconds:.3f} s of the processor, {time.perf_counter() - began:.3f} s by the clock")
            assert seconds < 1, name
