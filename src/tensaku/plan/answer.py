"""A plan: what a job takes, with the reasons, the band and the sources of everything that is in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from pydantic import Field

from tensaku.config import Section
from tensaku.errors import UsageError
from tensaku.plan.anatomy import Anatomy
from tensaku.plan.fit import COUNTS, Fit, fewest, needs, one_machine
from tensaku.plan.hardware import Accelerator, Node, accelerator, checked, node, price
from tensaku.plan.headers import describe
from tensaku.plan.job import METHODS, Load, Method, Training
from tensaku.plan.layout import ONE, Layout, layouts, share
from tensaku.plan.memory import BYTES, weight_bytes
from tensaku.plan.money import Bill, Money, Ratio, bill, inference_ratio, training_ratio
from tensaku.plan.said import Said, in_japanese
from tensaku.plan.speed import Reached, StepTime, Times, serving_times, step_time, steps, usual
from tensaku.plan.waiting import Latency, capacity, simulate

__all__ = ["Answer", "Ask", "loading", "plan"]

_MOST_COUNT = 256
"""GPUs up to which a server that meets its goals is looked for."""
_BUSY = 0.8
"""Share of what can be answered at most that arrives, where the number of places is left to the planner."""


class Ask(Section):
    """The settings of a plan."""

    train: Training = Training()
    serve: Load = Load()
    money: Money = Money()
    gpus: int = Field(0, ge=0, le=COUNTS[-1])
    """How many GPUs; 0: the fewest."""
    draft: str = ""
    """Serving: a model that drafts, named as a model is; empty: none."""
    memory_gb: float = Field(0.0, ge=0, le=1e6)
    """Memory of a GPU in 10^9 bytes; 0: as in the table."""
    bandwidth_gbs: float = Field(0.0, ge=0, le=1e9)
    """Its bandwidth in 10^9 bytes a second; 0: as in the table."""
    tflops: float = Field(0.0, ge=0, le=1e9)
    """Its dense products in the job's number format, in 10^12 operations a second; 0: as in the table."""
    watts: float = Field(0.0, ge=0, le=1e6)
    """Its power; 0: as in the table."""
    against: str = ""
    """A larger model to compare the cost of training and of the hardware with; empty: none."""
    hours_a_day: float = Field(24.0, gt=0, le=24)
    """Serving: hours of a day that are paid for."""


@dataclass(frozen=True)
class Answer:
    """What `plan` found. None: not asked for, or unknown (`unknown` says what and why)."""

    anatomy: Anatomy
    method: Method
    ask: Ask
    accelerator: Accelerator
    loading: dict[str, float]
    """Bytes of all weights by number format."""
    fit: Fit | None = None
    step: StepTime | None = None
    hours: tuple[float, float, float] | None = None
    """Of a training: low, middle, high; of a server: of a day."""
    times: Times | None = None
    latency: Latency | None = None
    latency_band: tuple[Latency, Latency] | None = None
    """At the slow and the fast end of what is reached; goals are met in the middle."""
    band: tuple[float, float] | None = None
    """Serving: words a second over all answers at the slow and the fast end."""
    why_more: str = ""
    """Serving: why fewer GPUs do not meet the goals."""
    node: Node | None = None
    servers: int = 1
    bill: Bill | None = None
    bill_band: tuple[Bill, Bill] | None = None
    """Of a training: at the short and the long end of its time."""
    ratios: tuple[Ratio, ...] = ()
    """Against `ask.against`: training, and the hardware that holds the weights in 16 bit."""
    unknown: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def why_not_fewer(self) -> str:
        """Why a smaller number of GPUs does not do; empty where there is none."""
        if self.why_more or self.fit is None or self.fit.smaller is None:
            return self.why_more
        return self.fit.smaller.reason


