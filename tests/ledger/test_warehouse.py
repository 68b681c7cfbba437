"""The copy of finals and labels: whole, once, brought up to date, all or nothing; on SQLite and Snowflake's dialect.

Snowflake's driver asks for other versions than ours, and fakesnow, which runs Snowflake's SQL on DuckDB, for an older
driver than the dialect does. So each has an environment of its own, and they meet over HTTP on loopback:
TENSAKU_SNOWFLAKE_PYTHON and TENSAKU_FAKESNOW_PYTHON name them; `make test-snowflake` makes both.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.engine import make_url

from tensaku.errors import MissingExtra, UsageError
from tensaku.ledger import Ledger, NewDraft
from tensaku.ledger.warehouse import BATCH, FINALS, LABELS, Copied, copy_out, warehouse
from tensaku.records import Revision, Usage, Verdict
from tensaku.text import changes

PYTHON = Path(os.environ.get("TENSAKU_SNOWFLAKE_PYTHON", "TENSAKU_SNOWFLAKE_PYTHON is not set"))
FAKESNOW = Path(os.environ.get("TENSAKU_FAKESNOW_PYTHON", "TENSAKU_FAKESNOW_PYTHON is not set"))
EVIL = "'; DROP TABLE tensaku_finals; -- %s %(x)s \\ 🏦 改行\n二行目"


def fill(ledger: Ledger) -> None:
    ledger.add_person("sato", "佐藤", ("writer",))
    ledger.add_person("mori", "森", ("reviewer",))
    for number, text in enumerate(("市場は上昇した。", EVIL)):
        draft = ledger.add_draft(NewDraft(text, "青葉", f"F{number}", "market", "2026-10", "paste", str(number)))
        made = Revision(text, text + "堅調。", Verdict(), "stop", Usage(1, 1), {"release": "release-1"})
        revision = ledger.add_revision(draft.id, made, "sato")
        change = changes(text, text + "堅調。")[-1]
        ledger.add_decision(
            draft.id, change, "rejected", "sato", revision_id=revision.id, reason="style", note="当社の語"
        )
        ledger.save_final(draft.id, text, "sato", revision_id=revision.id)
    ledger.add_review(ledger.finals(1)[0].id, "approved", "mori", note="確認しました。")
    other = ledger.add_revision(1, Revision("市場は上昇した。", "別案。", Verdict(), "stop", Usage(1, 1), {}), "sato")
    ledger.add_choice(1, [1, other.id], other.id, "sato")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        fill(opened)
        yield opened


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = create_engine(f"sqlite:///{tmp_path / 'house.db'}")
    yield made
    made.dispose()


def rows(engine: Engine) -> tuple[list[Any], list[Any]]:
    with engine.connect() as connection:
        return tuple(list(connection.execute(select(t).order_by(*t.primary_key)).mappings()) for t in (FINALS, LABELS))  # type: ignore[return-value]


def test_every_final_and_label_is_there_once(ledger: Ledger, engine: Engine) -> None:
    copied = copy_out(ledger, engine)
    assert copied == Copied(
        {"tensaku_finals": 2, "tensaku_labels": 4}, dict.fromkeys(("tensaku_finals", "tensaku_labels"), 0),
        dict.fromkeys(("tensaku_finals", "tensaku_labels"), 0),
    )  # fmt: skip
    finals, labels = rows(engine)
    assert [(f["fund"], f["final"], f["revision"], f["model_release"], f["saved_by"]) for f in finals] == [
        ("F0", "市場は上昇した。", "市場は上昇した。堅調。", "release-1", "sato"),
        ("F1", EVIL, EVIL + "堅調。", "release-1", "sato"),
    ]
    assert sorted((row["kind"], row["label"], row["reason"]) for row in labels) == [
        ("choice", "chosen", ""),
        ("decision", "rejected", "style"),
        ("decision", "rejected", "style"),
        ("review", "approved", ""),
    ]
    again = copy_out(ledger, engine)
    assert (sum(again.new.values()), sum(again.changed.values()), sum(again.same.values())) == (0, 0, 6)
    ledger.save_final(1, "市場は続伸した。", "sato", based_on=1)
    assert copy_out(ledger, engine).new == {"tensaku_finals": 1, "tensaku_labels": 0}


def test_what_was_erased_in_the_ledger_is_erased_in_the_copy(ledger: Ledger, engine: Engine) -> None:
    copy_out(ledger, engine)
    with engine.begin() as connection:  # as if the ledger had held another text when it was copied
        connection.execute(FINALS.update().where(FINALS.c.final_id == 2).values(final="秘密", digest="0" * 64))
    copied = copy_out(ledger, engine)
    assert copied.changed == {"tensaku_finals": 1, "tensaku_labels": 0}
    assert "秘密" not in str(rows(engine))


def test_a_copy_that_fails_leaves_nothing_and_says_so(ledger: Ledger, engine: Engine) -> None:
    @event.listens_for(engine, "before_cursor_execute")
    def refuse(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith("INSERT INTO tensaku_labels"):
            cursor.execute("SELECT * FROM no_such_table")

    with pytest.raises(UsageError, match="could not be written"):
        copy_out(ledger, engine)
    event.remove(engine, "before_cursor_execute", refuse)
    assert rows(engine) == ([], [])


def test_an_address_that_is_none_is_one_message() -> None:
    with pytest.raises(MissingExtra, match="snowflake-sqlalchemy"):
        warehouse(make_url("snowflake://u@a/DB/S"))
    with pytest.raises(UsageError, match="no driver"):
        warehouse(make_url("oracle9://u@a/DB"))
    with pytest.raises(UsageError, match=r"no database address \(.*nonsense"):
        warehouse(make_url("sqlite://somewhere/?nonsense=%ff"))


CHILD = """
import json, sys
from sqlalchemy import event, inspect, select
from sqlalchemy.engine import make_url
from tensaku.errors import UsageError
from tensaku.ledger import Ledger
from tensaku.ledger.warehouse import FINALS, LABELS, copy_out, warehouse

