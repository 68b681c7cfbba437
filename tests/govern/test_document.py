"""The model document: written from what happened, added to by people, every figure linked to where it comes from."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import docx
import pytest

from tensaku.documents import read
from tensaku.errors import NotFound, UsageError
from tensaku.govern import Gate, Release, release
from tensaku.govern.changes import approved_before, changes_between
from tensaku.govern.document import PARTS, add_text, document_files, texts_of, write_document
from tensaku.govern.findings import add_finding
from tensaku.ledger import Conditions, Ledger
from tensaku.store import Artifact, Input, SourceFile, Store
from tensaku.testing import tiny_desk

Road = Callable[..., dict[str, Artifact]]
MORE: dict[str, Any] = {
    "intervals": {"bleu": {"draft": [50.0, 55.0], "tuned": [86.5, 90.0]}},
    "gains": [
        {"scorer": "bleu", "row": "tuned", "over": "draft", "value": 36.2, "low": 33.0, "high": 39.0, "p_random": 0.001}
    ],
    "signatures": {"bleu": "nrefs:1|tok:ja-mecab"},
    "form_seen_share": 0.41,
    "cut_off": 2,
}


@pytest.fixture
def made(store: Store, road: Road, tmp_path: Path) -> Artifact:
    (tmp_path / "instruction.md").write_text("公表文に直してください。", encoding="utf-8")
    given: dict[str, Input] = {**road(MORE), "instruction": SourceFile(tmp_path / "instruction.md")}
    return store.run(release, Release(gate=Gate(owner="運用企画部")), **given)


@pytest.fixture
def ledger(tmp_path: Path, made: Artifact) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        for name, role in (("sato", "developer"), ("abe", "approver"), ("mori", "auditor")):
            opened.add_person(name, name, (role,))
        opened.add_release(made.ref, "sato", made.facts)
        yield opened


def files_of(ledger: Ledger, store: Store, ref: str) -> dict[str, bytes]:
    return document_files(ledger, store, ref, datetime.now(UTC))


def words_of(content: bytes) -> str:
    document = docx.Document(io.BytesIO(content))
    parts = [p.text for p in document.paragraphs]
    return "\n".join(parts + [cell.text for t in document.tables for row in t.rows for cell in row.cells])


def test_it_says_what_happened_in_both_languages_and_forms(ledger: Ledger, store: Store, made: Artifact) -> None:
    add_finding(ledger, made.ref, "％を落とす / loses %", "high", datetime.now(UTC) + timedelta(days=9), "abe")
    ledger.end_filing("finding", "F-0001", "直したものを確かめた", "abe")
    conditions = Conditions(tasks=("comment",), requests=500)
    ledger.approve(made.ref, "abe", "approved", "試験結果を確認した", conditions=conditions)
    found = files_of(ledger, store, made.ref)
    for language, place in (("ja", 0), ("en", 1)):
        page, word = (
            found[f"model-document.{language}.html"].decode(),
            words_of(found[f"model-document.{language}.docx"]),
        )
        assert f'<html lang="{language}">' in page
        for title in PARTS.values():
            assert title[place] in page
            assert title[place] in word
        for text in ("88.75 [86.50, 90.00]", "+36.20 [+33.00, +39.00]", "F-0001", "運用企画部"):
            assert text in page, text
            assert text in word, text
    japanese = words_of(found["model-document.ja.docx"])
    for text in (
        "条件付き承認",
        "500 件まで",
        "％を落とす",
        "解決: 直したものを確かめた",
        "公表文に直してください。",
        "試験と同じ系列 3",
    ):
        assert text in japanese, text
    assert "loses %" not in japanese
    assert "この業務で承認された最初の版" in japanese


def test_every_link_leads_to_a_place_that_is_there(ledger: Ledger, store: Store, made: Artifact) -> None:
    add_text(ledger, made.ref, "limits", "月末に限る。", "sato")
    found = files_of(ledger, store, made.ref)
    seen = 0
    for language in ("ja", "en"):
        page = found[f"model-document.{language}.html"].decode()
        document = docx.Document(io.BytesIO(found[f"model-document.{language}.docx"]))
        outside = [rel.target_ref for rel in document.part.rels.values() if rel.is_external]
        for link in [*re.findall(r'class="v" href="([^"]+)"', page), *outside]:
            name, _, place = link.partition("#")
            assert name in found, link
            if place and name.endswith(".html"):
                assert f'id="{unquote(place)}"' in found[name].decode(), link
            seen += 1
    assert seen > 150
    for name, content in found.items():
        if name.startswith("evidence/") and name.count("/") == 1:
            for link in re.findall(r'href="([^"]+)"', content.decode()):
                assert f"evidence/{link}" in found, (name, link)
    assert "88.75" in found[f"evidence/{made.inputs['evaluation']}.html"].decode()
    assert not [name for name in found if name.endswith((".jsonl", ".safetensors"))]  # texts and weights stay inside


def test_the_word_file_is_read_by_another_reader_and_is_the_same_again(
    ledger: Ledger, store: Store, made: Artifact, tmp_path: Path
) -> None:
    at = datetime.now(UTC)
    one = document_files(ledger, store, made.ref, at, forms=("docx",))
    assert one == document_files(ledger, store, made.ref, at, forms=("docx",))
    path = tmp_path / "document.docx"
    path.write_bytes(one["model-document.ja.docx"])
    seen = str(read(path))
    assert "モデル記述書" in seen
    assert "88.75" in seen


def test_what_people_write_survives_and_is_signed(ledger: Ledger, store: Store, made: Artifact) -> None:
    first = "急変時は使わない。\n\n- 為替の介入\n- 市場の休場"
    add_text(ledger, made.ref, "limits", first, "sato")
    add_text(ledger, made.ref, "assumptions", "Month-end only.", "abe", "en")
    for _ in range(2):  # made again, it is still there
        page = files_of(ledger, store, made.ref)["model-document.ja.html"].decode()
        assert "<li>為替の介入</li>" in page
        assert re.search(r"sato が <a [^>]+>20\d\d-\d\d-\d\d \d\d:\d\d</a> に記入", page)
        assert "Month-end only." in page  # in the one language that there is
    add_text(ledger, made.ref, "assumptions", "月末のみ。", "abe", "ja")
    found = files_of(ledger, store, made.ref)
    assert "月末のみ。" in found["model-document.ja.html"].decode()
    assert "Month-end only." in found["model-document.en.html"].decode()
    entry = next(e for e in reversed(ledger.log()) if e.what == "text.filed")
    assert (entry.who, entry.detail["after"]["ja"], entry.detail["before"]["ja"]) == ("abe", "月末のみ。", "")
    add_text(ledger, made.ref, "limits", "", "sato")
    assert "為替の介入" not in files_of(ledger, store, made.ref)["model-document.ja.html"].decode()
    assert ledger.verify_records() == []


def test_markup_in_what_people_write_is_text(ledger: Ledger, store: Store, made: Artifact) -> None:
    add_text(ledger, made.ref, "purpose", "<script>alert(1)</script>\u202e {at} {by}", "sato")
    found = files_of(ledger, store, made.ref)
    page = found["model-document.ja.html"].decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "{at} {by}" in page
    assert "\u202e" not in words_of(found["model-document.ja.docx"])


@pytest.mark.parametrize(
    ("part", "words", "by", "message"),
    [
        ("limit", "x", "sato", "Did you mean limits"),
        ("limits", "x", "mori", "is an auditor"),
        ("limits", "x", "nobody", "no person"),
        ("limits", "", "sato", "nobody has added"),
        ("limits", "あ" * 20_001, "sato", "20,001 characters"),
    ],
)
def test_what_cannot_be_written(ledger: Ledger, made: Artifact, part: str, words: str, by: str, message: str) -> None:
    end = ledger.log_end()
    with pytest.raises((NotFound, UsageError), match=message):
        add_text(ledger, made.ref, part, words, by)
    assert ledger.log_end() == end


def test_the_next_release_carries_the_text_over_and_says_what_changed(
    ledger: Ledger, store: Store, road: Road, made: Artifact, tmp_path: Path
) -> None:
    add_text(ledger, made.ref, "limits", "急変時は使わない。", "sato")
    ledger.approve(made.ref, "abe", "approved")
    (tmp_path / "instruction.md").write_text("別の指示。", encoding="utf-8")
    given: dict[str, Input] = {
        **road(MORE | {"bleu_tuned": 90.0}),
        "instruction": SourceFile(tmp_path / "instruction.md"),
    }
    after = store.run(release, Release(gate=Gate(owner="運用企画部")), **given)
    row = ledger.add_release(after.ref, "sato", after.facts)
    before = approved_before(ledger, row)
    assert before is not None
    assert before.ref == made.ref
    assert [(c.part, c.material) for c in changes_between(ledger, before, row)] == [("prompt", True)]
    assert [(t.part, t.carried) for t in texts_of(ledger, row, before)] == [("limits", made.ref)]
    add_text(ledger, after.ref, "limits", "Not in a sudden fall.", "sato", "en")  # the other language stays
    assert [(t.ja, t.carried) for t in texts_of(ledger, row, before)] == [("急変時は使わない。", "")]
    add_text(ledger, after.ref, "limits", "", "sato")
    assert texts_of(ledger, row, before) == []
    add_text(ledger, made.ref, "data", "追記。", "sato")
    page = files_of(ledger, store, after.ref)["model-document.ja.html"].decode()
    for text in (f"前版 {made.ref} から引き継ぎ", "重要な変更があり", "指示文", "+1.25"):
        assert text in page, text


def test_it_goes_into_a_folder_of_its_own(ledger: Ledger, store: Store, made: Artifact, tmp_path: Path) -> None:
    found = files_of(ledger, store, made.ref)
    write_document(found, tmp_path / "doc")
    add_text(ledger, made.ref, "limits", "加筆。", "sato")
    write_document(files_of(ledger, store, made.ref), tmp_path / "doc")  # over an older one
    assert "加筆。" in (tmp_path / "doc" / "model-document.ja.html").read_text(encoding="utf-8")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("x")
    with pytest.raises(UsageError, match="something else than a model document"):
        write_document(found, tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["letter.txt"]
    assert not list(tmp_path.glob(".doc.*"))


def test_the_commands(cli: Callable[..., Any], tmp_path: Path) -> None:
    folder = tiny_desk(tmp_path / "desk", lessons=3, exam=2)
    assert "limits" in cli("card", "sections", "-C", folder).out
    for words in (
        ("make", "release-none"),
        ("write", "release-none", "limits", "x", "--by", "sato"),
        ("write", "release-none", "limits", "--by", "sato"),
        ("write", "release-none", "limits", "x", "--file", "y", "--by", "sato"),
        ("write", "release-none", "limits", "--file", tmp_path / "no.md", "--by", "sato"),
        ("write", "release-none", "limits", "x", "--by", "sato", "--language", "fr"),
        ("make", "release-none", "--form", "pdf"),
        ("changes", "release-none"),
    ):
        found = cli("card", *words, "-C", folder)
        said = [line for line in found.err.splitlines() if line.startswith("tensaku: ")]
        assert (found.code, "Traceback" in found.err, len(said)) == (2, False, 1), words
