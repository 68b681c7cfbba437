"""How a manager's hand shows on a text worded with the house's terms: jargon, figures, dates, slips of the keyboard."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

__all__ = ["SLIPS", "figures", "jargon", "month_name", "slip"]

SLIPS: Mapping[str, str] = {
    "期待": "機体",
    "警戒": "軽快",
    "推移": "水位",
    "銘柄選択": "銘柄洗濯",
}
"""Right word -> the slip that stands for it in drafts (rule 24); the rarer words first, which are taken first."""

_FULL = str.maketrans("0123456789.,", "０１２３４５６７８９．，")


def month_name(as_of: str, style: str) -> str:
    """`as_of` as a manager writes it: `wareki` 令和8年3月, `slash` 2026/3, `seireki` 2026年3月."""
    year, month = (int(part) for part in as_of.split("-"))
    if style == "wareki":
        return f"令和{year - 2018}年{month}月"
    return f"{year}/{month}" if style == "slash" else f"{year}年{month}月"


def jargon(text: str, words: Mapping[str, str], rng: random.Random, keep: float = 0.05) -> str:
    """`text` with the house's terms turned into the manager's own; one in twenty stays as it is."""
    for house, own in sorted(words.items(), key=lambda item: -len(item[0])):
        if house in text and rng.random() >= keep:
            text = text.replace(house, own)
    return text


def figures(text: str, *, digits: str, percent: str, minus: str) -> str:
    """`text` with its figures in the manager's form: no thousands comma, own minus, percent sign and digit width."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"-(?=\d)", minus, text)
    text = text.replace("%", percent)
    if digits == "full":
        text = re.sub(r"[\d./=]+", lambda m: _wide(m[0]), text)
    return text


def _wide(run: str) -> str:
    return run.translate(_FULL).replace("=", "＝").replace("/", "／")


def slip(text: str, rng: random.Random) -> str:
    """`text` with one conversion slip, or one doubled particle where no listed word stands in it (rules 24 and 25)."""
    found = [word for word in SLIPS if word in text]
    if found and rng.random() < 0.85:
        word = found[0]
        at = rng.choice([m.start() for m in re.finditer(word, text)])
        return text[:at] + SLIPS[word] + text[at + len(word) :]
    spots = [m.start() for m in re.finditer(r"(?<=[一-龥ァ-ヶー])[はがを](?=[一-龥ァ-ヶ、])", text)]
    if not spots or rng.random() < 0.3:
        return text
    at = rng.choice(spots)
    return text[:at] + text[at] + text[at:]
