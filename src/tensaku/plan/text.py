"""A plan in words and as plain values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from tensaku.plan.anatomy import Anatomy
from tensaku.plan.answer import Answer
from tensaku.plan.calibrate import Error
from tensaku.plan.counted import as_accelerate, wrong
from tensaku.plan.hardware import accelerators, checked, price
from tensaku.plan.headers import built_in, names
from tensaku.plan.layout import share
from tensaku.plan.money import Bill
from tensaku.plan.speed import steps

__all__ = ["answer_lines", "answer_values", "duration", "error_lines", "hardware_lines", "model_lines", "tensor_lines",
           "yen"]  # fmt: skip


_OLD_CONTEXT = 1 << 14
"""Longer texts came with versions of Transformers that keep no tables of sines in the layers."""


def _gb(size: float) -> str:
    return f"{size / 1e9:,.2f} GB"


def yen(amount: float | None, ja: bool = False) -> str:
    """Yen without decimals, or that nobody knows."""
    if amount is None:
        return "不明" if ja else "unknown"
    return f"{amount:,.0f} {'円' if ja else 'yen'}"


def duration(hours: float, ja: bool = False) -> str:
    """Hours in the unit that suits them."""
    seconds = hours * 3600
    if seconds < 120:
        return f"{seconds:.1f} {'秒' if ja else 's'}"
    if seconds < 7200:
        return f"{seconds / 60:.1f} {'分' if ja else 'min'}"
    if hours < 72:
        return f"{hours:.1f} {'時間' if ja else 'h'}"
    days = hours / 24
    return f"{days:,.1f} {'日' if ja else 'days'}" if days < 1e7 else f"{days:.1e} {'日' if ja else 'days'}"


def answer_lines(answer: Answer) -> Iterator[str]:
    """The plan as a page of text."""
    anatomy = answer.anatomy
    moe = f", {anatomy.active_parameters / 1e9:.2f} x 10^9 of them for each word" if anatomy.experts else ""
    yield f"{anatomy.name} ({anatomy.family}): {anatomy.parameters:,} parameters in {len(anatomy.pieces)} tensors{moe}"
    if anatomy.note:
        yield f"  note: {anatomy.note}"
    if answer.method == "load":
        yield from _loading_lines(answer)
    if answer.fit is not None:
        yield from _fit_lines(answer)
    if answer.step is not None and answer.hours is not None:
        yield from _training_lines(answer)
    if answer.times is not None:
        yield from _serving_lines(answer)
    yield from _node_lines(answer)
    yield from _bill_lines(answer)
    for name, ratio in zip(("training costs", "hardware to hold it costs"), answer.ratios, strict=False):
        yield f"Against {answer.ask.against}: {name} 1/{ratio.of_one:,.1f} ({ratio.how})"
    for title, lines in (("Unknown", answer.unknown), ("Assumed", answer.assumptions), ("Sources", answer.sources)):
        if lines:
            yield ""
            yield title
            yield from (f"  {line}" for line in lines)


def _loading_lines(answer: Answer) -> Iterator[str]:
    yield ""
    on = answer.accelerator
    fit_head = f"{'fits' if on.processor else 'GPUs'} ({on.name})"
    yield f"{'held as':<12}{'all weights':>16}{'largest layer':>18}{fit_head:>36}"
    for kind, size in answer.loading.items():
        each = size / answer.anatomy.parameters
        fits = ("yes" if size <= on.memory else "no") if on.processor else f"{math.ceil(size / on.memory)}"
        yield f"{kind:<12}{_gb(size):>16}{_gb(answer.anatomy.largest_layer * each):>18}{fits:>36}"
    yield "  the weights alone: no cache, no activations, no runtime. 1 GB is 10^9 bytes."
    if on.processor:
        yield f"  {on.label}: {on.how}"
    if answer.anatomy.family in ("llama", "bert"):
        tables = answer.anatomy.context <= _OLD_CONTEXT
        layer, total, adam = as_accelerate(answer.anatomy, rotary_tables=tables).spoken()
        yield f'  The public calculator says, for float32: largest layer {layer:,.2f} "MB", total {total:,.2f} "GB",'
        yield f'  training with Adam {adam:,.2f} "GB". Where we think it is wrong: {"; ".join(wrong(tables))}.'


def _fit_lines(answer: Answer) -> Iterator[str]:
    assert answer.fit is not None
    layout, memory = answer.fit.layout, answer.fit.memory
    plural = "s" if layout.gpus > 1 else ""
    yield ""
    yield f"{answer.method}: {layout.gpus} x {answer.accelerator.label}{'' if not plural else f' ({layout})'}"
    stage = f", stage {memory.stage + 1} of the pipeline" if layout.pipeline > 1 else ""
    whose = "the machine" if answer.accelerator.processor else "the fullest GPU"
    yield f"Memory of {whose}{stage}, of {_gb(answer.accelerator.memory)}"
    for name, size in memory.exact.items():
        yield f"  {name:<24}{_gb(size):>14}   from sizes"
    for name, size in memory.assumed.items():
        yield f"  {name:<24}{_gb(size):>14}   assumed"
    yield f"  {'together':<24}{_gb(memory.total):>14}   band {_gb(memory.low)} to {_gb(memory.high)}"
    if answer.why_not_fewer:
        yield f"Why not fewer: {answer.why_not_fewer}"


def _training_lines(answer: Answer) -> Iterator[str]:
    assert answer.step is not None
    assert answer.hours is not None
    assert answer.fit is not None
    step, run = answer.step, answer.ask.train
    count = steps(run, answer.fit.layout)
    low, middle, high = answer.hours
    each = run.batch * answer.fit.layout.data * answer.fit.layout.pipeline
    yield ""
    band = f"{step.low:.3f} to {step.high:.3f}"
    yield f"Time  {count:,} steps of {each} x {run.sequence} tokens, {step.seconds:.3f} s each ({band})"
    yield f"      {duration(middle)} in all (band {duration(low)} to {duration(high)})"


def _serving_lines(answer: Answer) -> Iterator[str]:
    assert answer.times is not None
    assert answer.latency is not None
    assert answer.fit is not None
    assert answer.band is not None
    load, times, latency = answer.ask.serve, answer.times, answer.latency
    copies = answer.fit.layout.data
    users = share(load.users, copies)
    yield ""
    yield f"Speed  a prompt of {load.prompt} tokens ({load.prefix} kept) is read in {times.prompt:.3f} s"
    yield (
        f"       a pass takes {times.one_pass * 1000:.1f} ms (bound by {times.bound}) and writes "
        f"{times.words_a_pass:.2f} tokens for each of {users} answers"
    )
    yield (
        f"       {copies * times.tokens_a_second(users):,.0f} tokens a second together "
        f"(band {answer.band[0]:,.0f} to {answer.band[1]:,.0f})"
    )
    asked = f"{load.rate:g} requests a second" if load.rate else f"{load.users} people, each asking again at once"
    yield f"Latency, simulated: {asked}, {load.users} places, at most {copies * latency.capacity:.2f} requests a second"
    yield f"       {'':<14}{'50 %':>10}{'95 %':>10}{'99 %':>10}"
    assert answer.latency_band is not None
    slow, fast = answer.latency_band
    for name, which in (("first token", "first"), ("whole answer", "whole")):
        ends = [getattr(end, which)[1] for end in (fast, slow)]
        told = f"95 %: band {ends[0]:.2f} to {ends[1]:.2f} s" if slow.stable else f"95 %: from {ends[0]:.2f} s"
        yield f"       {name:<14}" + "".join(f"{value:>8.2f} s" for value in getattr(latency, which)) + f"   {told}"
    if not slow.stable:
        most = f"{copies * slow.capacity:.2f} requests a second"
        yield f"       at the slow end of the band more arrive than can be answered ({most}): waiting then has no end"


def _node_lines(answer: Answer) -> Iterator[str]:
    if answer.node is None:
        return
    node = answer.node
    yield ""
    servers = "1 server" if answer.servers == 1 else f"{answer.servers} servers, each"
    yield f"Server  {servers} with {node.gpus} GPU{'s' if node.gpus > 1 else ''} (as certified configurations state it)"
    yield f"        {node.cores} physical cores in {node.sockets} socket{'s' if node.sockets > 1 else ''} or more"
    yield f"        {_gb(node.ram_least)} of RAM or more, better {_gb(node.ram_better)}"
    yield f"        {node.pcie_lanes} PCIe lanes for GPUs and network; network: {node.network}"
    yield f"        GPUs alone {'unknown' if node.watts is None else f'{node.watts:,.0f} W'}"


def _kwh(answer: Answer) -> str:
    assert answer.bill is not None
    if answer.bill.kwh is None:
        return "unknown"
    told = f"{answer.bill.kwh:,.1f} kWh"
    if answer.bill_band is None:
        return told
    low, high = answer.bill_band
    return f"{told} (band {low.kwh:,.1f} to {high.kwh:,.1f})"


def _lacking(bill: Bill) -> str:
    """What a sum lacks, so that nobody takes it for the whole."""
    return f"   without {' and '.join(bill.left_out)}" if bill.own_total is not None and bill.left_out else ""


def _bill_lines(answer: Answer) -> Iterator[str]:
    if answer.bill is None or answer.hours is None:
        return
    bill, what = answer.bill, "a day of serving" if answer.method == "serve" else "this training"
    yield ""
    yield f"Money   {what}, without tax"
    yield f"        energy         {_kwh(answer)}, {yen(bill.power)}"
    yield f"        bought         {yen(bill.buy)}, of which {yen(bill.written_off)} are written off in this time"
    yield f"        rented         {yen(bill.rent)}"
    if bill.people:
        yield f"        people         {yen(bill.people)}"
    yield f"        own / rented   {yen(bill.own_total)} / {yen(bill.rent_total)}{_lacking(bill)}"
    if answer.bill_band is not None:
        (low, high), names = answer.bill_band, ("own_total", "rent_total")
        ends = (f"{yen(getattr(low, name))} to {yen(getattr(high, name))}" for name in names if getattr(low, name))
        if told := " / ".join(ends):
            yield f"        band           {told}"
    if bill.break_even_days is not None:
        even = "never" if math.isinf(bill.break_even_days) else f"after {bill.break_even_days:,.0f} days of work"
        yield f"        buying pays    {even}{_lacking(bill)}"


def answer_values(answer: Answer) -> dict[str, Any]:
    """The plan as plain values for JSON: bytes, seconds, yen; null where something is unknown."""
    anatomy, fit = answer.anatomy, answer.fit
    found: dict[str, Any] = {
        "model": anatomy.name,
        "family": anatomy.family,
        "parameters": anatomy.parameters,
        "active_parameters": anatomy.active_parameters,
        "largest_layer_parameters": anatomy.largest_layer,
        "method": answer.method,
        "hardware": answer.accelerator.name,
        "loading_bytes": answer.loading,
    }
    if fit is not None:
        found |= {
            "gpus": 0 if answer.accelerator.processor else fit.layout.gpus,
            "layout": fit.layout._asdict(),
            "memory": {
                "exact": fit.memory.exact,
                "assumed": fit.memory.assumed,
                "total": fit.memory.total,
                "low": fit.memory.low,
                "high": fit.memory.high,
                "of": answer.accelerator.memory,
            },
            "why_not_fewer": answer.why_not_fewer or None,
        }
    for name in ("step", "times", "latency", "node", "bill"):
        value = getattr(answer, name)
        if value is not None:
            found[name] = value._asdict()
    if answer.latency_band is not None:
        found["latency_band"] = {
            end: at._asdict() for end, at in zip(("slow", "fast"), answer.latency_band, strict=True)
        }
    if answer.bill_band is not None:
        found["bill_band"] = {end: at._asdict() for end, at in zip(("low", "high"), answer.bill_band, strict=True)}
    found["ratios"] = [ratio._asdict() for ratio in answer.ratios]
    if answer.hours is not None:
        found["hours"] = dict(zip(("low", "middle", "high"), answer.hours, strict=True))
    if answer.band is not None:
        found["tokens_a_second_band"] = list(answer.band)
    found |= {"servers": answer.servers if fit else None, "unknown": answer.unknown, "assumptions": answer.assumptions}
    found |= {"sources": answer.sources, "settings": answer.ask.model_dump(), "note": anatomy.note}
    return _finite(found)  # type: ignore[no-any-return]


def _finite(value: Any) -> Any:
    """JSON has no word for what is no number or without end."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def model_lines() -> Iterator[str]:
    """The built-in models with where their sizes are from."""
    heads = f"{'layers':>8}{'hidden':>8}{'heads':>7}{'kv':>5}{'vocabulary':>12}{'context':>9}"
    yield f"{'model':<18}{'parameters':>18}{heads}"
    for name in names():
        one = built_in(name)
        yield (
            f"{name:<18}{one.parameters:>18,}{one.layers:>8}{one.hidden:>8}{one.heads:>7}{one.kv_heads:>5}"
            f"{one.vocabulary:>12,}{one.context:>9,}"
        )
        yield f"    {one.source}{f'; {one.note}' if one.note else ''}"


