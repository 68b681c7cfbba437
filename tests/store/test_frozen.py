"""Files named by their content."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tensaku.errors import UsageError
from tensaku.store import frozen_bytes, frozen_file


def test_equal_rows_are_one_file_for_its_owner_only(tmp_path: Path) -> None:
    one = frozen_file([{"b": "株", "a": 1}], tmp_path / "f", "rows")
    two = frozen_file([{"a": 1, "b": "株"}], tmp_path / "f", "rows")
    other = frozen_file([{"a": 2}], tmp_path / "f", "rows")
    assert one.path == two.path != other.path
    assert one.path.read_text() == '{"a": 1, "b": "\\u682a"}\n'
    assert stat.S_IMODE(one.path.stat().st_mode) == 0o600
    assert len(list((tmp_path / "f").iterdir())) == 2  # nothing half-written is left


def test_a_file_that_somebody_changed_is_written_anew(tmp_path: Path) -> None:
    made = frozen_bytes(b"as it was", tmp_path, "guides", ".json")
    made.path.write_bytes(b"changed")
    assert frozen_bytes(b"as it was", tmp_path, "guides", ".json").path.read_bytes() == b"as it was"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("a file in its place")
    with pytest.raises(UsageError, match="the guides cannot be written"):
        frozen_bytes(b"x", tmp_path / "f", "guides", ".json")
