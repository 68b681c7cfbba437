"""Finals as files: whole, in the house's form, and harmless."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import docx
import openpyxl
import pytest

from tensaku.desk.handout import FORMS, gather, handout
from tensaku.errors import NotFound, UsageError
from tensaku.ledger import Ledger, NewDraft
from tensaku.text import changes

EVIL = '=HYPERLINK("http://evil","押す")\n\x07＝1+1 \u202e21\u202c <script>hit()</script>'


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        opened.add_person("sato", "佐藤", ("writer",))
        for number, (text, fund) in enumerate((("市場は上昇した。", "国内株式"), (EVIL, "=cmd|' /C calc'!A0"))):
            draft = opened.add_draft(NewDraft(text, "青葉", fund, "market", "2026-10", "paste", str(number)))
            opened.save_final(draft.id, text.replace("上昇", "続伸"), "sato")
        change = changes("市場は上昇した。", "市場は続伸した。")[0]
        opened.add_decision(1, change, "accepted", "sato", reason="style", note="当社の語")
        yield opened


def test_word_holds_every_comment_under_its_fund(ledger: Ledger) -> None:
    made = docx.Document(io.BytesIO(handout(gather(ledger), "docx", history=True)))
    lines = [paragraph.text for paragraph in made.paragraphs]
    assert "市場は続伸した。" in lines
    assert any(line.startswith("国内株式　2026年10月") for line in lines)
    assert ["文体", "当社の語"] in [[cell.text for cell in row.cells][-2:] for row in made.tables[1].rows]


def test_no_cell_is_a_formula(ledger: Ledger) -> None:
    book = openpyxl.load_workbook(io.BytesIO(handout(gather(ledger), "xlsx", history=True)))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    for row in csv.reader(io.StringIO(handout(gather(ledger), "csv").decode("utf-8-sig"))):
        assert not any(value.lstrip().startswith(("=", "+", "-", "@", "＝")) for value in row)
    for form in FORMS:
        assert "\u202e".encode() not in handout(gather(ledger), form) or form == "json"


def test_json_is_the_text_itself(ledger: Ledger) -> None:
    rows = json.loads(handout(gather(ledger, month="2026-10"), "json", history=True))
    assert {row["text"] for row in rows} == {"市場は続伸した。", EVIL}
    assert rows[1]["history"][0]["What"] == "Draft received"


def test_what_nobody_has_approved_does_not_go_out(ledger: Ledger) -> None:
    ledger.review = True
    with pytest.raises(UsageError, match="second person's approval"):
        gather(ledger)
    ledger.add_person("mori", "森", ("reviewer",))
    ledger.add_review(ledger.finals(1)[0].id, "approved", "mori")
    assert [handed.draft.id for handed in gather(ledger)] == [1]
    ledger.save_final(1, "市場は続伸しました。", "sato", based_on=ledger.finals(1)[0].id)  # written anew: read anew
    with pytest.raises(UsageError, match="second person's approval"):
        gather(ledger)


def test_what_cannot_be_handed_out_is_said(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="nothing is saved"):
        gather(ledger, month="2020-01")
    with pytest.raises(NotFound):
        gather(ledger, draft=99)
    with pytest.raises(NotFound, match="docx"):
        handout(gather(ledger), "doc")
