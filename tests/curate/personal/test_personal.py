"""Personal data: check digits, both sides alike, the way back, and the measured precision and recall."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.curate.personal import measure, noren
from benchmarks.curate.personal_set import sentences
from tests.curate.dedup.test_near import DATA
from tests.curate.test_steps import pairs, reasons, walk

from tensaku.curate.personal import KINDS, find, masked, new_key, restored
from tensaku.curate.personal.digits import is_card, is_corporate_number, is_iban, is_my_number
from tensaku.curate.personal.masking import read_key
from tensaku.errors import DataError, UsageError


def test_one_wrong_digit_fails_every_check() -> None:
    # 7000012050002 is the National Tax Agency's own corporate number; 4111 1111 1111 1111 the cards' test number.
    for check, digits in (
        (is_corporate_number, "7000012050002"),
        (is_card, "4111111111111111"),
        (is_my_number, "123456789018"),
        (is_iban, "GB82WEST12345698765432"),
    ):
        assert check(digits)
        last = str((int(digits[-1]) + 1) % 10)
        assert not check(digits[:-1] + last)
    assert not is_my_number("000000000000")
    assert not is_card("0000000000000000")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("山田太郎様（０８０－１２３４－５６７８）", [("person", "山田太郎"), ("phone", "０８０－１２３４－５６７８")]),
        (
            "〒100-0005 東京都千代田区丸の内1-2-3 丸の内ビル5階",
            [("address", "〒100-0005 東京都千代田区丸の内1-2-3 丸の内ビル5階")],
        ),
        (
            "Dr. Jane Smith, born 3 May 1980, +44-20-7946-0958",
            [("person", "Jane Smith"), ("birthday", "3 May 1980"), ("phone", "+44-20-7946-0958")],
        ),
        ("植田和男総裁とパウエル議長は東京で会った。", []),
        ("日経平均は38,123.45円、2026年9月30日の純資産は123,456,789,012円。", []),
        ("IBAN GB82 WEST 1234 5698 7654 32", [("account", "GB82 WEST 1234 5698 7654 32")]),
        ("", []),
    ],
)
def test_what_is_found_and_what_is_left(text: str, found: list[tuple[str, str]]) -> None:
    assert [(f.kind, f.text) for f in find(text)] == found
    assert all(text[f.start : f.end] == f.text for f in find(text))


def test_companies_only_where_asked() -> None:
    text = "株式会社青葉商事は Acme Holdings, Inc. と組む。"
    assert find(text) == []
    assert {f.kind for f in find(text, KINDS)} == {"company"}


def test_both_sides_say_the_same_word() -> None:
    rows = pairs(
        {
            "draft": "山田太郎様と佐藤花子様。電話０３－１２３４－５６７８",
            "final": "佐藤花子様の電話は03-1234-5678。山田太郎。",
        },
        {},
    )
    (first, second), _, tally = walk("personal", rows)
    assert first.draft == "〔氏名1〕様と〔氏名2〕様。電話〔電話1〕"
    assert first.final == "〔氏名2〕様の電話は〔電話1〕。〔氏名1〕。"
    assert second == rows[1]
    assert tally["pairs changed"] == 1
    assert reasons(walk("personal", rows, do="drop")[1]) == [("personal-data", "a.csv:1")]
    assert walk("personal", rows, do="count")[0] == rows


def test_what_one_side_tells_the_other_side_hides() -> None:
    (draft, final), _ = masked(("カード番号は4111 1111 1111 1111。名は小鳥遊様", "小鳥遊より"), "redact")
    assert "小鳥遊" in final or "〔氏名〕" in final
    assert "4111" not in draft + final


def test_pseudonyms_lead_back_with_their_key_alone(tmp_path: Path) -> None:
    key, other = tmp_path / "key", tmp_path / "other"
    new_key(key)
    new_key(other)
    assert key.stat().st_mode & 0o077 == 0
    rows = pairs({"draft": "山田太郎様へ。", "final": "山田太郎様へご連絡。"})
    (pair,), _, _ = walk("personal", rows, do="pseudonym", key=str(key))
    again = walk("personal", rows, do="pseudonym", key=str(key))[0][0]
    assert again == pair
    assert "山田" not in pair.draft + pair.final
    assert restored(pair.final, read_key(key)) == rows[0].final
    for text, secret in ((pair.draft, read_key(other)), (pair.draft.replace(":", ":A", 1), read_key(key))):
        with pytest.raises(UsageError, match="altered or made by another key"):
            restored(text, secret)
    with pytest.raises(UsageError, match="there is a key already"):
        new_key(key)
    with pytest.raises(UsageError, match="needs a key"):
        walk("personal", rows, do="pseudonym")
    with pytest.raises(UsageError, match="new-key"):
        walk("personal", rows, do="pseudonym", key=str(tmp_path / "none"))
    (tmp_path / "bad").write_text("no hex", encoding="utf-8")
    with pytest.raises(DataError, match="no key"):
        read_key(tmp_path / "bad")


def test_the_command_makes_a_key_and_turns_text_back(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tensaku.curate.personal"]
    key = tmp_path / "key"
    assert subprocess.run([*command, "new-key", str(key)], capture_output=True, check=False).returncode == 0
    (text,), _ = masked(("山田太郎様",), "pseudonym", key=read_key(key))
    done = subprocess.run([*command, "restore", str(key)], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "山田太郎様")
    assert subprocess.run([*command, "new-key", str(key)], capture_output=True, check=False).returncode == 2
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2


def test_the_half_kept_for_testing_is_found() -> None:
    found = measure(sentences(1), lambda text: [(f.kind, f.start, f.end) for f in find(text, KINDS)])
    assert set(found) == set(KINDS)
    assert sum(row.labelled for row in found.values()) > 250
    for kind, row in found.items():
        assert row.precision >= 0.95, kind
        assert row.recall >= (0.85 if kind == "person" else 0.95), kind


def test_the_mail_addresses_and_cards_of_noren() -> None:
    if not (DATA / "noren_pii").is_dir():
        pytest.skip(f"{DATA / 'noren_pii'} is not there")
    found = measure(noren(DATA), lambda text: [(f.kind, f.start, f.end) for f in find(text)])
    assert all(row.precision == row.recall == 1.0 for row in found.values())
