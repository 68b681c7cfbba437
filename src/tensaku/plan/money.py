"""Yen and kilowatt hours: to buy against to rent, power, what is written off, and people's time.

Prices are without tax. What nobody gave is left out and named, never filled in.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from pydantic import Field

from tensaku.config import Section
from tensaku.plan.hardware import Accelerator, price
from tensaku.plan.said import Said

__all__ = ["Bill", "Money", "Ratio", "bill", "inference_ratio", "training_ratio"]

_HOURS_A_YEAR = 24 * 365.0


class Money(Section):
    """What things cost in the house."""

    gpu_price: float = Field(0.0, ge=0, le=1e15)
    """Yen for one GPU; 0: as published, if anybody did."""
    server_price: float = Field(0.0, ge=0, le=1e15)
    """Yen for what stands around the GPUs of the job: servers, network."""
    rent_gpu_day: float = Field(0.0, ge=0, le=1e15)
    """Yen to rent one GPU for a day; 0: as published, if anybody did."""
    yen_per_kwh: float = Field(0.0, ge=0, le=1e15)
    """Yen for a kilowatt hour; 0: unknown."""
    overhead: float = Field(1.3, ge=1, le=100)
    """Power of the building for each watt of the machines (PUE); an assumption, take your own building's."""
    years: float = Field(5.0, gt=0, le=1000)
    """Over which a server is written off: 5 by the National Tax Agency's table for computers that are no PCs."""
    people_hours: float = Field(0.0, ge=0, le=1e15)
    """Hours that people work on the job."""
    yen_per_hour: float = Field(0.0, ge=0, le=1e15)
    """What an hour of theirs costs."""


class Bill(NamedTuple):
    """Yen, or None where a price is unknown. `unknown` names what is missing, `sources` where prices are from."""

    kwh: float | None
    power: float | None
    rent: float | None
    buy: float | None
    written_off: float | None
    people: float
    own_total: float | None
    rent_total: float | None
    break_even_days: float | None
    server: float
    unknown: tuple[str, ...]
    sources: tuple[str, ...]
    processor: bool = False
    """Of a machine without GPUs: `buy` is its processor and the rest of it, and power is the processor's alone."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """What is in no sum because nobody gave its price."""
        server = "the rest of the machine" if self.processor else "the server around the GPUs"
        return (*(["power"] if self.power is None else []), *([] if self.server else [server]))


def bill(money: Money, accelerator: Accelerator, gpus: int, hours: float) -> Bill:
    """What `hours` of work on `gpus` accelerators cost.

    Owned: the share of the purchase that is written off in these hours, and power. Rented: whole days begun are not
    rounded up. `break_even_days`: days of work, all through the day and the night, after which having bought costs less
    than having rented would have.
    """
    unknown, sources = [], []
    what, ding = ("processor", "プロセッサー") if accelerator.processor else ("GPU", "GPU ")
    known = price(accelerator.name)
    each = money.gpu_price or (known.buy if known else None)
    day = money.rent_gpu_day or (known.rent_day if known else None)
    if known and ((known.buy and not money.gpu_price) or (known.rent_day and not money.rent_gpu_day)):
        sources.append(f"{accelerator.name}: {known.source}{f' ({known.note})' if known.note else ''}")
    kwh = None if accelerator.watts is None else accelerator.watts * gpus * hours * money.overhead / 1000
    power = None if kwh is None or not money.yen_per_kwh else kwh * money.yen_per_kwh
    if kwh is None:
        unknown.append(Said("the accelerator's power", f"{ding}の消費電力"))
    if not money.yen_per_kwh:
        unknown.append(Said("the price of power (-s money.yen_per_kwh=...)", "電力単価（money.yen_per_kwh）"))
    buy = None if each is None else each * gpus + money.server_price
    if each is None:
        unknown.append(Said(f"the price of the {what} (-s money.gpu_price=...)", f"{ding}の価格（money.gpu_price）"))
    if not money.server_price:
        missing = "the price of the server around it (-s money.server_price=...)"
        if accelerator.processor:
            missing = "the price of the rest of the machine (-s money.server_price=...) and its power"
        unknown.append(Said(missing, "サーバー本体の価格（money.server_price）"))
    rent = None if day is None else day * gpus * hours / 24
    if day is None:
        unknown.append(Said("the rent (-s money.rent_gpu_day=...)", f"{ding}の賃料（money.rent_gpu_day）"))
    written = None if buy is None else buy * hours / (money.years * _HOURS_A_YEAR)
    people = money.people_hours * money.yen_per_hour
    own = None if written is None else written + (power or 0.0) + people
    even = _break_even(buy, day, gpus, accelerator, money)
    rented = None if rent is None else rent + people
    return Bill(
        kwh,
        power,
        rent,
        buy,
        written,
        people,
        own,
        rented,
        even,
        money.server_price,
        tuple(unknown),
        tuple(sources),
        accelerator.processor,
    )


def _break_even(
    buy: float | None, day: float | None, gpus: int, accelerator: Accelerator, money: Money
) -> float | None:
    if buy is None or day is None:
        return None
    watts = accelerator.watts or 0.0
    power_a_day = watts * gpus * 24 * money.overhead / 1000 * money.yen_per_kwh
    saved = day * gpus - power_a_day
    return buy / saved if saved > 0 else math.inf


class Ratio(NamedTuple):
    """How a small model compares with a large one: `of_one` is 1/of_one of the cost, `how` says from what."""

    of_one: float
    small: float
    large: float
    how: str


def training_ratio(small: float, large: float) -> Ratio:
    """Cost of training, for parameters `small` and `large`, on the same words: 6 operations a parameter and word
    (Kaplan et al. 2020), so costs are as the parameters."""
    return Ratio(large / small, small, large, "operations are 6 x parameters x words, words being equal")


def inference_ratio(small_yen: float, large: float, gpu: str = "a100-sxm-80", memory: float = 80e9) -> Ratio:
    """Cost of the hardware that holds a model: one machine of `small_yen` against enough `gpu` for `large` parameters
    in 16 bit. Cache and load are left out, as the published comparison leaves them out."""
    known = price(gpu)
    assert known is not None
    assert known.buy is not None
    count = math.ceil(large * 2 / memory)
    total = count * known.buy
    return Ratio(total / small_yen, small_yen, total, f"{count} x {gpu} hold {large * 2 / 1e9:,.0f} GB of weights")
