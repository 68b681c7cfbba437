"""A labelled set of near-duplicates: made-up Japanese market comments, lightly edited copies, and heavily edited ones.

Of ten texts six stand alone, three are copies with 0.3 to 2 % of their characters edited (label: the text they were
made from), one is an edit of 10 to 20 %, which is another text and must stay one.
"""

from __future__ import annotations

import random
from typing import NamedTuple

__all__ = ["Set", "f1", "near_set"]

_WHO = [
    "国内株式市場",
    "米国株式市場",
    "欧州株式市場",
    "新興国株式",
    "国内債券市場",
    "外国為替市場",
    "REIT市場",
    "原油先物",
    "金価格",
    "社債市場",
]
_WHY = [
    "企業決算が市場予想を上回ったこと",
    "中央銀行が利上げを見送ったこと",
    "雇用統計が弱い内容となったこと",
    "地政学的な緊張が高まったこと",
    "半導体の需要が伸びたこと",
    "財政への懸念が和らいだこと",
    "物価の伸びが鈍ったこと",
    "輸出企業の見通しが改善したこと",
]
_DID = [
    "上昇しました",
    "下落しました",
    "小幅に反発しました",
    "もみ合う展開となりました",
    "続落しました",
    "持ち直しました",
]
_SECTOR = ["電気機器", "銀行業", "輸送用機器", "医薬品", "情報・通信業", "不動産業", "小売業", "化学", "機械", "食料品"]


class Set(NamedTuple):
    """Texts, and for each the number of the text that it is a copy of (its own if of none)."""

    texts: list[str]
    labels: list[int]


def near_set(count: int, seed: int = 8) -> Set:
    """`count` texts of some 250 characters."""
    dice = random.Random(seed)
    texts: list[str] = []
    labels: list[int] = []
    for number in range(count):
        turn = number % 10
        source = labels[dice.randrange(number)] if number else 0
        if turn < 6 or not number:
            texts.append(_comment(dice))
            labels.append(number)
        elif turn < 9:
            texts.append(_edited(texts[source], dice.uniform(0.003, 0.02), dice))
            labels.append(source)
        else:
            texts.append(_edited(texts[source], dice.uniform(0.10, 0.20), dice))
            labels.append(number)
    return Set(texts, labels)


def _comment(dice: random.Random) -> str:
    def sentence() -> str:
        rate = f"{dice.randrange(1, 99) / 10}％"
        return dice.choice(
            (
                f"当月の{dice.choice(_WHO)}は、{dice.choice(_WHY)}などから{rate}{dice.choice(_DID)}。",
                f"業種別では{dice.choice(_SECTOR)}が{rate}の上昇、{dice.choice(_SECTOR)}は下落しました。",
                f"{dice.choice(_WHO)}については、{dice.choice(_WHY)}を受けて慎重な見方を続けています。",
                f"基準価額は{dice.randrange(8000, 30000):,}円となり、{dice.choice(_SECTOR)}の保有が寄与しました。",
            )
        )

    return "".join(sentence() for _ in range(6))


def _edited(text: str, share: float, dice: random.Random) -> str:
    letters = list(text)
    for _ in range(max(1, round(len(letters) * share))):
        place = dice.randrange(len(letters))
        letters[place] = dice.choice(("", letters[place] + dice.choice("はがをもや"), dice.choice("円株高安上下中大")))
    return "".join(letters)


def f1(labels: list[int], found: list[int]) -> tuple[float, float, float]:
    """Precision, recall and F1 over all pairs of texts that share a label, or a found cluster."""

    def pairs(keys: list[object]) -> int:
        counts: dict[object, int] = {}
        for key in keys:
            counts[key] = counts.get(key, 0) + 1
        return sum(n * (n - 1) // 2 for n in counts.values())

    both = pairs(list(zip(labels, found, strict=True)))
    wanted, made = pairs(list(labels)), pairs(list(found))
    precision, recall = both / made if made else 0.0, both / wanted if wanted else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if both else 0.0
