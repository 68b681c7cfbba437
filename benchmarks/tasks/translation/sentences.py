"""Invented sentences of market comments in Japanese and English, for the task file beside it.

They show the road of a translation task and nothing about translating at large: lessons and exam are of the same
moulds, in combinations that differ.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

__all__ = ["months"]

MARKETS = [
    ("国内株式市場", "The Japanese equity market"),
    ("米国株式市場", "The US equity market"),
    ("欧州株式市場", "The European equity market"),
    ("新興国株式市場", "Emerging equity markets"),
    ("ドル円相場", "The dollar against the yen"),
    ("Jリート市場", "The J-REIT market"),
    ("金価格", "The price of gold"),
    ("原油価格", "The price of crude oil"),
]
MOVES = [
    ("{x}%上昇しました", "rose {x}%"),
    ("{x}%下落しました", "fell {x}%"),
    ("小幅に上昇しました", "edged higher"),
    ("小幅に下落しました", "edged lower"),
    ("ほぼ横ばいでした", "was little changed"),
]
CAUSES = [
    ("好調な企業決算を受けて", "on strong corporate earnings"),
    ("追加利上げへの警戒から", "on concern about further rate hikes"),
    ("海外投資家の買いに支えられ", "supported by buying from overseas investors"),
    ("地政学リスクの高まりから", "on rising geopolitical risk"),
    ("景気減速への懸念から", "on fears of an economic slowdown"),
    ("円安の進行を背景に", "against the background of a weaker yen"),
    ("利益確定の売りに押され", "under pressure from profit taking"),
]
OUTLOOKS = [
    ("今後も金融政策の動向を注視します。", "We will continue to watch monetary policy closely."),
    ("引き続き銘柄選別を徹底する方針です。", "We intend to remain selective in our stock picking."),
    ("当面は変動の大きい展開を想定しています。", "We expect volatility to remain high for the time being."),
    ("現在の資産配分を維持する方針です。", "We intend to maintain the current asset allocation."),
    ("ポートフォリオのデュレーションを短めに保ちます。", "We will keep the duration of the portfolio short."),
]


def months(lessons: int, exam: int) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """(month, [(number, Japanese, English)]): twelve months of lessons, and an exam that repeats none."""
    dice = random.Random(7)
    seen: set[str] = set()
    sizes = [(f"2025-{n:02d}", lessons // 12) for n in range(1, 13)] + [("2026-06", exam)]
    for month, size in sizes:
        rows = []
        while len(rows) < size:
            japanese, english = _comment(dice)
            if japanese not in seen:
                seen.add(japanese)
                rows.append((f"{month}-{len(rows):03d}", japanese, english))
        yield month, rows


def _comment(dice: random.Random) -> tuple[str, str]:
    (market, market_en), (move, move_en) = dice.choice(MARKETS), dice.choice(MOVES)
    (cause, cause_en), (outlook, outlook_en) = dice.choice(CAUSES), dice.choice(OUTLOOKS)
    figure = f"{dice.randrange(1, 90) / 10:.1f}"
    move_en = move_en.replace("was", "were") if market_en.endswith("s") else move_en
    japanese = f"{market}は、{cause}、{move.format(x=figure)}。{outlook}"
    return japanese, f"{market_en} {move_en.format(x=figure)} {cause_en}. {outlook_en}"
