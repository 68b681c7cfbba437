from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from tensaku.ledger.tables import Row, UtcTime


@pytest.mark.parametrize("table", Row.metadata.sorted_tables, ids=lambda table: str(table.name))
def test_every_table_can_be_made_in_postgresql(table: Table) -> None:
    made = str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    assert made.strip().startswith("CREATE TABLE")


def test_a_moment_keeps_its_place_in_time_and_comes_back_in_utc() -> None:
    kind, dialect = UtcTime(), sqlite.dialect()
    tokyo = datetime(2026, 10, 1, 9, tzinfo=timezone(timedelta(hours=9)))
    bound = kind.process_bind_param(tokyo, dialect)
    assert bound == datetime(2026, 10, 1, 0, tzinfo=UTC)
    assert kind.process_result_value(datetime(2026, 10, 1), dialect) == bound
    assert kind.process_result_value(tokyo, dialect) == bound
    assert kind.process_result_value(None, dialect) is kind.process_bind_param(None, dialect) is None


def test_a_moment_without_a_zone_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        UtcTime().process_bind_param(datetime(2026, 10, 1), sqlite.dialect())
