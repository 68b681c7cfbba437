"""The log against those who can write to the database file: each way of rewriting history is found out."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tensaku.errors import DataError, GateError, NotFound, UsageError
from tensaku.govern.anchors import add_anchor, check_log, parse_anchor, read_anchors
from tensaku.ledger import Ledger, NewAnswer, NewDraft, NewReport
from tensaku.records import Revision, Usage, Verdict
from tensaku.text import changes

SECRET = "山田太郎様の保有分について、当月は３．２％上昇した。"
MADE_BY = {"release": "", "adapter": "a" * 64, "base": "b" * 64, "engine": "native", "version": "1", "trial": "no"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def anchors(tmp_path: Path) -> Path:
    return tmp_path / "outside" / "anchors.jsonl"


@pytest.fixture
def ledger(path: Path, anchors: Path) -> Iterator[Ledger]:
    anchors.parent.mkdir()
    with Ledger.open(path) as opened:
        opened.add_person("sato", "佐藤", ("writer",))
        opened.add_person("mori", "森", ("admin",))
        yield opened


def draft(ledger: Ledger, text: str = SECRET) -> int:
    return ledger.add_draft(NewDraft(text, "みさき投信", "国内株式F", "market", "2026-10", "paste"), by="sato").id


def rehash(path: Path) -> None:
    """Compute the whole chain anew, as one who can write to the database could."""
    with sqlite3.connect(path) as raw:
        raw.row_factory = sqlite3.Row
        previous, seq = "0" * 64, 0
        for row in raw.execute("SELECT rowid, * FROM log ORDER BY seq").fetchall():
            seq += 1
            content = {k: row[k] for k in ("at", "who", "what", "subject", "detail")} | {"seq": seq}
            text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            new = hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()
            words = "UPDATE log SET seq = ?, previous = ?, hash = ? WHERE seq = ?"
            raw.execute(words, (seq, previous, new, row["seq"]))
            previous = new
        raw.execute("UPDATE log_head SET seq = ?, hash = ?", (seq, previous))
    raw.close()


def run(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as raw:
        for statement in statements:
            raw.execute(statement)
    raw.close()


def test_every_column_of_every_entry_is_held(ledger: Ledger, path: Path, anchors: Path) -> None:
    draft(ledger)
    add_anchor(ledger, anchors)
    for column in ("at", "who", "what", "subject", "detail"):
        for seq in range(1, ledger.log_end()[0] + 1):
            copy = path.with_name(f"{column}-{seq}.sqlite")
            ledger.backup(copy)
            run(copy, f"UPDATE log SET {column} = {column} || 'x' WHERE seq = {seq}")
            with Ledger.open(copy) as altered, pytest.raises(GateError, match=f"entry {seq} was altered"):
                check_log(altered, [])
            rehash(copy)
            with Ledger.open(copy) as altered, pytest.raises(GateError, match="log"):
                check_log(altered, read_anchors(anchors))


def test_a_dropped_tail_is_found_even_with_the_head_rewritten(ledger: Ledger, path: Path, anchors: Path) -> None:
    add_anchor(ledger, anchors)
    number = draft(ledger)
    late = add_anchor(ledger, anchors)
    cut = f"DELETE FROM log WHERE seq >= {late.seq}"
    head = (
        "UPDATE log_head SET seq = (SELECT max(seq) FROM log), hash = (SELECT hash FROM log ORDER BY seq DESC LIMIT 1)"
    )
    run(path, cut, head, f"DELETE FROM drafts WHERE id = {number}")
    assert check_log(ledger, []) == late.seq - 1  # by itself the shortened log looks whole
    with pytest.raises(GateError, match=f"entry {late.seq} was noted outside"):
        check_log(ledger, read_anchors(anchors))


def test_an_old_copy_is_found_before_and_after_it_is_written_to(ledger: Ledger, path: Path, anchors: Path) -> None:
    old = path.with_name("old.sqlite")
    ledger.backup(old)
    draft(ledger)
    add_anchor(ledger, anchors)
    with Ledger.open(old) as restored:
        with pytest.raises(GateError, match="was noted outside"):
            check_log(restored, read_anchors(anchors))
        draft(restored, "別の原稿。")
        assert check_log(restored, []) == ledger.log_end()[0]
        with pytest.raises(GateError, match="is not the one noted outside"):
            check_log(restored, read_anchors(anchors))


def test_two_chains_merged_are_found(ledger: Ledger, path: Path, anchors: Path) -> None:
    other = path.with_name("other.sqlite")
    with Ledger.open(other) as second:
        second.add_person("eve", "Eve", ("approver",))
        draft_of_eve = NewDraft("x。", "A", "F", "market", "2026-10", "paste")
        second.add_draft(draft_of_eve, by="eve")
    draft(ledger)
    add_anchor(ledger, anchors)
    end = ledger.log_end()[0]
    columns = "at, who, what, subject, detail, previous, hash"
    merge = f"INSERT INTO log SELECT seq + {end}, {columns} FROM o.log WHERE seq > 1"
    with sqlite3.connect(path) as raw:
        raw.execute("ATTACH ? AS o", (str(other),))
        raw.execute(merge)
        raw.execute("INSERT INTO people SELECT * FROM o.people WHERE name = 'eve'")
    raw.close()
    with pytest.raises(GateError, match=f"entry {end + 1} is missing|does not follow|not where it was last"):
        check_log(ledger, [])
    rehash(path)
    ledger_says = ledger.verify_log(*((a.seq, a.hash) for a in read_anchors(anchors)))
    assert ledger_says is None  # what follows the anchor was computed well ...
    with pytest.raises(GateError, match="draft:"):  # ... and still does not fit the rows
        check_log(ledger, read_anchors(anchors))


def test_a_chain_merged_before_an_anchor_is_found(ledger: Ledger, path: Path, anchors: Path) -> None:
    draft(ledger)
    noted = add_anchor(ledger, anchors)
    run(
        path,
        "UPDATE log SET seq = seq + 1000 WHERE seq >= 3",
        "INSERT INTO log VALUES (3, '2020', 'sato', 'x', 'y', '{}', '', '')",
    )
    rehash(path)
    with pytest.raises(GateError, match=f"entry {noted.seq} is not the one noted outside"):
        check_log(ledger, read_anchors(anchors))


def test_an_anchor_is_not_written_over_a_broken_log(ledger: Ledger, path: Path, anchors: Path) -> None:
    draft(ledger)
    run(path, "UPDATE drafts SET text = 'x'")
    with pytest.raises(GateError, match="draft:1 was altered after it was logged"):
        add_anchor(ledger, anchors)
    assert not anchors.exists()


def test_wrong_anchors_are_one_message(ledger: Ledger, anchors: Path) -> None:
    anchors.write_text('{"seq": 1, "hash": "x", "at": ""}\n')
    with pytest.raises(DataError, match="line 1: this line is no anchor"):
        read_anchors(anchors)
    for wrong in ("", "12", "x:" + "0" * 64, "3:" + "g" * 64):
        with pytest.raises(UsageError, match="is no anchor"):
            parse_anchor(wrong)
    seq, hash_ = ledger.log_end()
    assert parse_anchor(f" {seq}:{hash_.upper()}\n").hash == hash_


def bytes_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))


def test_a_text_is_erased_from_the_file_and_the_chain_holds(ledger: Ledger, path: Path, anchors: Path) -> None:
    number = draft(ledger)
    ledger.add_revision(number, Revision(SECRET, SECRET + "改", Verdict(), "stop", Usage(1, 1), MADE_BY), by="sato")
    answered = NewAnswer("chat", "tiny", "", "", {}, SECRET, SECRET, "stop", Usage(1, 1), 0.1)
    ledger.add_answer(answered, "full", by="sato")
    add_anchor(ledger, anchors)
    assert "山田太郎".encode() in bytes_of(path)
    before = ledger.log()
    with sqlite3.connect(path) as raw:
        (salt,) = raw.execute("SELECT salt FROM drafts").fetchone()
    raw.close()
    assert ledger.erase([f"draft:{number}", "answer:1"], "mori", "本人の請求 2026-11-27") == [
        "draft:1",
        "revision:1",
        "answer:1",
    ]
    assert "山田太郎".encode() not in bytes_of(path)
    assert salt.encode() not in bytes_of(path)
    assert check_log(ledger, read_anchors(anchors)) == len(before) + 3
    assert ledger.log()[: len(before)] == before
    assert [(e.what, e.who, e.detail["reason"]) for e in ledger.log()[-3:]] == [
        ("draft.erased", "mori", "本人の請求 2026-11-27"),
        ("revision.erased", "mori", "本人の請求 2026-11-27"),
        ("answer.erased", "mori", "本人の請求 2026-11-27"),
    ]
    assert ledger.erase([f"draft:{number}"], "mori", "again") == []
    run(path, "UPDATE drafts SET text = '偽'")
    with pytest.raises(GateError, match="draft:1 was altered"):
        check_log(ledger, read_anchors(anchors))


def test_nothing_of_an_erased_draft_is_left_in_what_was_made_of_it(ledger: Ledger, path: Path, anchors: Path) -> None:
    arrived = NewReport("ab" * 32, "月次.pdf", parts=({"text": SECRET},), content={"pages": [SECRET]})
    draft_ = NewDraft(SECRET, "みさき投信", "国内株式F", "market", "2026-10", "月次.pdf", f"report:{'ab' * 8}#market")
    ledger.add_report(arrived, [draft_], by="sato")
    (change,) = [c for c in changes(SECRET, SECRET.replace("山田太郎様", "山田太郎さん")) if c.op != "equal"]
    ledger.add_decision(1, change, "rejected", "sato", note="山田太郎")
    ledger.keep_work(1, SECRET + "続き", "sato")
    asked = ledger.add_question("c", "山田太郎様の保有は", SECRET, found=True, by="sato")
    ledger.add_opinion(asked.id, "down", "山田太郎様です", by="sato")
    assert set(ledger.erase(["draft:1", "question:1", "report:1"], "mori", "本人の請求")) == {
        "draft:1",
        "decision:1",
        "report:1",
        "question:1",
        "opinion:1",
    }
    assert "山田太郎".encode() not in bytes_of(path)
    assert ledger.work(1) == []
    add_anchor(ledger, anchors)
    assert check_log(ledger, read_anchors(anchors)) == len(ledger.log())
    assert ledger.erase(["draft:1", "question:1"], "mori", "again") == []


def test_the_digest_in_the_log_tells_nothing_without_the_salt(ledger: Ledger, path: Path) -> None:
    draft(ledger)
    draft(ledger)
    digests = [e.detail["digest"] for e in ledger.log() if e.what == "draft.added"]
    assert len(set(digests)) == 2
    with sqlite3.connect(path) as raw:
        salts = [row[0] for row in raw.execute("SELECT salt FROM drafts")]
    raw.close()
    assert all(len(salt) == 32 for salt in salts)
    assert len(set(salts)) == 2


def test_only_an_administrator_erases_and_says_why(ledger: Ledger) -> None:
    draft(ledger)
    with pytest.raises(UsageError, match="'sato' may not erase texts"):
        ledger.erase(["draft:1"], "sato", "why")
    with pytest.raises(UsageError, match="reason"):
        ledger.erase(["draft:1"], "mori", " ")
    for wrong in ("draft:9", "person:sato", "draft:x", "draft"):
        with pytest.raises(NotFound):
            ledger.erase(["draft:1", wrong], "mori", "why")
    assert ledger.draft(1).text == SECRET  # nothing was half done


def test_the_commands(cli: Callable[..., object], tmp_path: Path) -> None:
    from tensaku.testing import tiny_desk

    folder = tiny_desk(tmp_path / "desk", lessons=3, exam=2)
    run_: Callable[..., object] = cli
    noted = run_("log", "anchor", "-C", folder)
    assert noted.code == 0  # type: ignore[attr-defined]
    line = noted.out.splitlines()[0]  # type: ignore[attr-defined]
    assert run_("user", "add", "sato", "-C", folder).code == 0  # type: ignore[attr-defined]
    held = run_("log", "verify", "--anchor", line, "--json", "-C", folder)
    assert held.json == {"entries": 2, "anchors": 2, "holds": True, "missed_days": []}  # type: ignore[attr-defined]
    shown = run_("log", "list", "-C", folder).out  # type: ignore[attr-defined]
    assert "person.added" in shown
    ledger_file = folder / ".tensaku" / "ledger.sqlite"
    copy = tmp_path / "copy.sqlite"
    shutil.copyfile(ledger_file, copy)
    run(ledger_file, "UPDATE log SET who = 'eve' WHERE seq = 2")
    broken = run_("log", "verify", "-C", folder)
    assert broken.code == 3  # type: ignore[attr-defined]
    assert "entry 2 was altered" in broken.err  # type: ignore[attr-defined]
    assert run_("log", "anchor", "-C", folder).code == 3  # type: ignore[attr-defined]
    missing = run_("log", "verify", "--anchors", tmp_path / "none", "-C", folder)
    assert (missing.code, "no such file" in missing.err) == (2, True)  # type: ignore[attr-defined]