def hardware_lines() -> Iterator[str]:
    """The table of hardware with prices and sources."""
    yield f"Read {checked()}. Products are dense, in 10^12 operations a second; ? is unknown."
    yield f"{'name':<16}{'GB':>6}{'GB/s':>8}{'bf16':>9}{'fp8':>9}{'int8':>9}{'fp32':>8}{'W':>6}  price (yen)"
    for one in accelerators().values():
        kinds = "".join(
            f"{one.tflops[kind]:>{width}.6g}" if kind in one.tflops else f"{'?':>{width}}"
            for kind, width in (("bf16", 9), ("fp8", 9), ("int8", 9), ("fp32", 8))
        )
        band = "?" if one.bandwidth is None else f"{one.bandwidth / 1e9:g}"
        cost = price(one.name)
        told = f"{cost.buy:,.0f}" if cost and cost.buy else "?"
        yield f"{one.name:<16}{one.memory / 1e9:>6g}{band:>8}{kinds}{one.watts or '?':>6}  {told}"
        halved = f"; published with sparsity and halved: {', '.join(one.sparse)}" if one.sparse else ""
        reckoned = f"{one.label}: {one.how}; " if one.processor else ""
        yield f"    {reckoned}{one.source}{halved}"


def tensor_lines(anatomy: Anatomy) -> Iterator[str]:
    """Every tensor."""
    for piece in anatomy.pieces:
        bits = "" if piece.bits is None else f"{piece.bits:>8.3g} bits"
        size = " x ".join(map(str, piece.size))
        yield f"{piece.name:<64}{size:>20}{piece.numbers:>16,}  {piece.part:<10}{bits}"


