"""A simulated market: one consistent set of figures and moods a month, the same for every manager.

All series are mean-reverting, so the newest months are drawn from the same process as the oldest.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Month", "months_between", "simulate"]

# Yearly drift and monthly spread in percent for each asset class; how much of the spread is the world's common shock.
_RETURNS: Mapping[str, tuple[float, float, float]] = {
    "jp-eq": (0.4, 3.0, 0.8),
    "dm-eq": (0.4, 2.8, 0.85),
    "em-eq": (0.3, 3.2, 0.7),
    "jp-small": (0.4, 3.2, 0.75),
    "jp-div": (0.4, 2.4, 0.75),
    "commodity": (0.1, 3.4, 0.3),
}

_PARTS = {
    "先進国株式": "dm-eq",
    "国内株式": "jp-eq",
    "新興国株式": "em-eq",
    "国内債券": "jp-bond",
    "先進国債券": "dm-bond",
    "海外リート": "greit",
}
"""Segments that are asset classes themselves: they moved as that class did."""
_NO_MEETING = frozenset({2, 5, 8, 11})  # months without a meeting of the central banks


@dataclass(frozen=True, slots=True)
class Month:
    """What happened in one month.

    Attributes:
        as_of: the month, `YYYY-MM`.
        returns: percent change of the month by asset class, one decimal, never 0.
        levels: closing levels: `nikkei` (yen), `sp500`, `topix`, `tse-reit`, `jgb` and `ust` (10-year yields, percent),
            `usdjpy`, `oil` (dollars a barrel), `boj` and `fed` (policy rates, percent).
        flags: the moods of the month, such as `fed:hawk`; exactly one of each pair holds.
        up, down: segments (sectors, countries, maturities ...) by asset class that rose and fell, strongest first.
    """

    as_of: str
    returns: Mapping[str, float]
    levels: Mapping[str, float]
    flags: frozenset[str]
    up: Mapping[str, tuple[str, ...]]
    down: Mapping[str, tuple[str, ...]]


def months_between(first: str, last: str) -> list[str]:
    """All months from `first` to `last`, both included, as `YYYY-MM`."""
    year, month = map(int, first.split("-"))
    out = []
    while (label := f"{year}-{month:02d}") <= last:
        out.append(label)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return out


def _nonzero(value: float) -> float:
    rounded = round(value, 1)
    return rounded if rounded else (0.1 if value >= 0 else -0.1)


def simulate(months: list[str], segments: Mapping[str, list[str]], seed: int) -> dict[str, Month]:
    """The market of `months`, in order; `segments` names the segments of each asset class."""
    rng = random.Random(seed)
    level = {
        "nikkei": 36000.0,
        "sp500": 5000.0,
        "topix": 2600.0,
        "tse-reit": 1800.0,
        "jgb": 1.0,
        "ust": 4.0,
        "usdjpy": 145.0,
        "oil": 75.0,
        "boj": 0.5,
        "fed": 4.25,
    }
    home = dict(level)
    out: dict[str, Month] = {}
    for as_of in months:
        world = rng.gauss(0, 1)
        returns = {a: _nonzero(m + s * (c * world + (1 - c) * rng.gauss(0, 1))) for a, (m, s, c) in _RETURNS.items()}
        moves = _rates(rng, level, home, int(as_of[-2:]))
        returns |= _rate_assets(rng, moves, world)
        returns["balanced"] = _nonzero(0.5 * returns["dm-eq"] + 0.2 * returns["jp-eq"] + 0.3 * returns["jp-bond"])
        level["nikkei"] *= 1 + returns["jp-eq"] / 100
        level["sp500"] *= 1 + returns["dm-eq"] / 100
        level["topix"] *= 1 + returns["jp-eq"] / 100
        level["tse-reit"] *= 1 + returns["jreit"] / 100
        level["oil"] *= 1 + returns["commodity"] * 1.2 / 100
        flags = _flags(rng, moves, returns, int(as_of[-2:]))
        up, down = _split(rng, segments, returns, flags)
        out[as_of] = Month(as_of, returns, _rounded(level), frozenset(flags), up, down)
    return out


def _rates(rng: random.Random, level: dict[str, float], home: dict[str, float], month: int) -> dict[str, float]:
    """Moves yields, the dollar and policy rates one month on; returns the moves."""
    moves = {}
    for name, spread, pull in (("jgb", 0.09, 0.06), ("ust", 0.22, 0.1), ("usdjpy", 2.6, 0.08)):
        move = rng.gauss(0, spread) + pull * (home[name] - level[name])
        floor = {"jgb": 0.02, "ust": 0.03, "usdjpy": 0.6}[name]
        move = move if abs(move) >= floor else (floor if move >= 0 else -floor)
        level[name] += move
        moves[name] = move
    for name, leader, step in (("boj", "jgb", 0.25), ("fed", "ust", 0.25)):
        gap = level[leader] - home[leader] - (level[name] - home[name])
        moves[name] = 0.0
        step = step if gap > 0 else -step
        due = abs(gap) > 0.2 and gap * moves[leader] > 0 and month not in _NO_MEETING and level[name] + step > 0
        if rng.random() < 0.6 and due:
            moves[name] = step
            level[name] += step
    return moves


def _rate_assets(rng: random.Random, moves: dict[str, float], world: float) -> dict[str, float]:
    """Returns of what lives on interest rates: prices fall when yields rise."""
    jgb, ust = moves["jgb"], moves["ust"]
    out = {
        "jp-bond": -7.5 * jgb + 0.02,
        "dm-bond": -6.0 * ust + 0.1,
        "em-bond": -3.0 * ust + 0.8 * world + 0.2,
        "jreit": -9.0 * jgb + 1.2 * world + rng.gauss(0, 1.0) + 0.1,
        "greit": -5.0 * ust + 1.8 * world + rng.gauss(0, 1.0) + 0.2,
    }
    rounded = {name: _nonzero(value) for name, value in out.items()}
    for name, move in (("jp-bond", jgb), ("dm-bond", ust)):
        if rounded[name] * move > 0:  # a price may never move with its yield
            rounded[name] = -0.1 if move > 0 else 0.1
    return rounded


def _flags(rng: random.Random, moves: dict[str, float], returns: dict[str, float], month: int) -> set[str]:
    def leaning(name: str, good: str, bad: str, lean: float) -> str:
        return f"{name}:{good if rng.random() < 0.5 + lean else bad}"

    stocks = 0.22 if returns["dm-eq"] > 0 else -0.22
    rates = -0.2 if moves["ust"] < 0 else 0.2
    return {
        "fed:hawk" if moves["ust"] > 0 else "fed:dove",
        "boj:hawk" if moves["jgb"] > 0 else "boj:dove",
        "yen:weak" if moves["usdjpy"] > 0 else "yen:strong",
        "oil:up" if returns["commodity"] > 0 else "oil:down",
        "cpi:hot" if moves["ust"] > 0 else "cpi:cool",
        "meeting:" + ("no" if month in _NO_MEETING else "yes"),
        "fedmove:" + ("up" if moves["fed"] > 0 else "down" if moves["fed"] < 0 else "none"),
        "bojmove:" + ("up" if moves["boj"] > 0 else "down" if moves["boj"] < 0 else "none"),
        leaning("us", "good", "bad", rates),
        leaning("cn", "good", "bad", stocks),
        leaning("eu", "good", "bad", stocks / 2),
        leaning("jp", "good", "bad", stocks / 2),
        leaning("earn", "good", "bad", stocks),
        leaning("ai", "good", "bad", stocks),
        leaning("geo", "calm", "tense", stocks),
        leaning("trade", "calm", "tense", stocks),
        leaning("flow", "in", "out", stocks),
        leaning("rent", "good", "bad", 0.1),
        leaning("credit", "good", "bad", stocks),
        leaning("gold", "up", "down", -stocks),
        leaning("harvest", "poor", "good", 0.0),
        leaning("auction", "good", "bad", 0.25 if moves["jgb"] < 0 else -0.25),
        leaning("fiscal", "calm", "tense", 0.2 if moves["jgb"] < 0 else -0.2),
    }


def _split(
    rng: random.Random, segments: Mapping[str, list[str]], returns: dict[str, float], flags: set[str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Shares the segments of each asset class out into risers and fallers, more of the kind that the month was."""
    up, down = {}, {}
    for asset, names in segments.items():
        order = rng.sample(names, len(names))
        risers = round(len(names) * (0.62 if returns[asset] > 0 else 0.38))
        gains, losses = order[:risers], order[risers:]
        known = {"原油": "oil:up" in flags, "金": "gold:up" in flags} | {n: returns[a] > 0 for n, a in _PARTS.items()}
        for name in [n for n in names if n in known]:
            right, wrong = (gains, losses) if known[name] else (losses, gains)
            if name in wrong:
                wrong.remove(name)
                right.append(name)
        up[asset], down[asset] = tuple(gains), tuple(losses)
    return up, down


def _rounded(level: dict[str, float]) -> dict[str, float]:
    digits = {
        "nikkei": -2,
        "sp500": -1,
        "topix": -1,
        "tse-reit": -1,
        "jgb": 2,
        "ust": 2,
        "usdjpy": 0,
        "oil": 0,
        "boj": 2,
        "fed": 2,
    }
    return {name: round(value, digits[name]) for name, value in level.items()}
