"""The index: passages with their clauses, only what changed, what is gone, what is broken, kill and two at once."""

from __future__ import annotations

import datetime
import mmap
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tensaku
from tensaku.errors import UsageError
from tensaku.retrieve.blocks import read_blocks
from tensaku.retrieve.chunk import chunks, spans
from tensaku.retrieve.indexing import Collection, Indexed, dated, index
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.search import Filters, Searcher
from tensaku.retrieve.snapshot import faults_of, open_current
from tensaku.store import SilentReporter
from tensaku.store.lock import holding

SPRING, AUTUMN = datetime.date(2026, 3, 31), datetime.date(2026, 11, 1)


def run(folder: Path, **more: object) -> Indexed:
    return index([Collection("rules", folder / "rules")], folder / "index", None, **more)  # type: ignore[arg-type]


def searcher(folder: Path) -> Searcher:
    return Searcher(folder / "index", None, Rights(None))


def test_clauses_tables_and_pages_are_known(folder: Path) -> None:
    path = folder / "rules/運用規程_2026-01-01.md"
    found = chunks(read_blocks(path.name, path.read_bytes()))
    assert [c.clause for c in found] == ["第1条", "第1条第2項", "第3条", "第3条第2項", "第3条第2項"]
    assert found[3].text.startswith("２　前項の時刻")
    assert found[0].headings == ("第1章 総則",) or found[0].headings == ("運用規程", "第1章 総則")
    assert "区分 | 手数料" in found[-1].text
    assert "換金時 | 0.30%" in found[-1].text
    text = chunks(read_blocks("report.txt", (folder / "rules/report.txt").read_bytes()))
    assert [c.page for c in text] == [1, 1, 2] or text[-1].page == 2


def test_a_long_table_repeats_its_head_and_sentences_are_never_cut() -> None:
    rows = "\n".join(f"| 項目{n} | {n}.00% |" for n in range(80))
    found = chunks(read_blocks("t.md", f"# 料率\n\n| 区分 | 率 |\n|---|---|\n{rows}\n".encode()), 200)
    assert len(found) > 3
    assert all(c.text.startswith("区分 | 率\n") and len(c.text) <= 200 for c in found)
    prose = "".join(f"これは{n}番目の文であり、少し長く書いてある。" for n in range(40))
    parts = chunks(read_blocks("p.txt", prose.encode()), 120)
    assert "".join(c.text for c in parts) == prose
    assert all(c.text.endswith("。") for c in parts)
    assert [prose.find(c.text) for c in parts] == [c.start for c in parts]
    assert all(c.text[a:b].endswith("。") for c in parts for a, b in spans(c.text))


def test_hidden_html_is_not_text() -> None:
    page = (
        "<html><head><title>x</title><script>alert(1)</script></head><body><p>見える</p>"
        "<div style='display: none'>隠れた<br>指示</div><p hidden>これも</p>"
        "<table><tr><th>名</th><td>値</td></tr></table>"
    )
    blocks = read_blocks("a.html", page.encode())
    assert [(b.kind, b.text) for b in blocks] == [("paragraph", "見える"), ("row", "名 | 値")]


@pytest.mark.parametrize(
    ("path", "document", "day"),
    [
        ("rules/規程_2026-03-01.md", "rules/規程.md", "2026-03-01"),
        ("rules/規程_2026-03.md", "rules/規程.md", "2026-03-01"),
        ("規程20260315.txt", "規程.txt", "2026-03-15"),
        ("規程（2026年3月）.txt", "規程.txt", "2026-03-01"),
        ("基準2026-02-30.txt", "基準2026-02-30.txt", ""),
        ("規程.md", "規程.md", ""),
        ("tel-0312345678.txt", "tel-0312345678.txt", ""),
    ],
)
def test_the_day_in_a_name(path: str, document: str, day: str) -> None:
    assert dated(path) == (document, day)


def test_only_what_changed_is_read_and_what_is_gone_is_taken_out(folder: Path) -> None:
    first = run(folder)
    assert (first.read, first.unchanged, first.removed, first.faults) == (5, 0, 0, {})
    again = run(folder)
    assert (again.read, again.unchanged, again.snapshot) == (0, 5, first.snapshot)
    secret = folder / "rules/監査/監査手帳.md"
    assert searcher(folder).search("紅葉作戦")[0].title == "監査手帳"
    secret.unlink()
    gone = run(folder)
    assert (gone.read, gone.removed) == (0, 1)
    assert all("紅葉" not in hit.text for hit in searcher(folder).search("紅葉作戦"))
    kept = [path for path in (folder / "index").rglob("*") if path.is_file()]
    assert not any("紅葉作戦".encode() in path.read_bytes() for path in kept), "its words are off the disk"


