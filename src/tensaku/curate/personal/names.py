"""Personal data without a form of its own: people, postal addresses, companies.

Japanese people and places come from Sudachi's dictionary. A holder of a public office is no personal datum of a market
comment: 植田総裁 and パウエル議長 stay, as does everybody before such a title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tensaku.curate.personal.numbers import Span
from tensaku.text.sudachi import NameWord, name_words

__all__ = ["address_spans", "company_spans", "person_spans"]

_HONORIFIC = re.compile(
    r"(?:様|さま|さん|氏|殿|君|先生|部長|課長|次長|係長|主任|社長|専務|常務|支店長|取締役|室長|本部長|アナリスト|マネ[ー]?ジャー|担当)"
)
_PUBLIC = re.compile(
    r"(?:総裁|副総裁|議長|副議長|大統領|首相|長官|大臣|外相|財務相|元?総理|審議委員|理事|知事|国王|天皇)"
)
_NAME_CUE = re.compile(r"(?:氏名|お名前|名前|名義人?|担当者?|連絡先|差出人|宛先|受取人)(?:は|が|:|の|\s|、)*$")
_KATAKANA = re.compile(r"(?P<value>[ァ-ヴー]{2,}(?:[・= ][ァ-ヴー]{2,}){0,2})(?=\s?(?:様|さん|氏|殿))")
_TITLE_EN = re.compile(r"\b(?i:Mr|Mrs|Ms|Miss|Dr|Prof|Sir)\.?\s+(?P<value>[A-ZÀ-Ž][\w'’-]+(?:\s[A-ZÀ-Ž][\w'’-]+){0,2})")
_CUE_EN = re.compile(
    r"(?:\b[Mm]y name is|\b[Nn]ame:|\b[Cc]ontact:|\b[Aa]ttn:?|\b(?:[Bb]est |[Kk]ind )?[Rr]egards,?"
    r"|\b[Ss]incerely,?|\bDear|\bI am|\bI'm)\s+"
    r"(?P<value>[A-ZÀ-Ž][\w'’-]+(?:\s[A-ZÀ-Ž][\w'’-]+){0,2})"
)
_PREFECTURES = (
    "北海道|東京都|大阪府|京都府|(?:青森|岩手|宮城|秋田|山形|福島|茨城|栃木|群馬|埼玉|千葉|神奈川|新潟|富山|石川|福井|山梨|長野|岐阜|静岡|愛知|三重"
    "|滋賀|兵庫|奈良|和歌山|鳥取|島根|岡山|広島|山口|徳島|香川|愛媛|高知|福岡|佐賀|長崎|熊本|大分|宮崎|鹿児島|沖縄)県"
)
_KANJI = "一-龥々ヶケノァ-ヴーぁ-ん"
_NUMBER = r"[0-9一二三四五六七八九十]+"
_BLOCK = rf"{_NUMBER}(?:丁目|番地?|号|-|の|条)*(?:{_NUMBER}(?:丁目|番地?|号|-|の)*){{0,3}}"
_BUILDING = (
    rf"(?:\s?[{_KANJI}A-Za-z]{{1,14}}(?:ビル(?:ディング)?|マンション|ハイツ|コーポ|タワー|荘|レジデンス|アパート|ハウス|メゾン)[A-Za-z]?"
    rf"\s?(?:[0-9]+(?:階|F|号室|号)?)?|\s[0-9]{{2,4}}号室)?"
)
_ADDRESS_JA = re.compile(
    rf"〒\s?\d{{3}}-?\d{{4}}(?:\s?(?:{_PREFECTURES})?[{_KANJI}]{{1,16}}?{_BLOCK}{_BUILDING})?"
    rf"|(?:{_PREFECTURES})[{_KANJI}]{{1,6}}?[市区町村郡][{_KANJI}]{{0,12}}?{_BLOCK}{_BUILDING}"
    rf"|(?<![{_KANJI}])[一-龥]{{1,4}}[市区][一-龥ケヶノの]{{1,8}}?{_NUMBER}(?:丁目|番地?|-){_BLOCK}{_BUILDING}"
)
_STREET = "Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Square|Sq|Terrace|Parkway"
_ADDRESS_EN = re.compile(
    rf"\b\d{{1,5}}(?: \d{{1,4}})? (?:[A-Za-zÀ-ž.'-]+ ){{1,4}}(?:{_STREET})\b\.?(?:,? (?:Suite|Apt|Unit|Floor)\.? ?\w+)?"
    r"|\b(?:Suite|Apt)\.? \d+\b|\b(?:ZIP|Zip code|Postcode):? ?(?P<zip>\d{5}(?:-\d{4})?)",
    re.IGNORECASE,
)
_FORM_JA = r"(?:株式会社|有限会社|合同会社|合資会社|相互会社|\(株\)|㈱)"
_COMPANY_JA = re.compile(
    rf"{_FORM_JA}(?:[ぁ-ん]{{2,6}}(?=[一-龥ァ-ヴ]))?[一-龥々ァ-ヴーA-Za-z0-9&・]{{1,20}}|[一-龥々ァ-ヴーA-Za-z0-9&・]{{1,20}}?{_FORM_JA}(?![一-龥ァ-ヴ])"
    r"|[一-龥々ァ-ヴーA-Za-z]{1,12}(?:証券|銀行|信託|生命保険|損害保険|アセットマネジメント|ホールディングス|商事|製作所|工業|電機|建設)(?![一-龥ァ-ヴ])"
)
_COMPANY_EN = re.compile(
    r"\b(?:[A-Z][\w&'-]*,? (?:and )?){1,4}"
    r"(?:Inc|Ltd|LLC|L\.L\.C|Corp|Corporation|Company|Co|PLC|plc|Group|AG|GmbH|S\.A|K\.K|KK|Holdings|LLP)\b\.?"
)
_NOT_COMPANY = re.compile(
    r"^(?:中央|地方|大手|都市|商業|投資|地域|国内|外国|米国|日本|欧州)?(?:証券|銀行|信託|商事|建設|工業|電機)$"
)


def person_spans(text: str) -> Iterator[Span]:
    """People in a folded text: a surname with a given name, or either with an honorific, a title or a cue beside it."""
    for pattern in (_KATAKANA, _TITLE_EN, _CUE_EN):
        for match in pattern.finditer(text):
            yield Span("person", *match.span("value"))
    words = name_words(text) if any("\u3041" <= char <= "\u9fff" for char in text) else []
    at = 0
    while at < len(words):
        run = _run(words, at)
        if run:
            start, end = run[0].start, run[-1].end
            if _is_person(text, run):
                yield Span("person", start, end)
        at += max(len(run), 1)


def _run(words: list[NameWord], at: int) -> list[NameWord]:
    """The words of one name that begins at `at`: at most a surname and a given name, a space between them allowed."""
    first = words[at]
    if first.kind not in ("surname", "given", "place"):
        return []
    run = [first]
    place = at + 1
    if place < len(words) and words[place].text in (" ", "・"):
        place += 1
    if first.kind != "given" and place < len(words) and words[place].kind == "given":
        run = words[at : place + 1]
    return run


def _is_person(text: str, run: list[NameWord]) -> bool:
    after = text[run[-1].end :].lstrip(" ")
    if _PUBLIC.match(after):
        return False
    if len(run) > 1 and run[0].kind == "surname":
        return True
    called = _HONORIFIC.match(after) is not None
    if run[0].kind == "place" and len(run) == 1:  # 青葉会長: places are surnames too, but 国内様 is none
        return called and after[:1] in "様氏殿さ"
    return called or (len(run[0].text) > 1 and _NAME_CUE.search(text[: run[0].start]) is not None)


def address_spans(text: str) -> Iterator[Span]:
    """Postal addresses in a folded text: at least a town and a number in it, or a postal code with its mark."""
    for match in _ADDRESS_JA.finditer(text):
        yield Span("address", match.start(), match.end())
    for match in _ADDRESS_EN.finditer(text):
        yield Span("address", *match.span("zip" if match["zip"] else 0))


def company_spans(text: str) -> Iterator[Span]:
    """Companies in a folded text, by their legal form or by a word that ends such names."""
    for match in _COMPANY_JA.finditer(text):
        if not _NOT_COMPANY.match(match[0]):
            yield Span("company", match.start(), match.end())
    for match in _COMPANY_EN.finditer(text):
        yield Span("company", match.start(), match.end())
