from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from pathlib import Path

from tensaku.records import Pair, from_dict
from tensaku.sampledesk import FILES, folder
from tensaku.sampledesk.content import funds
from tensaku.sampledesk.write import write


def test_the_committed_files_are_what_the_generator_writes(tmp_path: Path) -> None:
    written = write(tmp_path)
    assert {p.name for p in written} == {"pairs.jsonl", "drafts.jsonl", "old-system.csv", "names.toml"}
    for path in written:
        assert path.read_bytes() == (folder() / path.name).read_bytes(), path.name


def test_every_file_of_the_desk_is_there() -> None:
    for name in FILES:
        assert (folder() / name).stat().st_size > 0


def test_this_months_drafts_have_no_final_and_hold_a_promise() -> None:
    rows = [json.loads(line) for line in (folder() / "drafts.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 17
    assert all("final" not in row and row["as_of"] == "2026-10" for row in rows)
    assert any(re.search("必ず|確実に|絶対に|元本|約束", row["draft"]) for row in rows)
    assert not any("<" in row["draft"] for row in rows)


def test_the_old_export_is_shift_jis_and_every_row_is_faulty() -> None:
    data = (folder() / "old-system.csv").read_bytes()
    rows = list(csv.reader(io.StringIO(data.decode("cp932"), newline="")))
    header, body = rows[0], rows[1:]
    pairs = [
        from_dict(Pair, json.loads(line))
        for line in (folder() / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    final_of = {unicodedata.normalize("NFKC", p.draft): p.final for p in pairs}
    assert 25 <= len(body) <= 35
    kinds = set()
    for row in body:
        if len(row) < len(header):
            kinds.add("short")
            continue
        values = dict(zip(header, row, strict=True))
        known = final_of.get(unicodedata.normalize("NFKC", values["draft"]))
        if not values["draft"] or not values["final"]:
            kinds.add("empty")
        elif values["draft"] == values["final"]:
            kinds.add("same")
        elif known == values["final"]:
            kinds.add("copy")
        else:
            assert known is not None, values["id"]
            kinds.add("twin")
    assert kinds == {"short", "empty", "same", "copy", "twin"}


def test_the_house_style_has_numbered_rules_with_examples_and_every_market() -> None:
    text = (folder() / "house-style.md").read_text(encoding="utf-8")
    numbers = [int(n) for n in re.findall(r"^\*\*(\d+)\.\*\*", text, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 40
    assert text.count("例：") == len(numbers)
    for fund in funds():
        assert f"| {fund.name} | {fund.label} |" in text


def test_the_instruction_is_short() -> None:
    assert len((folder() / "instruction.md").read_text(encoding="utf-8").strip()) < 120