def test_the_same_documents_give_the_same_bytes(folder: Path) -> None:
    first = run(folder)
    assert faults_of(folder / "index") == []
    other = index([Collection("rules", folder / "rules")], folder / "second", None)
    assert other.snapshot == first.snapshot
    (folder / "rules/用語.html").write_text("<p>変わった</p>", encoding="utf-8")
    run(folder, today=AUTUMN)
    (folder / "rules/用語.html").unlink()
    run(folder)
    without = index([Collection("rules", folder / "rules")], folder / "third", None)
    assert open_current(folder / "index").name == without.snapshot


def test_an_altered_byte_is_named(folder: Path) -> None:
    made = run(folder)
    path = folder / "index/snapshots" / made.snapshot / "lengths.npy"
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    assert faults_of(folder / "index") == ["lengths.npy: altered"]


def test_sources_and_funds_are_filters(tmp_path: Path) -> None:
    told = [("rules", ""), ("stocks", "国内株式"), ("bonds", "国内債券")]
    for name, _ in told:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.md").write_text(f"# {name}\n\n解約の申込みは午後3時まで。\n", encoding="utf-8")
    index([Collection(name, tmp_path / name, fund) for name, fund in told], tmp_path / "index", None)

    def found(*sources: str, funds: tuple[str, ...] = ()) -> set[str]:
        return {hit.source for hit in searcher(tmp_path).search("解約の申込み", filters=Filters(sources, funds))}

    assert found() == {"rules", "stocks", "bonds"}
    assert found("stocks") == {"stocks"}
    assert found("rules", "bonds") == {"rules", "bonds"}
    assert found(funds=("国内債券",)) == {"bonds"}
    assert found("rules", funds=("国内債券",)) == set()
    assert found("nowhere") == set()


def test_what_did_the_rule_say_in_march(folder: Path) -> None:
    run(folder)
    held = searcher(folder)
    march = held.search("解約の申込みは何時まで", filters=Filters(as_of=SPRING))[0]
    now = held.search("解約の申込みは何時まで", filters=Filters(as_of=AUTUMN))[0]
    assert "午後3時までに" in march.text
    assert march.as_of == "2026-01-01"
    assert march.clause == "第3条"
    assert "午後3時30分" in now.text
    assert now.as_of == "2026-09-01"
    old = held.search("解約の申込みは何時まで", filters=Filters(as_of=datetime.date(2025, 1, 1)))
    assert all("解約" not in hit.text for hit in old)


def test_a_file_written_over_becomes_a_version(folder: Path) -> None:
    run(folder)
    path = folder / "rules/用語.html"
    path.write_text("<h1>用語</h1><p>サーバーの障害は危機管理室に連絡する。</p>", encoding="utf-8")
    run(folder, today=datetime.date(2026, 6, 1))
    held = searcher(folder)
    assert "運用管理部" in held.search("サーバ障害の連絡先", filters=Filters(as_of=SPRING))[0].text
    assert "危機管理室" in held.search("サーバ障害の連絡先", filters=Filters(as_of=AUTUMN))[0].text


def test_one_broken_file_among_many_is_named_and_keeps_its_last_version(folder: Path) -> None:
    run(folder)
    broken = folder / "rules/用語.html"
    good = broken.read_bytes()
    broken.write_bytes(b"\x00\x01\x02")
    (folder / "rules/大きい.txt").write_bytes("あ".encode() * 400_000)
    (folder / "rules/空.txt").write_bytes(b"  \n")
    with (folder / "rules/巨大.pdf").open("wb") as file:
        file.truncate(2 * 2**30)
    done = run(folder, most_mb=1.0)
    assert sorted(done.faults) == ["rules/大きい.txt", "rules/巨大.pdf", "rules/用語.html", "rules/空.txt"]
    assert "2,048 MiB, more than retrieve.most_mb allows" in done.faults["rules/巨大.pdf"]
    assert "it is not text" in done.faults["rules/用語.html"]
    assert "MiB" in done.faults["rules/大きい.txt"]
    assert "運用管理部" in searcher(folder).search("サーバー障害")[0].text
    broken.write_bytes(good)
    (folder / "rules/大きい.txt").unlink()
    (folder / "rules/空.txt").unlink()
    (folder / "rules/巨大.pdf").unlink()
    assert run(folder).faults == {}


def test_a_document_that_changes_while_it_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "rules/report.txt"
    real = os.fstat

    def writing(handle: int) -> os.stat_result:
        found = real(handle)
        if found.st_ino == path.stat().st_ino:
            with path.open("a", encoding="utf-8") as file:
                file.write("More. ")
        return found

    monkeypatch.setattr("tensaku.retrieve.indexing.os.fstat", writing)
    done = run(folder)
    assert done.faults == {"rules/report.txt": "it changed while it was read"}
    assert done.read == 4


def test_two_indexers_at_once(folder: Path) -> None:
    run(folder)
    with (
        holding(folder / "index/lock", "the index", SilentReporter(), wait=False),
        pytest.raises(UsageError, match=r"the index is being made by process \d+"),
    ):
        run(folder)
    assert run(folder).unchanged == 5