def error_lines(errors: Sequence[Error]) -> Iterator[str]:
    """Predicted against measured, run by run."""
    yield f"{'run':<34}{'MB':>8}{'said':>8}{'error':>9}{'seconds':>11}{'said':>10}{'error':>9}"
    for one in errors:
        peak = _beside(one.peak_mb, one.peak_predicted, one.memory_error, 0, 8)
        time = _beside(one.seconds, one.seconds_predicted, one.time_error, 3, 10)
        yield f"{one.name:<34}{peak} {time}  {', '.join(one.traits)}"
    for word, values in (
        ("memory", [abs(e.memory_error) for e in errors if e.memory_error is not None]),
        ("time", [abs(e.time_error) for e in errors if e.time_error is not None]),
    ):
        if values:
            middle = sorted(values)[len(values) // 2]
            most = f"{100 * max(values):.1f} % at most"
            yield f"{word}: {len(values)} runs, error {100 * middle:.1f} % in the middle, {most}"
    if beyond := sorted({trait for one in errors for trait in one.outside}):
        count = sum(1 for one in errors if one.outside)
        yield f"{count} of them had {', '.join(beyond)}, which no fitted run had: no band covers them"


def _beside(measured: float | None, said: float | None, error: float | None, digits: int, width: int) -> str:
    if measured is None or said is None or error is None:
        return f"{'':>{2 * width + 9}}"
    return f"{measured:>{width},.{digits}f}{said:>{width},.{digits}f}{100 * error:>+8.1f}%"
