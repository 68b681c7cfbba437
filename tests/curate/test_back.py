"""What a person takes back stays in the next pool, whatever the step says; nothing else does."""

from __future__ import annotations

from pathlib import Path

from tests.curate.test_pool import source

from tensaku.curate import Curate, curate, taken_back_file
from tensaku.curate.back import identity
from tensaku.curate.drops import Drops
from tensaku.curate.rows import PairFile
from tensaku.ledger import Ledger, NewRuling

ROWS = [{"draft": f"株は{n}円。", "final": f"株式は{n}円でした。"} for n in range(6)]
TWINS = [{"draft": "円安。", "final": "円安が進みました。"}, {"draft": "円安。", "final": "円安となりました。"}]


def test_a_drop_is_known_by_file_and_fingerprint_wherever_its_line_is() -> None:
    assert identity("a.csv:17#abc", "twin") == ("a.csv#abc", "twin") == identity("a.csv:90#abc", "twin")
    assert identity("dir:x/a.csv:1#abc", "twin") == ("dir:x/a.csv#abc", "twin")
    assert identity("ledger:final:12", "twin") == ("ledger:final:12", "twin")


def test_what_is_taken_back_stays_until_it_is_left_out_again(tmp_path: Path) -> None:
    store, made = source(tmp_path, [*ROWS, *TWINS, {"draft": "空", "final": " "}])
    pool = store.run(curate, Curate(), source=made)
    drops = Drops(pool)
    assert [(drop.reason, drop.back) for drop in drops.all] == [("empty-final", False), ("contradictory-twin", True)]
    twin = drops.all[1]
    partner = drops.partner(drops.read(1))
    assert partner is not None
    assert (drops.read(1).row["final"], partner.final) == ("円安となりました。", "円安が進みました。")
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_person("ueda", "上田", ("developer",))
        assert taken_back_file(ledger, tmp_path / "back") is None
        for kept in (False, True):
            ledger.add_ruling(NewRuling(twin.row, twin.reason, pool.ref, twin.fund, kept, "別の内容"), by="ueda")
        file = taken_back_file(ledger, tmp_path / "back")
        assert ledger.verify_records() == []
    assert file is not None
    again = store.run(curate, Curate(), source=made, taken_back=file)
    assert again.facts["n"] == pool.facts["n"] + 1
    assert {pair.final for pair in PairFile(again.file("pairs.jsonl"))} >= {"円安となりました。", "円安が進みました。"}
    assert again.facts["taken_back"] == {"asked": 1, "kept": 1}
    assert [step.get("taken_back") for step in again.facts["steps"] if step["step"] == "twins"] == [1]
    assert "人が戻した組" in again.file("datasheet.html").read_text(encoding="utf-8")
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.add_ruling(NewRuling(twin.row, twin.reason, again.ref, twin.fund, False, "やはり外す"), by="ueda")
        assert taken_back_file(ledger, tmp_path / "back") is None