def plan(
    model: str | Anatomy,
    method: Method = "load",
    ask: Ask | None = None,
    hardware: str | Accelerator = "h100-sxm",
    reached: Reached | None = None,
) -> Answer:
    """What `method` takes for `model` on `hardware`.

    Args:
        model: a built-in name, a config.json, a model folder, a .safetensors or .gguf file; or an anatomy.
        method: load, lora, qlora, full, dpo, pretrain or serve.
        ask: the settings; `ask.train.method` is replaced by `method`.
        hardware: a name of the table, of a GPU or of a processor; on a processor the plan is of one machine.
        reached: shares of the data sheet's figures that are reached.

    Raises:
        UsageError: the model or the hardware is not known, or the job does not fit.
    """
    if method not in METHODS:
        raise UsageError(f"there is no method {method!r}", fix=f"There is: {', '.join(METHODS)}")
    anatomy = describe(model) if isinstance(model, str) else model
    ask = ask or Ask()
    on = _with_own(accelerator(hardware) if isinstance(hardware, str) else hardware, ask, method)
    if on.processor and ask.gpus > 1:
        what = f"a job is planned for one machine with {on.label}, and {ask.gpus} were asked for"
        raise UsageError(what, where="gpus", fix="Leave gpus out, or take GPUs")
    reached = reached or usual(on)
    read = "" if "read 20" in on.source else f" (read {checked()})"
    sources = [f"{anatomy.name}: {anatomy.source}", f"{on.label}: {on.source}{read}"]
    answer = Answer(anatomy, method, ask, on, loading(anatomy), sources=tuple(sources))
    if ask.against:
        answer = replace(answer, ratios=_ratios(anatomy, describe(ask.against), on, ask.money))
    if method == "load":
        return answer
    answer = replace(answer, assumptions=_assumed(on, reached))
    if method == "serve":
        return _finished(_served(answer, reached))
    if not anatomy.decodes and method != "full":
        raise UsageError(f"{anatomy.name} is an encoder: {method} is not planned for it", fix="Plan load or full")
    run = ask.train.model_copy(update={"method": method})
    answer = replace(answer, ask=ask.model_copy(update={"train": run}))
    return _finished(_trained(answer, run, reached))


def _assumed(on: Accelerator, reached: Reached) -> tuple[Said, ...]:
    """What the plan takes for granted."""
    where, ort = ("server processor", "サーバー用プロセッサー") if on.processor else ("GPU", "GPU ")
    found = [
        Said(
            "runtime 1.0 GB (0.6-2.0) and fragmentation 5 % (0-15 %) of what comes and goes: assumed, no "
            f"{where} was measured",
            f"実行環境 1.0 GB（0.6～2.0）、断片化は出入りする領域の 5 %（0～15 %）と仮定。{ort}での実測はありません",
        ),
        Said(
            f"reached of the data sheet: {reached.source}",
            f"公表性能に対する到達率: {in_japanese(reached.source)}",
        ),
    ]
    if on.processor:
        found.append(
            Said(
                f"peak: {on.how}; one processor, nothing else at work",
                f"理論性能: {in_japanese(on.how)}。プロセッサー 1 基を占有",
            )
        )
    if on.reported:
        has, reports = f"{on.memory / 1e9:g}", f"{on.reported / 1e9:.1f}"
        mib = f"{on.reported / 2**20:,.0f} MiB"
        found.append(
            Said(
                f"memory: {has} x 10^9 bytes, as the maker says it; such cards report {mib}, {reports} x 10^9, of "
                "which driver and firmware keep a part (-s memory_gb= plans with more)",
                f"メモリ容量: 公称の {has} × 10^9 バイト。実際のカードは {mib}（{reports} × 10^9 バイト）と"
                "報告しますが、一部はドライバーなどが使うため、少ないほうで見積もります（memory_gb で変えられます）",
            )
        )
    if on.widened:
        found.append(
            Said(
                "products in bf16: its maker states no rate, so fp32's is taken (bf16 numbers are widened first)",
                "bf16 の演算: 公表値がないため、fp32 に広げてから計算するものとして fp32 の性能を使います",
            )
        )
    return tuple(found)


def _fit(answer: Answer, job: Training | Load, draft: Anatomy | None = None) -> Fit:
    """The fewest GPUs, or the one machine."""
    on = answer.accelerator
    if on.processor:
        return one_machine(answer.anatomy, job, on.memory, draft)
    return fewest(answer.anatomy, job, on.memory, gpus=answer.ask.gpus or None, draft=draft)


def _ratios(small: Anatomy, large: Anatomy, accelerator: Accelerator, money: Money) -> tuple[Ratio, ...]:
    """Training on the same words; and, where the card's price is known, the cards that hold the weights in 16 bit
    against A100s that hold the large model's, as the published comparison has it."""
    found = [training_ratio(small.active_parameters, large.active_parameters)]
    known = price(accelerator.name)
    each = money.gpu_price or (known.buy if known else None)
    if each:
        found.append(inference_ratio(each * math.ceil(2 * small.parameters / accelerator.memory), large.parameters))
    return tuple(found)


def loading(anatomy: Anatomy) -> dict[str, float]:
    """Bytes of all weights by number format; `as stored` where a file says how it holds them."""
    found = {kind: sum(weight_bytes(piece, piece.numbers, kind) for piece in anatomy.pieces) for kind in BYTES}
    stored = anatomy.stored_bytes()
    return found if stored is None else {"as stored": float(stored), **found}


