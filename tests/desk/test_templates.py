"""What no page shows by itself: blocks that nothing places, colours that nothing defines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DESK = Path(__file__).parents[2] / "src/tensaku/desk"
TEMPLATES = sorted((DESK / "templates").glob("*.html"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_every_block_has_a_place_in_the_frame(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = re.search(r'{% extends "(.+?)" %}', text)
    if found is None:
        return
    frame = (DESK / "templates" / found[1]).read_text(encoding="utf-8")
    blocks = re.compile(r"{% block (\w+)")
    assert set(blocks.findall(text)) <= set(blocks.findall(frame))


def test_every_colour_and_measure_is_defined() -> None:
    styles = "".join(path.read_text(encoding="utf-8") for path in sorted((DESK / "static").glob("*.css")))
    pages = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES)
    code = "".join(path.read_text(encoding="utf-8") for path in sorted((DESK / "static").glob("*.js")))
    set_there = set(re.findall(r"(--[\w-]+)\s*:", styles + pages)) | set(re.findall(r'"(--[\w-]+)"', code))
    assert set(re.findall(r"var\((--[\w-]+)\)", styles + pages)) - set_there == set()
