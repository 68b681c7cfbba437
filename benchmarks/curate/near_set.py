"""A labelled set of near-duplicates: made-up Japanese market comments, lightly edited copies, and heavily edited ones.

Of ten texts six stand alone, three are copies with 0.3 to 2 % of their characters edited (label: the text they were
made from), one is an edit of 10 to 20 %, which is another text and must stay one.
"""

from __future__ import annotations

import json
import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Set", "f1", "near_set", "write_set"]

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
    texts: list[str] = []
    labels: list[int] = []
    for text, label in _made(count, seed, texts.__getitem__, labels):
        texts.append(text)
        labels.append(label)
    return Set(texts, labels)


def write_set(folder: Path, count: int, seed: int = 8) -> None:
    """The same set in files, for more texts than fit into memory: `pairs.jsonl`, a pool of pairs of which each draft is
    a text and all finals are one, and `labels.i64`. Unless it is there already."""
    if (folder / "labels.i64").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    labels, starts = array("q"), array("q", [0])
    with (folder / "pairs.jsonl").open("wb") as file, (folder / "pairs.jsonl").open("rb", buffering=0) as back:
        flushed = 0

        def text_of(place: int) -> str:
            nonlocal flushed
            if starts[place + 1] > flushed:
                file.flush()
                flushed = starts[-1]
            back.seek(starts[place])
            return str(json.loads(back.read(starts[place + 1] - starts[place]))["draft"])

        for n, (text, label) in enumerate(_made(count, seed, text_of, labels)):
            # No letter of these texts is another one in JSON.
            line = (
                f'{{"id": "{n}", "draft": "{text}", "final": "当月の市況は以上のとおりです。", "manager": "甲", '
                f'"fund": "乙", "section": "market", "as_of": "20{n % 24:02d}-06", "family": "{n}", '
                f'"source": "made.jsonl:{n}"}}\n'
            )
            starts.append(starts[-1] + file.write(line.encode("utf-8")))
            labels.append(label)
    fresh = folder / "labels.part"
    fresh.write_bytes(labels.tobytes())
    fresh.replace(folder / "labels.i64")  # last, so that it says that both are whole


class _Dice(random.Random):
    """The same numbers as `random.Random` draws, in a third of its time: a set of ten millions takes a billion."""

    def below(self, n: int) -> int:
        """A number from 0 up to `n`, `n` not included."""
        bits = n.bit_length()
        found = self.getrandbits(bits)
        while found >= n:
            found = self.getrandbits(bits)
        return found

    def of(self, things: Sequence[str]) -> str:
        """One of `things`."""
        return things[self.below(len(things))]


def _made(count: int, seed: int, text_of: Callable[[int], str], labels: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Each text with its label; `text_of` and `labels` give back what was made before."""
    dice = _Dice(seed)
    for number in range(count):
        turn = number % 10
        source = labels[dice.below(number)] if number else 0
        if turn < 6 or not number:
            yield _comment(dice), number
        elif turn < 9:
            yield _edited(text_of(source), dice.uniform(0.003, 0.02), dice), source
        else:
            yield _edited(text_of(source), dice.uniform(0.10, 0.20), dice), number


def _comment(dice: _Dice) -> str:
    of, below = dice.of, dice.below

    def sentence() -> str:
        rate = f"{(1 + below(98)) / 10}％"
        first = of(_WHO), of(_WHY), of(_DID)  # all four are drawn, whichever is taken
        second = of(_SECTOR), of(_SECTOR)
        third = of(_WHO), of(_WHY)
        price, held = 8000 + below(22000), of(_SECTOR)
        turn = below(4)
        if turn == 0:
            return f"当月の{first[0]}は、{first[1]}などから{rate}{first[2]}。"
        if turn == 1:
            return f"業種別では{second[0]}が{rate}の上昇、{second[1]}は下落しました。"
        if turn == 2:
            return f"{third[0]}については、{third[1]}を受けて慎重な見方を続けています。"
        return f"基準価額は{price:,}円となり、{held}の保有が寄与しました。"

    return "".join([sentence() for _ in range(6)])


def _edited(text: str, share: float, dice: _Dice) -> str:
    letters = list(text)
    of, below = dice.of, dice.below
    for _ in range(max(1, round(len(letters) * share))):
        place = below(len(letters))
        added, instead = of("はがをもや"), of("円株高安上下中大")
        turn = below(3)
        letters[place] = (letters[place] + added) if turn == 1 else instead if turn else ""
    return "".join(letters)


def f1(labels: Sequence[int], found: Sequence[int]) -> tuple[float, float, float]:
    """Precision, recall and F1 over all pairs of texts that share a label, or a found cluster."""
    import numpy as np

    def pairs(keys: Any) -> int:
        counts = np.unique(keys, return_counts=True)[1]
        return int((counts * (counts - 1) // 2).sum())

    one, two = np.asarray(labels, np.int64), np.asarray(found, np.int64)
    both, wanted, made = pairs(one * len(one) + two), pairs(one), pairs(two)
    precision, recall = both / made if made else 0.0, both / wanted if wanted else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if both else 0.0
