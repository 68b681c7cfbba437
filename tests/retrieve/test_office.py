"""PDF, Word and Excel in the index: found by what is in them, with the page; one that cannot be read is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensaku.errors import DataError
from tensaku.retrieve.blocks import read_blocks
from tensaku.retrieve.indexing import Collection, index
from tensaku.retrieve.rights import Rights
from tensaku.retrieve.search import Searcher
from tensaku.sampledesk.reports import write_reports


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("reports")
    write_reports(made)
    return made


@pytest.mark.parametrize("ending", [".pdf", ".docx", ".xlsx"])
def test_blocks_of_each_format_in_reading_order(folder: Path, ending: str) -> None:
    path = next(path for path in sorted(folder.iterdir()) if path.suffix == ending)
    blocks = read_blocks(path.name, path.read_bytes())
    assert [block.place for block in blocks] == list(range(len(blocks)))
    assert [block.page for block in blocks] == sorted(block.page for block in blocks)
    assert {block.kind for block in blocks} >= {"paragraph", "row"}
    assert any("。" in block.text for block in blocks)


def test_a_damaged_one_is_one_message(folder: Path) -> None:
    path = next(path for path in sorted(folder.iterdir()) if path.suffix == ".pdf")
    for data in (path.read_bytes()[:200], b"PK\x03\x04 and no more", b""):
        with pytest.raises(DataError, match=r"rules\.pdf"):
            read_blocks("rules.pdf", data)


def test_a_pdf_whose_text_is_not_what_it_shows(tmp_path: Path) -> None:
    from reportlab.pdfgen.canvas import Canvas

    (tmp_path / "rules").mkdir()
    canvas = Canvas(str(tmp_path / "rules/fees.pdf"))
    canvas.drawString(50, 700, "The fee of a redemption is 0.30 percent of the amount.")
    canvas.setFillColorRGB(1, 1, 1)
    canvas.drawString(50, 650, "The fee of a redemption is nothing at all.")
    canvas.setFillColorRGB(0, 0, 0)
    canvas.setFont("Helvetica", 0.5)
    canvas.drawString(50, 600, "Redemptions are free for everybody who asks.")
    canvas.setFont("Helvetica", 12)
    canvas.drawString(50, -400, "Redemptions below the page are free.")
    canvas.save()
    done = index([Collection("rules", tmp_path / "rules")], tmp_path / "index", None)
    (told,) = done.notes["rules/fees.pdf"]
    assert told.startswith("text that is not shown was left out")
    (hit,) = Searcher(tmp_path / "index", None, Rights(None)).search("Is a redemption free, or what is its fee?")
    assert "0.30 percent" in hit.text
    assert not any(word in hit.text for word in ("nothing", "free", "everybody"))