def _with_own(accelerator: Accelerator, ask: Ask, method: Method) -> Accelerator:
    """The accelerator with what the caller knows better."""
    tflops = dict(accelerator.tflops)
    if ask.tflops:
        kind = ask.serve.precision if method == "serve" else ask.train.precision
        tflops["bf16" if kind == "int4" else kind] = ask.tflops
    return replace(
        accelerator,
        memory=ask.memory_gb * 1e9 or accelerator.memory,
        reported=None if ask.memory_gb else accelerator.reported,
        bandwidth=ask.bandwidth_gbs * 1e9 or accelerator.bandwidth,
        watts=ask.watts or accelerator.watts,
        tflops=tflops,
    )


def _trained(answer: Answer, run: Training, reached: Reached) -> Answer:
    found = _fit(answer, run)
    try:
        step = step_time(answer.anatomy, run, found.layout, answer.accelerator, reached)
    except UsageError as error:
        return replace(answer, fit=found, unknown=(Said(f"time: {error}", f"所要時間: {in_japanese(error.what)}"),))
    # a pipeline's step is several micro-batches, which `steps` counts too
    count = steps(run, found.layout)
    low, middle, high = (seconds * count / 3600 for seconds in (step.low, step.seconds, step.high))
    return replace(answer, fit=found, step=step, hours=(low, middle, high))


def _served(answer: Answer, reached: Reached) -> Answer:
    anatomy, ask = answer.anatomy, answer.ask
    if not anatomy.decodes:
        raise UsageError(f"{anatomy.name} is an encoder and writes nothing", fix="Plan load or full")
    load = ask.serve
    draft = describe(ask.draft) if ask.draft else None
    if draft is not None and not draft.decodes:
        raise UsageError(f"{draft.name} is an encoder and drafts nothing", where="draft", fix="Name a decoder")
    if draft is not None and not load.accepted:
        what = f"{draft.name} drafts, and serve.accepted says that none of its words turns out right"
        raise UsageError(what, fix="Say how many do, as in: -s serve.accepted=0.7")
    if load.length > anatomy.context:
        what = f"prompt and answer have {load.length} tokens, {anatomy.name} takes {anatomy.context}"
        raise UsageError(what, fix="Shorten serve.prompt or serve.answer")
    on = _Engine(anatomy, answer.accelerator, reached, draft)
    try:
        on.times(load, Layout(), users=1)
    except UsageError as error:
        load = load if load.users else load.model_copy(update={"users": 1})
        found = _fit(answer, load, draft)
        return replace(
            answer,
            fit=found,
            unknown=(Said(f"time: {error}", f"所要時間: {in_japanese(error.what)}"),),
            hours=(ask.hours_a_day,) * 3,
        )
    missed_by: dict[int, Said] = {}  # GPUs -> what the last layout on so many missed
    best: tuple[Load, Fit, Latency] | None = None
    for placed, found in _candidates(answer, load, on):
        over = found.memory.high - answer.accelerator.memory
        missed = _crowded(placed, over, answer.accelerator) if over > 0 else None
        if missed is None:
            latency = _latency(on, placed, found.layout)
            missed = _missed(placed, latency)
        if missed is None:
            best = placed, found, latency
            break
        gpus = found.layout.gpus
        missed_by[gpus] = (
            Said(f"one machine: {missed}", f"1 台では、{missed.ja}")
            if answer.accelerator.processor
            else Said(
                f"{gpus} GPU{'s' if gpus > 1 else ''} ({found.layout}): {missed}",
                f"GPU {gpus} 枚（{found.layout.said.ja}）では、{missed.ja}",
            )
        )
    if best is None:
        why = list(missed_by.values())[-1] if missed_by else "no number of GPUs meets the goals"
        other = "GPUs" if answer.accelerator.processor else "another GPU"
        raise UsageError(why, fix=f"Loosen the goals, or take {other}")
    placed, found, latency = best
    smaller = [count for count in missed_by if count < found.layout.gpus]
    users = share(placed.users, found.layout.data)
    slow, fast = (_latency(on, placed, found.layout, part) for part in (0, 2))
    low, high = (
        found.layout.data * on.times(placed, found.layout, part=part).tokens_a_second(users) for part in (0, 2)
    )
    return replace(
        answer,
        ask=ask.model_copy(update={"serve": placed}),
        fit=found,
        times=on.times(placed, found.layout),
        latency=latency,
        latency_band=(slow, fast),
        band=(low, high),
        why_more=missed_by[max(smaller)] if smaller else "",
        hours=(ask.hours_a_day,) * 3,
    )


