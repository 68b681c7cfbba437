"""Reading the house's documents: every encoding, every kind of bad file, nothing of the exam."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tensaku.config import Section
from tensaku.curate.documents import Documents, document_files, documents
from tensaku.errors import UsageError
from tensaku.records import Pair, to_dict
from tensaku.sampledesk.reports import write_reports
from tensaku.store import Artifact, Bench, SilentReporter, Store, stage

LONG = "当ファンドの基準価額は、国内株式市場の上昇を受けて堅調に推移しました。今後も企業業績に注目してまいります。"
ASKED = "為替のヘッジは行わなかった。騰落率は1.5%となった。"


class Nothing(Section):
    """No settings."""


@stage(version=1)
def exam(bench: Bench, cfg: Nothing) -> None:
    pair = Pair("e1", "略。", ASKED, "青葉", "為替F", "market", "2026-09", "f")
    (bench.path / "exam.jsonl").write_text(json.dumps(to_dict(pair)) + "\n", encoding="utf-8")


@pytest.fixture
def store(workspace: Path) -> Store:
    return Store(workspace, SilentReporter())


def read(store: Store, folder: Path, *patterns: str, **settings: Any) -> Artifact:
    cfg = Documents(use=patterns or ("**/*",), **settings)
    return store.run(documents, cfg, files=document_files(cfg, folder), exam=store.run(exam, Nothing()))


def lines(artifact: Artifact, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in artifact.file(name).read_text(encoding="utf-8").split("\n") if line]


def test_texts_of_every_encoding(store: Store, tmp_path: Path) -> None:
    house = tmp_path / "house"
    (house / "old").mkdir(parents=True)
    (house / "a.txt").write_bytes(f"一。{LONG}\r\n\r\n\r\n\r\n終わり　\r\n".encode("cp932"))
    (house / "old" / "b.md").write_bytes(f"\ufeff二。{LONG}\x0c次".encode())
    (house / "old" / "c.txt").write_text(f"三。{LONG}", encoding="euc_jp")
    rows = [{"text": f"四。{LONG}\u2028行"}, {"text": f"五。{LONG}", "year": 2024}]
    (house / "d.jsonl").write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows), encoding="utf-8")
    made = read(store, house)
    found = {row["source"]: row["text"] for row in lines(made, "documents.jsonl")}
    assert found == {
        "a.txt": f"一。{LONG}\n\n終わり",
        "d.jsonl:1": f"四。{LONG}\u2028行",
        "d.jsonl:2": f"五。{LONG}",
        "b.md": f"二。{LONG}\n次",
        "c.txt": f"三。{LONG}",
    }
    assert (made.facts["n"], made.facts["files"], made.facts["dropped"]) == (5, 4, {})


def test_what_cannot_be_read_is_counted_and_kept(store: Store, tmp_path: Path) -> None:
    house = tmp_path / "house"
    house.mkdir()
    (house / "0.txt").write_text(LONG, encoding="utf-8")
    (house / "1.txt").write_text(LONG.replace("、", " 、\n"), encoding="utf-8")
    (house / "2.txt").write_bytes(b"")
    (house / "3.txt").write_bytes(bytes(range(256)) * 20)
    (house / "4.pdf").write_bytes(b"%PDF-1.4")
    (house / "4.rtf").write_bytes(b"{\\rtf1}")
    (house / "5.txt").write_text("短い。", encoding="utf-8")
    (house / "6.txt").write_bytes(LONG.encode()[:-1] + b"\xff\xff")
    (house / "7.md").write_text(f"{LONG}\n{ASKED.replace('1.5%', '１.５％')}", encoding="utf-8")
    bad = ["[1, 2]", '{"body": "x"}', "{", '{"text": 3}', '{"text": "\\ud800"}']
    (house / "8.jsonl").write_text("\n".join(bad), encoding="utf-8")
    (house / "9.txt").write_bytes(b"\x00\x01\x02\x00" * 500)
    made = read(store, house)
    assert made.facts["n"] == 1
    assert made.facts["dropped"] == {
        "duplicate": 1,
        "empty": 1,
        "ending": 1,
        "holds-exam": 1,
        "no-text": 5,
        "not-text": 3,
        "short": 1,
        "unreadable": 1,
    }
    assert {d["source"] for d in lines(made, "drops.jsonl") if d["reason"] == "not-text"} == {"3.txt", "6.txt", "9.txt"}


def test_reports_of_four_formats_are_read_too(store: Store, tmp_path: Path) -> None:
    reports = {Path(report.file).suffix: report for report in write_reports(tmp_path / "house")}
    for path in (tmp_path / "house").iterdir():
        if path.name not in {report.file for report in reports.values()}:
            path.unlink()
    made = read(store, tmp_path / "house")
    found = {row["source"]: row["text"] for row in lines(made, "documents.jsonl")}
    assert set(reports) == {".docx", ".xlsx", ".pdf", ".html"}
    for report in reports.values():
        assert all(text in found[report.file] for text in report.sections.values()), report.file


def test_nothing_can_be_read(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("短い。", encoding="utf-8")
    with pytest.raises(UsageError, match=r"no document can be read \(short 1\).*documents.least"):
        read(store, tmp_path, "a.txt")
    with pytest.raises(UsageError, match=r"no document can be read \(no file\)"):
        store.run(documents, Documents(), files={}, exam=store.run(exam, Nothing()))


def test_a_pattern_that_names_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(LONG, encoding="utf-8")
    assert len(document_files(Documents(use=("*.txt", "a.*", str(tmp_path / "a.txt"))), tmp_path)) == 1
    with pytest.raises(UsageError, match=r"'docs/\*' names no file"):
        document_files(Documents(use=("*.txt", "docs/*")), tmp_path)