def place(port):
    engine = warehouse(make_url("snowflake://tensaku:x@house/DESK/PUBLIC?warehouse=WH"))
    assert engine.dialect.name == "snowflake"

    @event.listens_for(engine, "do_connect")
    def here(dialect, record, arguments, options):
        options.update(host="127.0.0.1", port=port, protocol="http", login_timeout=2)

    return engine

def refused(ledger, engine):
    try:
        copy_out(ledger, engine)
    except UsageError as error:
        return str(error)

def counted(copied):
    return [copied.new, copied.changed, copied.same]

engine, many = place(int(sys.argv[2])), int(sys.argv[3])
with Ledger.open(sys.argv[1]) as ledger:
    first, again = copy_out(ledger, engine), copy_out(ledger, engine)
    ledger.save_final(1, "市場は続伸した。", "sato", based_on=1)
    with engine.begin() as connection:
        connection.execute(FINALS.update().where(FINALS.c.final_id == 2).values(final="秘密", digest="0" * 64))

    @event.listens_for(engine, "before_cursor_execute")
    def refuse(connection, cursor, statement, *rest):
        if statement.startswith("INSERT INTO tensaku_labels"):
            cursor.execute("SELECT * FROM no_such_table")

    with engine.begin() as connection:
        connection.execute(LABELS.delete())
    failed = refused(ledger, engine)
    event.remove(engine, "before_cursor_execute", refuse)
    wanted = select(FINALS.c.final_id, FINALS.c.final).order_by(FINALS.c.final_id)
    with engine.connect() as connection:
        untouched = [tuple(row) for row in connection.execute(wanted)]
    last = copy_out(ledger, engine)
    with engine.connect() as connection:
        finals = [tuple(row) for row in connection.execute(wanted)]
        wanted = select(LABELS.c.kind, LABELS.c.label, LABELS.c.note).order_by(LABELS.c.label_id)
        labels = [tuple(row) for row in connection.execute(wanted)]
    types = {c["name"]: str(c["type"]) for c in inspect(engine).get_columns("tensaku_finals")}
    for _ in range(many):  # more than one statement holds
        final = ledger.finals(1)[0]
        ledger.save_final(1, final.text + "続", "sato", based_on=final.id)
    with engine.begin() as connection:
        connection.execute(FINALS.update().values(digest="0" * 64))
    batches = copy_out(ledger, engine)
    engine.dispose()
    away = refused(ledger, place(9))
told = {"first": first, "again": again, "last": last, "batches": batches}
told = {name: counted(copied) for name, copied in told.items()}
told |= {"failed": failed, "untouched": untouched, "finals": finals, "labels": labels, "types": types, "away": away}
print(json.dumps(told))
"""


@pytest.fixture
def fakesnow() -> Iterator[subprocess.Popen[str]]:
    script = Path(__file__).with_name("fakesnow_server.py")
    with subprocess.Popen([FAKESNOW, str(script)], stdout=subprocess.PIPE, text=True) as running:
        yield running
        running.kill()


@pytest.mark.snowflake
@pytest.mark.skipif(
    not (PYTHON.exists() and FAKESNOW.exists()),
    reason="no environments with Snowflake's driver and fakesnow; `make test-snowflake` makes them",
)
def test_the_same_through_snowflakes_driver(ledger: Ledger, tmp_path: Path, fakesnow: subprocess.Popen[str]) -> None:
    ledger.close()
    assert fakesnow.stdout is not None
    port, many = fakesnow.stdout.readline().strip(), BATCH + 20
    source = Path(__file__).parents[2] / "src"
    child = subprocess.run(
        [PYTHON, "-c", CHILD, str(tmp_path / "ledger.db"), port, str(many)],
        capture_output=True, text=True, timeout=250, check=False, env={**os.environ, "PYTHONPATH": str(source)},
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    told = json.loads(child.stdout.splitlines()[-1])
    assert told["first"][0] == {"tensaku_finals": 2, "tensaku_labels": 4}
    assert [sum(counts.values()) for counts in told["again"]] == [0, 0, 6]
    assert "NO_SUCH_TABLE" in told["failed"]
    assert told["untouched"] == [[1, "市場は上昇した。"], [2, "秘密"]], "all or nothing"
    assert (told["last"][0], told["last"][1]["tensaku_finals"]) == ({"tensaku_finals": 1, "tensaku_labels": 4}, 1)
    assert told["finals"] == [[1, "市場は上昇した。"], [2, EVIL], [3, "市場は続伸した。"]]
    assert ["review", "approved", "確認しました。"] in told["labels"]
    assert told["types"]["final"].startswith(("VARCHAR", "TEXT", "STRING"))
    assert (told["batches"][0]["tensaku_finals"], told["batches"][1]["tensaku_finals"]) == (many, 3)
    assert "could not be written" in told["away"]
    fakesnow.kill()
    assert fakesnow.stdout.read() == "", "the driver sent what fakesnow does not know, as its telemetry"
