"""One file that speaks of several funds: each part to its fund, in four formats; and what is in doubt waits."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path

import docx
import openpyxl
import pytest
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from tensaku.errors import UsageError
from tensaku.intake import Arrival, Reports, Road
from tensaku.ledger import Ledger

MANAGER = "蒼樹坂アセットマネジメント"
FUNDS = ("みずいろ国内株式ファンド", "こもれび世界リートファンド", "ななほし内外バランスファンド")
SECTIONS = {"市場動向": "market", "運用経過": "performance", "今後の見通し": "outlook"}
TITLE = f"{MANAGER}　月次レポート　2026年10月末現在"


@pytest.fixture
def road(tmp_path: Path) -> Iterator[Road]:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.add_person("sato", "佐藤", ("writer",))
        yield Road(ledger, Reports(managers=(MANAGER,), funds=FUNDS))


def texts(fund: str) -> dict[str, str]:
    n = FUNDS.index(fund) + 1
    return {
        "市場動向": f"当月の市場は{n}.2％上昇しました。投資家心理の改善が相場を支えました。",
        "運用経過": f"当ファンドの騰落率は{n}.5％となり、参考指数を0.{n}ポイント上回りました。",
        "今後の見通し": f"相場は堅調に推移すると考えています。組入比率は{n}0％程度を維持します。",
    }


WANTED = {(fund, SECTIONS[heading]): text for fund in FUNDS for heading, text in texts(fund).items()}


def word(path: Path) -> None:
    document = docx.Document()
    document.add_paragraph(TITLE)
    table = document.add_table(rows=0, cols=2)  # of returns: it names every fund, and begins none
    for fund in FUNDS:
        for cell, text in zip(table.add_row().cells, (fund, f"{FUNDS.index(fund) + 1}.5%"), strict=True):
            cell.text = text
    for number, fund in enumerate(FUNDS, 1):
        document.add_heading(f"{number}．{fund}", 1)
        for heading, text in texts(fund).items():
            document.add_heading(heading, 2)
            document.add_paragraph(text)
    document.save(str(path))


def excel(path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.remove(book.active)
    for fund in FUNDS:
        sheet = book.create_sheet(f"{len(book.sheetnames) + 1}")
        for row in ([f"{MANAGER} マンスリーレポート"], ["ファンド名", fund], ["基準月", "2026年10月"]):
            sheet.append(row)
        for pair in texts(fund).items():
            sheet.append(list(pair))
    book.save(path)


def pdf(path: Path) -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("HeiseiMin-W3"))
    canvas = Canvas(str(path))
    for fund in FUNDS:
        y = 780.0
        for size, line in (
            (9, TITLE),
            (16, fund),
            *((s, t) for h, text in texts(fund).items() for s, t in ((13, h), (10, text))),
        ):
            canvas.setFont("HeiseiMin-W3", size)
            canvas.drawString(50, y, line)
            y -= 2.2 * size
        canvas.showPage()
    canvas.save()


def page(path: Path) -> None:
    parts = []
    for fund in FUNDS:
        parts.append(f"<h2>【{html.escape(fund)}】</h2>")
        parts += [f"<h3>{heading}</h3><p>{text}</p>" for heading, text in texts(fund).items()]
    path.write_text(f"<html><body><h1>{TITLE}</h1>{''.join(parts)}</body></html>", encoding="utf-8")


def plain(folder: Path, lines: list[str], name: str = "a.txt") -> Path:
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / name


def lines_of(fund: str, *headings: str) -> list[str]:
    own = texts(fund)
    return ["", fund, "", *(line for heading in headings or own for line in (f"■{heading}", own[heading], ""))]


@pytest.mark.parametrize(("write", "name"), [(word, "a.docx"), (excel, "a.xlsx"), (pdf, "a.pdf"), (page, "a.html")])
def test_each_part_goes_to_its_fund(road: Road, tmp_path: Path, write, name: str) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / name)
    (arrival,) = road.bring([tmp_path / name], by="sato")
    assert (arrival.what, arrival.report.reasons) == ("filed", ())
    assert dict(arrival.texts) == WANTED
    assert {(d.fund, d.section): d.text for d in road.ledger.drafts(as_of="2026-10", manager=MANAGER)} == WANTED
    assert set(arrival.report.fund.split("、")) == set(FUNDS)
    assert {row.heading: row.section for row in road.ledger.headings(MANAGER)} == SECTIONS
    (again,) = road.bring([tmp_path / name], by="sato")
    assert again.what == "known"
    assert road.ledger.verify_records() == []


def test_a_fund_named_in_passing_begins_nothing(road: Road, tmp_path: Path) -> None:
    own = lines_of(FUNDS[0])
    own.insert(5, f"なお、{FUNDS[1]}も同様の投資を行いました。")
    own.append(f"（参考）{FUNDS[1]}の騰落率との差は0.3ポイントです。")
    (arrival,) = road.bring([plain(tmp_path, [TITLE, *own])])
    assert {fund for fund, _ in arrival.texts} == {FUNDS[0]}
    assert FUNDS[1] in "".join(arrival.texts.values())


def codes(arrival: Arrival) -> list[str]:
    return [reason["code"] for reason in arrival.report.reasons]


def test_a_text_for_all_funds_waits_and_a_person_says_so(road: Road, tmp_path: Path) -> None:
    shared = "国内外の株式市場は堅調に推移しました。米国の長期金利は低下しました。"
    each = ("運用経過", "今後の見通し")
    lines = [TITLE, "■市場動向", shared, "", *lines_of(FUNDS[0], *each), *lines_of(FUNDS[1], *each)]
    (arrival,) = road.bring([plain(tmp_path, lines)])
    assert (arrival.what, codes(arrival)) == ("inbox", ["fund-shared"])
    assert road.ledger.drafts() == []
    id, said = arrival.report.id, {"manager": MANAGER, "fund": "", "as_of": "2026-10", "sections": {}, "by": "sato"}
    number = next(str(n) for n, part in enumerate(arrival.report.parts) if part["text"] == shared)
    with pytest.raises(UsageError, match="no fund is named for '■市場動向'"):
        road.file(id, **said)  # type: ignore[arg-type]
    road.file(id, **said, funds={number: "*"})  # type: ignore[arg-type]
    drafts = {(d.fund, d.section): d.text for d in road.ledger.drafts()}
    assert len(drafts) == 6
    assert drafts[FUNDS[0], "market"] == drafts[FUNDS[1], "market"] == shared
    assert road.ledger.report(id).fund == "、".join(FUNDS[:2])


def test_funds_of_different_sections_or_in_two_places_wait(road: Road, tmp_path: Path) -> None:
    less = [TITLE, *lines_of(FUNDS[0]), *lines_of(FUNDS[1]), *lines_of(FUNDS[2], "市場動向", "運用経過")]
    (arrival,) = road.bring([plain(tmp_path, less)])
    assert codes(arrival) == ["fund-differs"]
    assert arrival.report.reasons[0]["detail"] == FUNDS[2]
    twice = [
        TITLE,
        *lines_of(FUNDS[0], "市場動向"),
        *lines_of(FUNDS[1]),
        *lines_of(FUNDS[0], "運用経過", "今後の見通し"),
    ]
    (arrival,) = road.bring([plain(tmp_path, twice, "b.txt")])
    assert "fund-twice" in codes(arrival)
    assert road.ledger.drafts() == []


def test_a_greeting_before_the_first_fund_is_no_text_of_any(road: Road, tmp_path: Path) -> None:
    lines = [TITLE, "平素は格別のお引き立てを賜り、厚く御礼申し上げます。", *lines_of(FUNDS[0]), *lines_of(FUNDS[1])]
    (arrival,) = road.bring([plain(tmp_path, lines)])
    assert (arrival.what, codes(arrival)) == ("filed", [])
    assert len(arrival.texts) == 6


def test_drafts_that_are_there_already_are_held_against_each_fund(road: Road, tmp_path: Path) -> None:
    list(road.bring([plain(tmp_path, [TITLE, *lines_of(FUNDS[0]), *lines_of(FUNDS[1])])]))
    corrected = [line.replace("2.5％", "2.6％") for line in (TITLE, *lines_of(FUNDS[0]), *lines_of(FUNDS[1]))]
    (arrival,) = road.bring([plain(tmp_path, corrected, "b.txt")])
    assert (arrival.what, codes(arrival)) == ("inbox", ["drafts-exist"])
    assert arrival.report.reasons[0]["detail"] == f"{FUNDS[1]} performance"
    assert len(road.ledger.drafts()) == 6