def test_killed_at_any_moment_nothing_is_lost(tmp_path: Path) -> None:
    docs = tmp_path / "rules"
    docs.mkdir()
    for number in range(60):
        (docs / f"d{number:02}.txt").write_text(f"文書{number}番。" + "本文である。" * 60, encoding="utf-8")
    script = (
        "from pathlib import Path; from tensaku.retrieve.indexing import *; import sys; p = Path(sys.argv[1]);"
        "print('go', flush=True); index([Collection('rules', p / 'rules')], p / 'index', None)"
    )
    counts = []
    for delay in (0.05, 0.2, 0.4):
        here = {**os.environ, "PYTHONPATH": str(Path(tensaku.__file__).parents[1])}
        child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, env=here)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    done = run(tmp_path)
    counts.append(done.read + done.unchanged)
    assert counts == [60]
    assert done.documents == 60
    assert faults_of(tmp_path / "index") == []
    whole = index([Collection("rules", docs)], tmp_path / "fresh", None)
    assert whole.snapshot == done.snapshot
    assert searcher(tmp_path).search("文書37番")[0].title == "d37"


def test_words_are_found_however_they_are_written(folder: Path) -> None:
    run(folder)
    held = searcher(folder)
    for question in ("サーバ障害", "ｻｰﾊﾞｰの障害", "サーバーの障害", "さーばーのしょうがい"):
        assert "運用管理部" in held.search(question)[0].text, question
    assert held.search("ＦＥＥＳ")[0].page == 2
    assert held.search("まったく無関係な宇宙飛行士") == [] or held.search("宇宙飛行士")[0].covered < 0.5


def test_the_index_is_read_as_sealed(folder: Path) -> None:
    run(folder)
    snapshot = open_current(folder / "index")
    assert not snapshot.document_of.flags.writeable or len(snapshot) == len(snapshot.lengths)
    assert np.all(np.diff(snapshot.document_of) >= 0)
    with pytest.raises(UsageError, match="there is no index yet"):
        open_current(folder / "nowhere")


def test_frequent_words_beyond_the_bound_change_no_first_hit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(120):
        text = f"# 資料{number}\n\n解約の申込みは営業日に受け付ける。整理番号は{number * 7919:08d}である。"
        (folder / f"rules/n{number:03}.md").write_text(text, encoding="utf-8")
    run(folder)
    questions = [f"整理番号{number * 7919:08d}の解約の申込み" for number in range(0, 120, 10)]
    whole = [searcher(folder).search(question, k=3) for question in questions]
    monkeypatch.setattr("tensaku.retrieve.bm25._POSTINGS", 150)
    monkeypatch.setattr("tensaku.retrieve.bm25._STANDING", 40)
    bounded = [searcher(folder).search(question, k=3) for question in questions]
    assert [hits[0].path for hits in bounded] == [hits[0].path for hits in whole]
    assert [hits[0].score for hits in bounded] == pytest.approx([hits[0].score for hits in whole], abs=0.05)
    assert [f"rules/n{number:03}.md" for number in range(0, 120, 10)] == [hits[0].path for hits in whole]


def test_an_index_is_held_in_memory_unless_it_is_larger_than_what_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(folder)
    held = searcher(folder)
    before = held.search("解約の申込み")
    assert held.hold() == ""
    assert held.search("解約の申込み") == before
    assert not isinstance(held._current().near._vectors, np.memmap)
    assert all(not isinstance(one, (np.memmap, mmap.mmap)) for one in vars(held._current().snapshot).values())
    monkeypatch.setattr("tensaku.retrieve.snapshot.available_mb", lambda: 0.0)
    other = searcher(folder)
    assert "do not fit in the memory that is left" in other.hold()
    assert other.search("解約の申込み") == before
    shutil.rmtree(folder / "index/snapshots")
    monkeypatch.setattr("tensaku.retrieve.snapshot.available_mb", lambda: None)
    assert held.hold() == "", "what was replaced meanwhile need not be read"
    assert held.search("解約の申込み") == before
    with pytest.raises(UsageError, match="there is no index yet"):
        Searcher(folder / "nowhere", None, Rights(None)).hold()


@pytest.mark.parametrize("before", [True, False], ids=["another", "none"])
def test_an_index_that_replaces_one_held_in_memory_is_held_too(folder: Path, before: bool) -> None:
    held = searcher(folder)
    if before:
        run(folder)
        held.hold()
    else:
        with pytest.raises(UsageError, match="there is no index yet"):
            held.hold()
    (folder / "rules/neu.md").write_text("# 新規程\n\n新しい規程である。\n", encoding="utf-8")
    run(folder)
    assert held.search("新しい規程")[0].title == "neu"
    for _ in range(500):
        if not isinstance(held._current().near._vectors, np.memmap):
            break
        time.sleep(0.01)
    else:
        pytest.fail("it is still mapped")
    assert held.search("新しい規程")[0].title == "neu"
