"""A draft that is pasted or read from a file."""

from __future__ import annotations

import pytest

from tensaku.desk.intake import LARGEST_FILE, Fault, decode, new_draft

FORM = {"manager": "青葉", "fund": "国内株式", "section": "market", "as_of": "2026-10", "text": "市場は上昇した。"}


def test_a_form_becomes_a_draft() -> None:
    found = new_draft(
        {**FORM, "manager": " 青葉  アセット ", "as_of": "２０２６／１０", "text": "一行目\r\n二行目\x00\n"}
    )
    assert not isinstance(found, Fault)
    assert (found.manager, found.as_of, found.text, found.origin) == (
        "青葉 アセット",
        "2026-10",
        "一行目\n二行目",
        "paste",
    )
    from_file = new_draft({**FORM, "from_file": True})
    assert not isinstance(from_file, Fault)
    assert from_file.origin == "file"


@pytest.mark.parametrize(
    ("change", "where", "word"),
    [
        ({"manager": " "}, "manager", "fault_manager"),
        ({"fund": "あ" * 201}, "fund", "fault_fund"),
        ({"section": "weather"}, "section", "fault_section"),
        ({"as_of": "2026-13"}, "as_of", "fault_month"),
        ({"text": "\n"}, "text", "fault_text"),
        ({"text": "あ" * 100_000}, "text", "fault_long"),
    ],
)
def test_a_wrong_form_says_where(change: dict[str, str], where: str, word: str) -> None:
    found = new_draft({**FORM, **change})
    assert isinstance(found, Fault)
    assert (found.where, found.word) == (where, word)


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "cp932", "utf-16", "euc_jp"])
def test_a_file_in_any_usual_encoding(codec: str) -> None:
    text = "市場は3.2％上昇しました。\n日銀は政策を据え置きました。\n"
    assert decode(text.replace("\n", "\r\n").encode(codec)) == text


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"PK\x03\x04\x14\x00", "fault_file_kind"),
        (b"\x81", "fault_file_kind"),
        (b"a" * (LARGEST_FILE + 1), "fault_file_large"),
    ],
)
def test_a_file_that_is_no_text(data: bytes, word: str) -> None:
    found = decode(data)
    assert isinstance(found, Fault)
    assert found.word == word


def test_what_does_not_show_is_no_part_of_a_draft() -> None:
    found = new_draft({**FORM, "text": "上昇\u202e率は\u202c1\u200b.2％。", "fund": "国内\u2066株式"})
    assert not isinstance(found, Fault)
    assert (found.text, found.fund) == ("上昇率は1.2％。", "国内株式")
