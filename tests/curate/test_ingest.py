"""From files to pairs, through the store."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tensaku.curate import Sources, Use, files, ingest
from tensaku.curate.rows import PairFile, read_drops
from tensaku.errors import DataError, NotFound, UsageError
from tensaku.store import Artifact, SilentReporter, Store

ROW = {
    "id": "p1",
    "draft": "ＴＯＰＩＸは３．２％上昇。",
    "final": "TOPIXは3.2%上昇しました。",
    "manager": "あおば",
    "fund": "国内株式",
    "section": "market",
    "as_of": "2026-09",
}


RENAMED = {key if key != "final" else "finale": value for key, value in ROW.items()}


def bring_in(folder: Path, *uses: Use) -> Artifact:
    cfg = Sources(use=uses)
    return Store(folder / "work", SilentReporter()).run(ingest, cfg, **files(cfg, folder))


def write_jsonl(path: Path, rows: list[Any]) -> None:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_row_becomes_a_pair_that_names_its_row(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [ROW])
    made = bring_in(tmp_path, Use(path="a.jsonl"))
    (pair,) = PairFile(made.path / "pairs.jsonl")
    assert (pair.draft, pair.final, pair.as_of) == (ROW["draft"], ROW["final"], "2026-09")
    assert pair.family == "国内株式/market/2026-09"
    assert pair.source.startswith("a.jsonl:1#")
    assert made.facts["n"] == 1


def test_a_shift_jis_table_with_its_own_columns_and_values(tmp_path: Path) -> None:
    table = "原稿,公表文,区分,月\n株は上昇,株式は上昇しました。,市場動向,令和8年9月\n"
    (tmp_path / "old.csv").write_bytes(table.encode("cp932"))
    made = bring_in(
        tmp_path,
        Use(
            path="old.csv",
            columns={"draft": "原稿", "final": "公表文", "section": "区分", "as_of": "月"},
            fill={"manager": "不明", "fund": "旧ファンド"},
            values={"section": {"市場動向": "market"}},
        ),
    )
    (pair,) = PairFile(made.path / "pairs.jsonl")
    assert (pair.section, pair.as_of, pair.manager) == ("market", "2026-09", "不明")
    assert pair.id.startswith("row-")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROW, "{oops"], r"a\.jsonl, line 2: the line is not JSON"),
        ([RENAMED], r"line 1, field 'final': this column is missing.*'finale'"),
        (['{"draft": "一"'], "not JSON"),
        ([[1]], "a JSON Lines file has one object a line"),
        ([""], "the file holds no rows"),
        ([ROW | {"as_of": "先月"}], r"none of its 1 rows can be used \(bad-as-of 1\)"),
    ],
)
def test_wrong_input_stops_with_one_message_and_leaves_nothing(tmp_path: Path, rows: list[Any], message: str) -> None:
    write_jsonl(tmp_path / "a.jsonl", rows)
    with pytest.raises(DataError, match=message) as caught:
        bring_in(tmp_path, Use(path="a.jsonl"))
    assert caught.value.exit_code == 2
    assert not list((tmp_path / "work").glob("artifacts/*"))


def test_bad_values_are_set_aside_counted_and_kept(tmp_path: Path) -> None:
    bad = [ROW | {"as_of": "先月"}, ROW | {"draft": 5}, ROW | {"fund": " "}]
    write_jsonl(tmp_path / "a.jsonl", [ROW, *bad])
    made = bring_in(tmp_path, Use(path="a.jsonl"))
    drops = list(read_drops(made.path / "drops.jsonl"))
    assert [(drop.reason, drop.source) for drop in drops] == [
        ("bad-as-of", "a.jsonl:2"),
        ("wrong-type", "a.jsonl:3"),
        ("empty-field", "a.jsonl:4"),
    ]
    assert drops[0].row == bad[0]
    assert made.facts["files"][0]["set_aside"] == {"bad-as-of": 1, "empty-field": 1, "wrong-type": 1}


def test_set_aside_takes_unreadable_lines_too(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [ROW, "{oops", {"draft": "x"}])
    made = bring_in(tmp_path, Use(path="a.jsonl", on_bad="set-aside"))
    drops = list(read_drops(made.path / "drops.jsonl"))
    assert [drop.reason for drop in drops] == ["not-json", "missing-field"]
    assert drops[0].row == {"text": "{oops"}


def test_a_lone_surrogate_in_json_is_set_aside_and_not_written_wrong(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [ROW, json.dumps(ROW | {"draft": "x\ud800"})])
    made = bring_in(tmp_path, Use(path="a.jsonl"))
    assert [drop.reason for drop in read_drops(made.path / "drops.jsonl")] == ["lone-surrogate"]


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (Use(path="b.jsonl"), UsageError, "there is no such file"),
        (Use(path="."), UsageError, "no reader is known"),
        (Use(path="a.jsonl", source="jsnl"), NotFound, "jsonl"),
        (Use(path="a.jsonl", columns={"drfat": "x"}), UsageError, "Did you mean 'draft'"),
        (Use(path="a.jsonl", options={"sheet": "x"}), UsageError, "unknown setting 'sheet'"),
    ],
)
def test_a_source_named_wrong_is_found_before_work(
    tmp_path: Path, use: Use, error: type[Exception], message: str
) -> None:
    write_jsonl(tmp_path / "a.jsonl", [ROW])
    with pytest.raises(error, match=message):
        files(Sources(use=(use,)), tmp_path)


def test_two_hundred_megabytes_pass_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "big.jsonl"
    block = "".join(
        json.dumps(ROW | {"id": str(n), "draft": "長い原稿です。" * 3000}, ensure_ascii=False) + "\n" for n in range(34)
    )
    with path.open("w", encoding="utf-8") as file:
        for _ in range(100):
            file.write(block)
    assert path.stat().st_size > 200_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = bring_in(tmp_path, Use(path="big.jsonl"))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # KiB
    path.unlink()
    assert made.facts["n"] == 3400
    assert grown < 64 * 1024


def test_killed_in_the_middle_the_next_run_leaves_the_same(tmp_path: Path) -> None:
    rows = [ROW | {"id": f"p{n}", "draft": f"{n} " + "長い原稿です。" * 200} for n in range(6000)]
    write_jsonl(tmp_path / "a.jsonl", rows)
    script = (
        "import sys\nfrom pathlib import Path\nfrom tensaku.curate import Sources, Use, files, ingest\n"
        "from tensaku.store import SilentReporter, Store\n"
        "folder, cfg = Path(sys.argv[1]), Sources(use=(Use(path='a.jsonl'),))\n"
        "Store(folder / 'work', SilentReporter()).run(ingest, cfg, **files(cfg, folder))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size > 1_000_000 for path in tmp_path.glob("work/scratch/**/pairs.jsonl")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not list(tmp_path.glob("work/artifacts/*"))
    made = bring_in(tmp_path, Use(path="a.jsonl"))
    assert [pair.id for pair in PairFile(made.path / "pairs.jsonl")] == [row["id"] for row in rows]
    (tmp_path / "other").mkdir()
    (tmp_path / "a.jsonl").rename(tmp_path / "other" / "a.jsonl")
    other = bring_in(tmp_path / "other", Use(path="a.jsonl"))
    assert other.manifest["files"] == made.manifest["files"]
    assert other.ref == made.ref
