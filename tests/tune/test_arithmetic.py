"""Which product trains: what was found first on this machine holds, so the same inputs give the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensaku.machine import cache_folder
from tensaku.models.products import Speed
from tensaku.tune import Tune, arithmetic

PLAIN, ONEDNN = Speed(100.0, 90.0, 50.0), Speed(90.0, 100.0, 50.0)


def product_of(folder: Path, name: str, measured: Speed, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(arithmetic, "speed", lambda: measured)
    aside = folder / name
    aside.mkdir()
    return str(arithmetic.settle(Tune(), aside, {}).facts["product"])


@pytest.mark.parametrize(("first", "other", "wanted"), [(PLAIN, ONEDNN, "plain"), (ONEDNN, PLAIN, "onednn")])
def test_the_first_measurement_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: Speed, other: Speed, wanted: str
) -> None:
    assert product_of(tmp_path, "one", first, monkeypatch) == wanted
    assert product_of(tmp_path, "two", other, monkeypatch) == wanted
    [kept] = cache_folder().glob("product-*")
    kept.write_text("")  # as a machine leaves it that lost its power
    assert product_of(tmp_path, "three", other, monkeypatch) != wanted
    assert product_of(tmp_path, "four", first, monkeypatch) != wanted


def test_what_is_not_there_any_more_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert product_of(tmp_path, "one", ONEDNN, monkeypatch) == "onednn"
    assert product_of(tmp_path, "two", Speed(90.0, 0.0, 50.0), monkeypatch) == "plain"


def test_a_cache_that_is_a_file_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert product_of(tmp_path, "one", ONEDNN, monkeypatch) == "onednn"
    assert "cannot be kept" in caplog.text
