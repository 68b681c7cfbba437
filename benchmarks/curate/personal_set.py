"""Five hundred Japanese sentences of a financial firm with the personal data in them labelled; all of it made up.

The two halves share no sentence pattern, no surname and no given name: the first is to look at while recognisers are
written, the second to measure them by. A third of the sentences hold nothing personal but much that looks like it.
"""

from __future__ import annotations

import random
import re
from typing import NamedTuple

__all__ = ["Labelled", "sentences"]


class Labelled(NamedTuple):
    """A sentence and its labels: kind, start, end in characters."""

    text: str
    labels: list[tuple[str, int, int]]


_SURNAMES = (
    [
        "佐藤",
        "鈴木",
        "高橋",
        "田中",
        "伊藤",
        "渡辺",
        "山本",
        "中村",
        "小林",
        "加藤",
        "吉田",
        "山田",
        "勅使河原",
        "五十嵐",
        "小鳥遊",
    ],
    [
        "佐々木",
        "松本",
        "井上",
        "木村",
        "林",
        "清水",
        "山崎",
        "森",
        "池田",
        "橋本",
        "石川",
        "前田",
        "御手洗",
        "長谷川",
        "八月朔日",
    ],
)
_GIVEN = (
    ["太郎", "花子", "健一", "美咲", "翔太", "陽子", "誠", "由美子", "大輔", "恵", "蓮", "陽葵"],
    ["一郎", "直子", "浩二", "さくら", "拓也", "久美子", "学", "明日香", "隆", "智子", "大翔", "結菜"],
)
_PLACES = (
    [
        "東京都千代田区丸の内",
        "大阪府大阪市北区梅田",
        "愛知県名古屋市中区栄",
        "北海道札幌市中央区大通西",
        "福岡県福岡市博多区博多駅前",
    ],
    [
        "東京都港区虎ノ門",
        "神奈川県横浜市西区みなとみらい",
        "京都府京都市下京区四条通",
        "宮城県仙台市青葉区一番町",
        "広島県広島市中区紙屋町",
    ],
)
_COMPANIES = (
    ["株式会社青葉商事", "みずなら証券株式会社", "有限会社北斗工業", "株式会社つくも製作所"],
    ["株式会社紅葉電機", "はるかぜ信託銀行株式会社", "合同会社東雲企画", "株式会社スバルリンク"],
)
_PATTERNS = (
    (
        "ご担当の{person}様よりお電話をいただいた。",
        "{person}部長の連絡先は{phone}である。",
        "お客様の氏名は{person}、生年月日は{birthday}。",
        "書類は{address}へ郵送する。",
        "個人番号は{my_number}と届出があった。",
        "口座番号は普通{account}、名義は{person}。",
        "カード番号{card}の停止を受け付けた。",
        "ご質問は{email}までお寄せください。",
        "{company}の{person}氏と面談した。",
        "法人番号は{corporate_number}である。",
        "電話{phone}または{email}へ。",
        "運用担当者は{person}さん（{birthday}生まれ）。",
    ),
    (
        "{person}次長に確認のうえ、{phone}へ折り返した。",
        "契約者{person}殿の住所は{address}。",
        "{person}さんは{birthday}生まれで、口座番号は{account}。",
        "マイナンバー（{my_number}）の写しを受領した。",
        "決済には{card}のカードを用いる。",
        "資料の送付先：{email}、担当：{person}",
        "{company}（法人番号{corporate_number}）と契約した。",
        "先週、{person}が{address}の本社を訪ねた。",
        "FAXは{phone}、メールは{email}。",
        "誕生日：{birthday}、氏名：{person}",
        "普通預金{account}から引き落とす。",
        "{company}の{person}取締役が説明した。",
    ),
)
_NOTHING = (
    (
        "日経平均株価は{figure}円で終え、前月末比で{percent}％上昇した。",
        "植田総裁の会見を受けて長期金利は{percent}％に上昇した。",
        "基準価額は{figure}円、純資産総額は{big}円となった。",
        "東京市場ではトヨタ自動車やソニーグループが買われた。",
        "2026年4月1日から9月30日までの騰落率は{percent}％。",
        "第123456789012号の議案は承認された。",
    ),
    (
        "パウエル議長の発言を受けて米国株式は{percent}％下落した。",
        "約定代金は{big}円、手数料は{figure}円である。",
        "大阪取引所の売買高は{big}株に達した。",
        "2025年12月15日付の目論見書をご覧ください。",
        "山形、福島、石川の各県では生産が増えた。",
        "ファンドコード{code}、ISINはJP3902240005。",
    ),
)


