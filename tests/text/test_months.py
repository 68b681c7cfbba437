"""Months in every usual form."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensaku.text.months import parse_month, shift


@pytest.mark.parametrize(
    "written",
    [
        "2026-09", "2026/9", "2026.09", "2026-09-30", "2026/9/30", "202609", "20260930", "2026年9月", "2026年9月末",
        "2026年9月30日", "２０２６年９月", "2026 年 9 月", "令和8年9月", "令和８年９月", "令和8年9月号", "R8.9",
        "R8/9/30", "Sep 2026", "September 2026", "2026 Sep", "Sep. 2026", "2026-09-30T12:00:00", "2026-09-30 00:00:00",
        dt.date(2026, 9, 30), dt.datetime(2026, 9, 30, 12), 46295, 46295.5, 202609, " 2026-09 ",
    ],
)  # fmt: skip
def test_september_2026(written: object) -> None:
    assert parse_month(written) == "2026-09"


def test_eras() -> None:
    assert parse_month("令和元年5月") == "2019-05"
    assert parse_month("平成31年4月") == "2019-04"
    assert parse_month("昭和64年1月") == "1989-01"


@pytest.mark.parametrize(
    "written", ["", "先月", "2026", "2026-13", "2026-00", "9月", None, True, 3, 1e300, "2026-09-", [], "0026-09"]
)
def test_what_is_no_month(written: object) -> None:
    assert parse_month(written) is None


@given(st.dates(dt.date(1927, 1, 1), dt.date(2199, 12, 31)), st.integers(-300, 300))
def test_shift_goes_there_and_back(day: dt.date, by: int) -> None:
    month = f"{day:%Y-%m}"
    assert parse_month(day) == month
    assert shift(shift(month, by), -by) == month
    assert (shift(month, by) > month) == (by > 0)


def test_shift_crosses_years() -> None:
    assert (shift("2026-01", -1), shift("2025-12", 13)) == ("2025-12", "2027-01")
