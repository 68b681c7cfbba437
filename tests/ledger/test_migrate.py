import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from tensaku.errors import UsageError
from tensaku.ledger import Ledger, migrate, tables
from tensaku.ledger.database import connect, url_of

HASH = "c0ffee" + "0" * 58


def made_at(path: Path, version: str) -> None:
    """A ledger file as the Tensaku of that schema left it."""
    engine = connect(url_of(path))
    migrate.upgrade(engine, str(path), to=version)
    engine.dispose()


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(migrate.config()).get_current_head() == migrate.HEAD


def test_the_first_schema_with_rows_comes_to_the_newest_and_keeps_them(path: Path) -> None:
    made_at(path, "0001")
    with sqlite3.connect(path) as raw:
        held = {row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert "deployments" not in held
        now = "2026-01-05 01:02:03.000004"
        raw.execute("INSERT INTO people VALUES ('sato', '佐藤', '[\"writer\"]', 1, NULL, ?)", (now,))
        raw.execute(
            "INSERT INTO drafts VALUES (7, '原稿', 'A', 'F', 'market', '2026-01', 'paste', '', 'sato', ?)", (now,)
        )
        raw.execute("INSERT INTO finals VALUES (3, 7, NULL, NULL, '公表文', '[]', '{}', 'sato', ?)", (now,))
        raw.execute("INSERT INTO releases VALUES ('release-1', 'sato', '{\"bleu\":86.6}', ?)", (now,))
    raw.close()
    with Ledger.open(path) as ledger:
        assert ledger.draft(7).text == "原稿"
        assert [f.text for f in ledger.finals(7)] == ["公表文"]
        assert ledger.release("release-1").summary == {"bleu": 86.6}
        ledger.add_deployment("release-1", "sato", place="127.0.0.1:8080", trial=True)
        assert ledger.verify_log() is None
        assert (ledger.log()[0].what, ledger.log()[0].detail) == (
            "ledger.migrated",
            {"before": "0001", "after": "0010"},
        )


@pytest.mark.parametrize(
    "version", [s.revision for s in ScriptDirectory.from_config(migrate.config()).walk_revisions()]
)
def test_every_version_comes_to_the_schema_that_the_code_speaks_of(path: Path, version: str) -> None:
    made_at(path, version)
    Ledger.open(path).close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        options = {"version_table": migrate.VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables.Row.metadata) == []
    engine.dispose()


def test_opening_again_changes_nothing(path: Path) -> None:
    with Ledger.open(path) as ledger:
        end = ledger.log_end()
    with Ledger.open(path) as ledger:
        assert ledger.log_end() == end


def test_a_newer_ledger_is_refused_and_left_alone(path: Path) -> None:
    Ledger.open(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '0999'")
    raw.close()
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"newer Tensaku \(schema 0999, this one knows up to 0010\).*not touched"):
        Ledger.open(path)
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_the_ledger_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_at(path, "0001")
    real = command.upgrade

    def half_way(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        raise RuntimeError("the power went")

    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", half_way)
        with pytest.raises(RuntimeError, match="the power went"):
            Ledger.open(path)
    with sqlite3.connect(path) as raw:
        assert raw.execute(f"SELECT version_num FROM {migrate.VERSION_TABLE}").fetchall() == [("0001",)]
        assert raw.execute("SELECT 1 FROM sqlite_master WHERE name = 'deployments'").fetchall() == []
    raw.close()
    Ledger.open(path).close()


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE wine (name TEXT)")
    raw.close()
    with pytest.raises(UsageError, match="not a Tensaku ledger"):
        Ledger.open(path)
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("wine",)]
    raw.close()


@pytest.mark.parametrize("content", [b"draft,final\n" * 400, b"\x00" * 5000, b"x"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(UsageError, match="not a ledger"):
        Ledger.open(path)
    assert path.read_bytes() == content
