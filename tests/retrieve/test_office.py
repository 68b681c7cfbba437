"""PDF, Word and Excel in the index: found by what is in them, with the page; one that cannot be read is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensaku.errors import DataError
from tensaku.retrieve.blocks import read_blocks
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
