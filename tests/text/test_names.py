from __future__ import annotations

import pytest

from tensaku.errors import DataError
from tensaku.text import names_from


def test_a_table_may_stand_under_names_or_bare() -> None:
    assert names_from('[names]\n"日本銀行" = ["日銀", "BOJ"]') == {"日本銀行": ["日銀", "BOJ"]}
    assert names_from('"日本銀行" = ["日銀"]') == {"日本銀行": ["日銀"]}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [('"日本銀行" = "日銀"', "must be a list of texts"), ('"日本銀行" = [1]', "日本銀行"), ("a = ", "cannot be read")],
)
def test_a_wrong_table_is_named(text: str, wanted: str) -> None:
    with pytest.raises(DataError, match=wanted) as caught:
        names_from(text, where="here.toml")
    assert "here.toml" in str(caught.value)