class _Engine(NamedTuple):
    """What serves: a model and the one that drafts for it, on hardware of which so much is reached."""

    anatomy: Anatomy
    accelerator: Accelerator
    reached: Reached
    draft: Anatomy | None

    def times(self, load: Load, layout: Layout, *, users: int | None = None, part: int = 1) -> Times:
        """As `serving_times`."""
        return serving_times(
            self.anatomy, load, layout, self.accelerator, self.reached, part=part, users=users, draft=self.draft
        )

    def one_copy(self, load: Load, layout: Layout, part: int = 1) -> tuple[float, Callable[[int], float], float, int]:
        """Seconds to read a prompt, seconds of a pass by answers under way, passes of an answer, places."""
        alone = self.times(load, layout, users=1, part=part)
        passes = (load.answer - 1) / alone.words_a_pass

        def one_pass(users: int) -> float:
            return self.times(load, layout, users=users, part=part).one_pass

        return alone.prompt, one_pass, passes, share(load.users, layout.data)


def _candidates(answer: Answer, load: Load, on: _Engine) -> Iterator[tuple[Load, Fit]]:
    """Loads with a settled number of places on more and more GPUs, beginning with the fewest that hold them."""
    asked = 1 if on.accelerator.processor else answer.ask.gpus
    first = _fit(answer, load if load.users else load.model_copy(update={"users": 1}), on.draft)
    for count in (asked,) if asked else [c for c in COUNTS if first.layout.gpus <= c <= _MOST_COUNT]:
        for layout in (ONE,) if on.accelerator.processor else layouts(on.anatomy, count, training=False):
            placed = load if load.users else _places(on, load, layout)
            yield placed, Fit(layout, needs(on.anatomy, placed, layout, on.draft), first.smaller)


def _places(on: _Engine, load: Load, layout: Layout) -> Load:
    """The fewest places, doubling, with which what arrives is at most four fifths of what can be answered."""
    users = layout.data
    while users < 1024 * layout.data:
        placed = load.model_copy(update={"users": users})
        prompt, one_pass, passes, slots = on.one_copy(placed, layout)
        if load.rate <= _BUSY * layout.data * capacity(prompt, one_pass(slots), passes, slots):
            return placed
        users *= 2
    return load.model_copy(update={"users": users})


def _latency(on: _Engine, load: Load, layout: Layout, part: int = 1) -> Latency:
    prompt, one_pass, passes, slots = on.one_copy(load, layout, part)
    rate = load.rate / layout.data
    steps_of = {1: one_pass(1), slots: one_pass(slots)}

    def between(users: int) -> float:
        """Passes are as long as what they read or compute: straight between one answer and all of them, at most."""
        if slots == 1:
            return steps_of[1]
        return steps_of[1] + (steps_of[slots] - steps_of[1]) * (users - 1) / (slots - 1)

    return simulate(prompt=prompt, one_pass=between, passes=passes, slots=slots, rate=rate)


def _crowded(load: Load, over: float, on: Accelerator) -> Said:
    if on.processor:
        return Said(
            f"{load.users} answers at once need {over / 1e9:,.1f} GB more than its RAM",
            f"同時 {load.users} 件の回答に、RAM が {over / 1e9:,.1f} GB 足りません",
        )
    return Said(
        f"{load.users} answers at once need {over / 1e9:,.1f} GB too much on a GPU",
        f"同時 {load.users} 件の回答に、GPU 1 枚あたり {over / 1e9:,.1f} GB 足りません",
    )


def _missed(load: Load, latency: Latency) -> Said | None:
    """Which goal the latency misses."""
    if not latency.stable:
        return Said(
            f"{load.rate:g} requests a second arrive, {latency.capacity:.2f} a copy can be answered",
            f"毎秒 {load.rate:g} 件の要求に対し、1 組あたり毎秒 {latency.capacity:.2f} 件しか回答できません",
        )
    goals = (
        (Said("first word", "最初の語"), load.first_goal, latency.first[1]),
        (Said("whole answer", "回答全体"), load.answer_goal, latency.whole[1]),
    )
    for name, goal, found in goals:
        if goal and found > goal:
            return Said(
                f"95 of 100 wait up to {found:.2f} s for the {name}, the goal is {goal:g} s",
                f"{name.ja}までの待ち時間が 95 % 点で {found:.2f} 秒となり、目標の {goal:g} 秒を超えます",
            )
    return None


def _finished(answer: Answer) -> Answer:
    """With the server around the GPUs, if there are any, and the bill."""
    assert answer.fit is not None
    gpus = answer.fit.layout.gpus
    if not answer.accelerator.processor:
        count = min(gpus, 8)
        answer = replace(answer, node=node(answer.accelerator, count), servers=math.ceil(gpus / count))
    if answer.hours is None:
        return answer
    found = bill(answer.ask.money, answer.accelerator, gpus, answer.hours[1])
    unknown = (*answer.unknown, *found.unknown)
    if answer.step is not None:
        low, high = (bill(answer.ask.money, answer.accelerator, gpus, answer.hours[end]) for end in (0, 2))
        answer = replace(answer, bill_band=(low, high))
    return replace(answer, bill=found, unknown=unknown, sources=(*answer.sources, *found.sources))