def sentences(half: int, count: int = 250, seed: int = 8) -> list[Labelled]:
    """`count` sentences of one half: 0 to look at, 1 to measure by."""
    dice = random.Random(seed * 2 + half)
    made = []
    for number in range(count):
        patterns = _NOTHING[half] if number % 3 == 2 else _PATTERNS[half]
        made.append(_filled(dice.choice(patterns), half, dice))
    return made


def _filled(pattern: str, half: int, dice: random.Random) -> Labelled:
    text, labels = "", []
    for piece in re.split(r"(\{\w+\})", pattern):
        if not piece.startswith("{"):
            text += piece
            continue
        kind = piece[1:-1]
        value = _value(kind, half, dice)
        if kind not in ("figure", "percent", "big", "code"):
            labels.append((kind, len(text), len(text) + len(value)))
        text += value
    return Labelled(text, labels)


def _value(kind: str, half: int, dice: random.Random) -> str:
    digits = "".join(str(dice.randrange(10)) for _ in range(16))
    if kind == "person":
        surname, given = dice.choice(_SURNAMES[half]), dice.choice(_GIVEN[half])
        return surname + dice.choice(("", "", " ", "　")) + given
    makers = {
        "phone": lambda: _phone(digits, dice),
        "email": lambda: (
            dice.choice(("t.sato", "yamada_h", "info", "desk-2")) + dice.choice(("@example.co.jp", "@mail.example.jp"))
        ),
        "address": lambda: _address(half, dice),
        "my_number": lambda: _my_number(digits, dice),
        "corporate_number": lambda: _corporate(digits[:12]),
        "card": lambda: _card(digits, dice),
        "account": lambda: digits[:7],
        "birthday": lambda: _birthday(dice),
        "company": lambda: dice.choice(_COMPANIES[half]),
        "figure": lambda: f"{dice.randrange(1000, 60000):,}",
        "percent": lambda: f"{dice.randrange(1, 90) / 10}",
        "big": lambda: f"{dice.randrange(10**11, 10**12):,}",
        "code": lambda: digits[:8],
    }
    written = makers[kind]()
    wide = half and kind in ("phone", "my_number", "account") and dice.random() < 0.3
    return written.translate(str.maketrans("0123456789-", "０１２３４５６７８９－")) if wide else written


def _phone(digits: str, dice: random.Random) -> str:
    return dice.choice(
        (
            f"03-{digits[:4]}-{digits[4:8]}",
            f"090-{digits[:4]}-{digits[4:8]}",
            f"045({digits[:3]}){digits[3:7]}",
            f"080{digits[:8]}",
        )
    )


def _address(half: int, dice: random.Random) -> str:
    code = f"〒{dice.randrange(100, 999)}-{dice.randrange(1000, 9999)} " if dice.random() < 0.4 else ""
    block = dice.choice(("1-2-3", "2丁目5番7号", "4-11", "１－８－２"))
    building = dice.choice(("", "", " 青山ビル3階", "コーポ桜201号室"))
    return code + dice.choice(_PLACES[half]) + block + building


def _my_number(digits: str, dice: random.Random) -> str:
    weights = [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]
    rest = sum(int(d) * w for d, w in zip(digits[:11], weights, strict=True)) % 11
    whole = digits[:11] + str(0 if rest <= 1 else 11 - rest)
    return whole if dice.random() < 0.5 else f"{whole[:4]}-{whole[4:8]}-{whole[8:]}"


def _corporate(digits: str) -> str:
    total = sum(int(d) * (2 if place % 2 == 0 else 1) for place, d in enumerate(digits))
    return str(9 - total % 9) + digits


def _card(digits: str, dice: random.Random) -> str:
    head = "4" + digits[:14]
    total = 0
    for place, d in enumerate(reversed(head)):
        value = int(d) * (1 if place % 2 else 2)
        total += value - 9 if value > 9 else value
    whole = head + str(-total % 10)
    mark = dice.choice(("", "-", " "))
    return mark.join(whole[i : i + 4] for i in range(0, 16, 4))


def _birthday(dice: random.Random) -> str:
    month, day = dice.randrange(1, 13), dice.randrange(1, 29)
    return dice.choice(
        (
            f"{dice.randrange(1950, 2005)}年{month}月{day}日",
            f"昭和{dice.randrange(30, 64)}年{month}月{day}日",
            f"{dice.randrange(1950, 2005)}/{month:02d}/{day:02d}",
        )
    )
