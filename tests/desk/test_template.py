"""The house's own Word template: places in runs, tables, headers and controls; several funds; and wrong templates."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from docx.shared import RGBColor

from tensaku.desk.handout import gather, handout
from tensaku.desk.template import TemplateFault, open_template
from tensaku.ledger import Ledger, NewDraft

TEXTS = {
    ("国内株式", "market"): "市場は上昇した。\n{{fund}} は場所ではない。",
    ("国内株式", "performance"): "騰落率は1.2%となった。",
    ("世界債券", "market"): "金利は低下した。",
    ("世界債券", "performance"): "騰落率は0.3%となった。",
}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        opened.add_person("sato", "佐藤", ("writer",))
        for (fund, section), text in TEXTS.items():
            draft = opened.add_draft(NewDraft(text, f"{fund}会社", fund, section, "2026-10", "paste", fund + section))
            opened.save_final(draft.id, text, "sato")
        yield opened


def letter(folder: Path, more: Callable[[Any], None] = lambda document: None) -> Path:
    """A template as a house would have it."""
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "投資信託 月次報告　{{month}}"
    document.add_paragraph("{{fund}}", style="Title")
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "運用会社", "{{ 運用会社 }}"
    document.add_paragraph("市場動向", style="Heading 1")
    paragraph = document.add_paragraph()
    for piece in ("{{", "mar", "ket}}"):  # Word cuts a word into runs as it pleases
        paragraph.add_run(piece).font.color.rgb = RGBColor(0x15, 0x30, 0x4F)
    document.add_paragraph("運用状況：{{運用状況}}（以上）")
    document.add_paragraph("本資料は情報提供を目的としたものです。")
    more(document)
    document.save(str(folder / "house.docx"))
    return folder / "house.docx"


def lines(made: bytes) -> list[str]:
    return [paragraph.text for paragraph in docx.Document(io.BytesIO(made)).paragraphs]


def test_places_are_filled_and_all_else_stays(ledger: Ledger, tmp_path: Path) -> None:
    made = handout(gather(ledger, fund="国内株式"), "docx", template=letter(tmp_path))
    document = docx.Document(io.BytesIO(made))
    assert lines(made) == [
        "国内株式",
        "市場動向",
        "市場は上昇した。",
        "{{fund}} は場所ではない。",
        "運用状況：騰落率は1.2%となった。（以上）",
        "本資料は情報提供を目的としたものです。",
    ]
    assert document.sections[0].header.paragraphs[0].text == "投資信託 月次報告　2026年10月"
    assert document.tables[0].rows[0].cells[1].text == "国内株式会社"
    assert document.paragraphs[0].style is not None
    assert document.paragraphs[0].style.name == "Title"
    for paragraph in document.paragraphs[2:4]:  # each line of the text in the form of its place
        assert paragraph.runs[0].font.color.rgb == RGBColor(0x15, 0x30, 0x4F)


def test_several_funds_each_on_pages_of_their_own(ledger: Ledger, tmp_path: Path) -> None:
    made = handout(gather(ledger), "docx", template=letter(tmp_path), history=True)
    document = docx.Document(io.BytesIO(made))
    told = [line for line in lines(made) if line]
    assert [line for line in told if line in ("国内株式", "世界債券")] == ["世界債券", "国内株式"]
    assert "運用状況：騰落率は0.3%となった。（以上）" in told
    assert document.element.body.xml.count('w:type="page"') == 1
    assert len([line for line in told if line.startswith("履歴")]) == 4
    assert told.index("履歴　市場動向") < told.index("国内株式")  # each history behind its fund
    assert len(document.tables) == 2 + 4


def test_content_controls_are_places_too(ledger: Ledger, tmp_path: Path) -> None:
    def control(document: Any) -> None:
        for tag, shown in (("market", "ここをクリック"), ("会社独自", "そのまま")):
            xml = (
                f"<w:sdt {nsdecls('w')}><w:sdtPr><w:tag w:val='{tag}'/><w:showingPlcHdr/></w:sdtPr><w:sdtContent>"
                f"<w:p><w:r><w:t>{shown}</w:t></w:r><w:r><w:t>してください</w:t></w:r></w:p></w:sdtContent></w:sdt>"
            )
            document.element.body.insert(0, parse_xml(xml))

    made = handout(gather(ledger, fund="世界債券"), "docx", template=letter(tmp_path, control))
    xml = docx.Document(io.BytesIO(made)).element.body.xml
    assert xml.count("金利は低下した。") == 2
    assert "ここをクリック" not in xml
    assert "そのまま" in xml


def test_a_template_without_places_lends_letterhead_and_styles(ledger: Ledger, tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("青空アセットマネジメント")
    document.sections[0].footer.paragraphs[0].text = "社外秘"
    document.styles["Heading 2"].font.color.rgb = RGBColor(0x15, 0x30, 0x4F)
    document.save(str(tmp_path / "styles.docx"))
    made = handout(gather(ledger), "docx", template=tmp_path / "styles.docx")
    assert lines(made)[:4] == ["青空アセットマネジメント", "世界債券　2026年10月", "市場動向", "金利は低下した。"]
    opened = docx.Document(io.BytesIO(made))
    assert opened.sections[0].footer.paragraphs[0].text == "社外秘"
    style = opened.paragraphs[2].style
    assert style is not None
    assert style.font.color.rgb == RGBColor(0x15, 0x30, 0x4F)


def test_a_fund_with_a_section_missing_says_so(ledger: Ledger, tmp_path: Path) -> None:
    draft = ledger.add_draft(NewDraft("円は下落した。", "新社", "為替", "market", "2026-10", "paste", "x"))
    ledger.save_final(draft.id, "円は下落した。", "sato")
    told = lines(handout(gather(ledger, fund="為替"), "docx", template=letter(tmp_path)))
    assert "運用状況：（この区分の公表文は未保存です）（以上）" in told


def wrong(folder: Path, name: str) -> Path:
    path = folder / "wrong.docx"
    if name == "absent":
        return path
    if name == "text":
        path.write_text("これは Word ではない", encoding="utf-8")
    elif name == "old":
        path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(3000))
    elif name == "hollow":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("word/document.xml", "<x/>")
    else:
        document = docx.Document()
        if name == "no-text":
            document.add_paragraph("{{fund}} {{month}}")
        elif name == "misspelt":
            document.add_paragraph("{{fnud}} {{market}} {{ぞ}}")
        elif name == "no-style":
            for style in list(document.styles):
                if style.name == "Heading 2":
                    style.element.getparent().remove(style.element)
        document.save(str(path))
    return path


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("absent", "no such template"),
        ("text", "no Word file but text"),
        ("old", "before 2007"),
        ("hollow", "cannot be read"),
        ("no-text", "no place for any text"),
        ("misspelt", "fnud, ぞ; nearest: fund"),
        ("no-style", "'Heading 2'"),
    ],
)
def test_a_wrong_template_is_one_message(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(TemplateFault, match=r"wrong\.docx") as refused:
        open_template(wrong(tmp_path, name))
    assert told in str(refused.value)
    assert refused.value.fix


def test_what_the_template_cannot_hold_is_refused_before_anything_goes_out(ledger: Ledger, tmp_path: Path) -> None:
    draft = ledger.add_draft(
        NewDraft("方針は変えない。", "国内株式会社", "国内株式", "outlook", "2026-10", "paste", "x")
    )
    ledger.save_final(draft.id, "方針は変えない。", "sato")
    with pytest.raises(TemplateFault, match="no place for: outlook"):
        handout(gather(ledger), "docx", template=letter(tmp_path))

    def named(document: Any) -> None:
        document.add_paragraph("{{outlook}}")
        document.sections[0].footer.paragraphs[0].text = "{{fund}}"

    path = letter(tmp_path, named)
    with pytest.raises(TemplateFault, match="there are several"):
        handout(gather(ledger), "docx", template=path)
    assert "方針は変えない。" in lines(handout(gather(ledger, fund="国内株式"), "docx", template=path))
