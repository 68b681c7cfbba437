"""The page of sizing: sliders, and what `tensaku.plan` says to them, redrawn at once."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import Request
from markupsafe import Markup

from tensaku.desk.access import Signed
from tensaku.desk.gate import signed_of
from tensaku.desk.views import Views
from tensaku.desk.words import Language
from tensaku.desk.words_faults import fault_words
from tensaku.errors import TensakuError
from tensaku.plan import Answer, Ask, Load, Training, plan
from tensaku.plan.hardware import accelerators
from tensaku.plan.headers import built_in, names
from tensaku.plan.job import METHODS
from tensaku.plan.memory import KINDS
from tensaku.plan.page import HEADS, NUMBERS, OUTSIDE, cells, spreads
from tensaku.plan.said import Said, in_japanese
from tensaku.plan.text import duration, yen

__all__ = ["Errors", "add_sizing", "answered", "body", "errors_shown"]

Errors = Callable[[], tuple[Sequence[Mapping[str, Any]], str]]
"""Gives the runs so far, each predicted beside measured, and where the constants are from: `plan.errors_so_far`."""

_RANGES: dict[str, tuple[tuple[int, ...], int, str]] = {
    "batch": ((1, 2, 4, 8, 16, 32, 64), 0, "of-training"),
    "sequence": ((256, 512, 1024, 2048, 4096, 8192, 16384, 32768), 3, "of-training"),
    "examples": ((100, 200, 400, 800, 1600, 3200, 12800, 51200), 3, "of-training"),
    "users": ((1, 2, 4, 8, 16, 32, 64, 128, 256), 3, "of-serving"),
    "prompt": ((128, 256, 512, 1024, 1536, 2048, 3072, 8192), 3, "of-serving"),
    "answer": ((64, 128, 256, 400, 512, 768, 1024), 3, "of-serving"),
    "adapters": ((0, 1, 2, 4, 8, 16, 32, 64, 128), 0, "of-serving"),
    "shared": ((0, 10, 25, 50, 75, 90), 0, "of-serving"),
    "accepted": ((0, 30, 50, 60, 70, 80, 90, 95), 0, "of-serving"),
    "rate": ((0, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600), 0, "of-serving"),
    "within": ((0, 1, 2, 3, 5, 8, 12, 20, 30, 60), 0, "of-serving"),
}
"""Slider -> the values it steps through, where it begins, which jobs have it."""

METHODS_SAID = {
    "load": "モデルを載せる",
    "lora": "LoRA で学習",
    "qlora": "QLoRA で学習",
    "full": "全パラメータを学習",
    "dpo": "DPO で学習",
    "pretrain": "継続事前学習",
    "serve": "回答する（推論）",
}
"""The jobs as the Japanese page names them."""

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("規模の見積もり", "Sizing"),
    "lead": (
        "つまみを動かすと、必要なメモリ・GPU・時間・費用をその場で計算し直します。数値には幅と根拠が付きます。",
        "Move a slider: memory, GPUs, time and money are worked out anew at once, each with its band and its reason.",
    ),
    "model": ("モデル", "Model"),
    "method": ("仕事", "Job"),
    "hardware": ("GPU・プロセッサー", "GPU or processor"),
    "batch": ("GPU ごとの系列数", "Sequences a GPU"),
    "sequence": ("系列のトークン数", "Tokens a sequence"),
    "examples": ("教材の数", "Lessons"),
    "users": ("同時の回答数", "Answers at once"),
    "prompt": ("入力のトークン数", "Tokens of a prompt"),
    "answer": ("回答のトークン数", "Tokens of an answer"),
    "adapters": ("アダプター数", "Adapters"),
    "shared": ("入力のうち共有部分（%）", "Shared beginning, % of a prompt"),
    "accepted": ("先読みが当たる割合（%）", "Drafted words that are right, %"),
    "rate": ("毎分の要求数（0 は続けて依頼）", "Requests a minute (0: one after another)"),
    "within": ("回答の目標時間（秒、0 はなし）", "Goal for an answer, s (0: none)"),
    "memory": ("最も埋まる GPU のメモリ（GB）", "Memory of the fullest GPU, GB"),
    "ram": ("メモリ（RAM、GB）", "Memory (RAM), GB"),
    "machine": ("機械", "Machine"),
    "alone": ("1 台（分割なし）", "one, nothing split"),
    "room": ("容量", "has"),
    "gpus": ("GPU 数", "GPUs"),
    "why": ("より少ない数で足りない理由", "Why not fewer"),
    "time": ("所要時間", "Time"),
    "speed": ("生成速度", "Speed"),
    "latency": ("待ち時間（秒）", "Waiting, seconds"),
    "waiting": ("回答全体の 95 % 点（秒）", "95 of 100 answers, s"),
    "endless": ("際限なし（要求が処理能力を上回ります）", "without end (more arrive than are answered)"),
    "first": ("最初の語", "first word"),
    "whole": ("回答全体", "whole answer"),
    "server": ("サーバー", "Server"),
    "money": ("費用（税別）", "Money, without tax"),
    "together": ("メモリの合計", "Memory together"),
    "errors": ("見積もりの誤差（この作業場での実績）", "Errors of the plan so far, in this workspace"),
    "constants": ("定数", "Constants"),
    "no_errors": (
        "まだ記録がありません。tensaku run を実行すると、予測と実測がここに並びます。",
        "No run was recorded yet: each tensaku run adds what was said beside what was measured.",
    ),
    "reckoning": ("計算しています…", "Working it out…"),
    "unknown": ("不明", "Unknown"),
    "assumed": ("仮定", "Assumed"),
    "sources": ("出典", "Sources"),
}


def _say(language: Language) -> dict[str, str]:
    return {key: pair[0 if language == "ja" else 1] for key, pair in _WORDS.items()}


def body(language: Language, signed: Signed, errors: Markup | None = None) -> Markup:
    """The page before the first answer; `errors` as `errors_shown` draws them."""
    selects = [
        ("model", [(name, name) for name in names()], "llama-3.1-8b"),
        (
            "method",
            [(name, METHODS_SAID.get(name, name)) if language == "ja" else (name, name) for name in METHODS],
            "lora",
        ),
        ("hardware", [(name, name) for name in accelerators()], "h100-sxm"),
    ]
    sliders = [(name, *row) for name, row in _RANGES.items()]
    other = "/en/plan" if language == "ja" else "/plan"
    values = {"selects": selects, "sliders": sliders, "signed": signed, "here": "plan", "other_path": other}
    values["errors"] = errors or Markup()
    return Views(language).part("sizing.html", say=_say(language), **values)


def errors_shown(errors: Errors, language: Language) -> Markup:
    """What `tensaku plan --page` shows, for the foot of the page; what is damaged is said in its place."""
    say, ja = _say(language), language == "ja"
    try:
        rows, source = errors()
    except TensakuError as error:
        return Markup('<p class="fault" role="alert">{}</p>').format(str(error))
    told = Markup("<p>{}: {}</p>").format(say["constants"], in_japanese(source) if ja else source)
    if not rows:
        return told + Markup("<p>{}</p>").format(say["no_errors"])
    for spread in spreads(rows):
        middle, most = (f"{100 * value:.1f} %" for value in (spread.middle, spread.most))
        japanese = f"{spread.what.ja}: {spread.runs} 件、誤差の中央値 {middle}、最大 {most}"
        english = f"{spread.what}: {spread.runs} runs, error {middle} in the middle, {most} at most"
        told += Markup("<p><strong>{}</strong></p>").format(japanese if ja else english)
    if any(row["outside"] for row in rows):
        told += Markup("<p>{}</p>").format(OUTSIDE.ja if ja else OUTSIDE)

    def line(tag: str, texts: Sequence[str]) -> Markup:
        styles = ["num" if place >= NUMBERS else "kinds" if place == NUMBERS - 1 else "" for place in range(len(texts))]
        one = Markup('<{0} class="{1}">{2}</{0}>')
        return Markup().join(one.format(tag, style, text) for style, text in zip(styles, texts, strict=True))

    head = line("th", [head.ja if ja else head for head in HEADS])
    body_rows = Markup().join(Markup("<tr>{}</tr>").format(line("td", cells(row, ja))) for row in reversed(rows))
    table = Markup('<table class="rows"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>').format(head, body_rows)
    box = Markup('<div class="rows-box" tabindex="0" role="group" aria-label="{}">{}</div>')
    return told + box.format(say["errors"], table)


def answered(values: Mapping[str, Any], language: Language) -> tuple[str, str]:
    """What to show for the values of the form, and the method it is for. A mistake is shown as its message.

    The model is one that the form offers: `plan` would also open a file of this machine by that name.
    """
    method = str(values.get("method", "load"))
    method = method if method in METHODS else "load"
    try:
        picked = {name: _picked(name, values.get(name)) for name in _RANGES}
        train = {name: picked[name] for name in ("batch", "sequence", "examples")}
        serve = Load(
            **{name: picked[name] for name in ("users", "prompt", "answer", "adapters")},
            prefix=picked["prompt"] * picked["shared"] // 100,
            accepted=picked["accepted"] / 100,
            rate=picked["rate"] / 60,
            answer_goal=picked["within"],
        )
        ask = Ask(train=Training(**train), serve=serve)
        found = plan(built_in(str(values.get("model", ""))), method, ask, str(values.get("hardware", "")))
    except TensakuError as error:
        told = getattr(error, "what", str(error))
        spoken = language == "ja" and isinstance(told, Said)
        told = in_japanese(told) if spoken else fault_words(error, language)
        return str(Markup('<p class="fault" role="alert">{}</p>').format(told)), method
    return str(_shown(found, language)), method


def _picked(name: str, place: Any) -> int:
    values, start, _ = _RANGES[name]
    try:
        return values[min(max(int(place), 0), len(values) - 1)]
    except (TypeError, ValueError):
        return values[start]


def _shown(found: Answer, language: Language) -> Markup:
    say, ja = _say(language), language == "ja"
    parts = [_bars(found, say, ja), _latency(found, say)]
    rows: list[tuple[str, str]] = []
    if found.fit is not None:
        memory, layout = found.fit.memory, found.fit.layout
        if found.accelerator.processor:
            rows.append((say["machine"], say["alone"]))
        else:
            rows.append((say["gpus"], f"{layout.gpus}（{layout.said.ja}）" if ja else f"{layout.gpus} ({layout})"))
        ends = f"{memory.low / 1e9:,.1f} - {memory.high / 1e9:,.1f} GB"
        rows.append((say["together"], f"{memory.total / 1e9:,.1f} GB ({ends})"))
        if found.why_not_fewer:
            rows.append((say["why"], in_japanese(found.why_not_fewer) if ja else found.why_not_fewer))
    if found.hours and found.step:
        low, middle, high = (duration(hours, ja) for hours in found.hours)
        rows.append((say["time"], f"{middle} ({low} - {high})"))
    if found.band:
        rows.append((say["speed"], f"{found.band[0]:,.0f} - {found.band[1]:,.0f} tokens/s"))
    if found.latency_band:
        slow, fast = found.latency_band
        low, high = (f"{end.whole[1]:.2f}" if end.stable else say["endless"] for end in (fast, slow))
        rows.append((say["waiting"], f"{low} - {high}"))
    if found.node:
        node = found.node
        ram = f"{node.ram_least / 1e9:,.0f}-{node.ram_better / 1e9:,.0f} GB RAM"
        english = f"{found.servers} x ({node.gpus} GPU, {node.cores} cores, {ram})"
        japanese = f"{found.servers} 台（GPU {node.gpus} 枚、物理コア {node.cores} 以上、{ram}）"
        rows.append((say["server"], japanese if ja else english))
    if found.bill:
        buy, rent = yen(found.bill.buy, ja), yen(found.bill.rent, ja)
        power = say["unknown"].lower() if found.bill.kwh is None else f"{found.bill.kwh:,.1f} kWh"
        if found.bill_band and found.bill.kwh is not None:
            power += " ({:,.1f} - {:,.1f})".format(*(end.kwh for end in found.bill_band))
        japanese = f"電力量 {power}、購入 {buy}、賃借 {rent}"
        rows.append((say["money"], japanese if ja else f"power {power}; buy {buy}; rent {rent}"))
    for title, lines in (("unknown", found.unknown), ("assumed", found.assumptions), ("sources", found.sources)):
        rows += [(say[title], in_japanese(line) if ja else line) for line in lines]
    return Markup().join([*parts, _table(rows)])


def _table(rows: Sequence[tuple[str, str]]) -> Markup:
    """Titles and what is said under them; a title that comes again is not written again."""
    first = Markup('<dt class="first">{}</dt><dd>{}</dd>')
    again = Markup('<dt class="more"></dt><dd class="more">{}</dd>')
    cells: list[Markup] = []
    last = ""
    for title, told in rows:
        cells.append(again.format(told) if title == last else first.format(title, told))
        last = title
    return Markup("<dl>{}</dl>").format(Markup().join(cells))


def _bars(found: Answer, say: Mapping[str, str], ja: bool) -> Markup:
    """Memory by what it is for, against what the GPU has; of loading, by number format."""
    room = found.accelerator.memory / 1e9
    if found.fit is None:
        bars = [(kind, size / 1e9, "sure") for kind, size in found.loading.items()]
        ends = None
    else:
        memory = found.fit.memory
        bars = [(KINDS[name] if ja else name, size / 1e9, "sure") for name, size in memory.exact.items()]
        bars += [(KINDS[name] if ja else name, size / 1e9, "assumed") for name, size in memory.assumed.items()]
        bars.append(("合計" if ja else "together", memory.total / 1e9, "sure"))
        ends = memory.low / 1e9, memory.high / 1e9
    title = say["ram" if found.accelerator.processor else "memory"]
    return _figure(title, bars, room, f"{say['room']} {room:g} GB", ends)


def _latency(found: Answer, say: Mapping[str, str]) -> Markup:
    if found.latency is None or not found.latency.stable:
        return Markup()
    bars = []
    for name, values in (("first", found.latency.first), ("whole", found.latency.whole)):
        parts = zip((50, 95, 99), values, strict=True)
        bars += [(f"{say[name]} {percent} %", value, "sure") for percent, value in parts]
    return _figure(say["latency"], bars, 0.0, "", None)


def _figure(
    title: str, bars: Sequence[tuple[str, float, str]], room: float, told: str, ends: tuple[float, float] | None
) -> Markup:
    left, width, step = 190, 500, 30
    top = max([size for _, size, _ in bars] + [room] + list(ends or ())) or 1.0
    height = step * len(bars) + 26
    drawn = []
    for number, (name, size, style) in enumerate(bars):
        y = 6 + step * number
        length = max(1.0, width * size / top) if math.isfinite(size) else 0.0
        drawn.append(
            Markup('<text x="0" y="{}">{}</text><rect class="{}" x="{}" y="{}" width="{:.1f}" height="16"/>').format(
                y + 13, name, style, left, y, length
            )
        )
        end = max(length, width * ends[1] / top) if ends and number == len(bars) - 1 else length  # clear of the band
        drawn.append(Markup('<text class="size" x="{:.1f}" y="{}">{:,.2f}</text>').format(left + end + 8, y + 13, size))
    if room:
        x = left + width * room / top
        drawn.append(Markup('<line class="room" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}"/>').format(x, height - 18))
        drawn.append(
            Markup('<text class="room-told" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                x, height - 4, told
            )
        )
    if ends:
        y = 6 + step * (len(bars) - 1) + 8
        low, high = (left + width * end / top for end in ends)
        drawn.append(Markup('<line class="band" x1="{0:.1f}" x2="{1:.1f}" y1="{2}" y2="{2}"/>').format(low, high, y))
    label = f"{title}: " + ", ".join(f"{name} {size:.2f}" for name, size, _ in bars)
    return Markup(
        '<figure><figcaption>{}</figcaption><svg viewBox="0 0 840 {}" role="img" aria-label="{}">{}</svg></figure>'
    ).format(title, height, label, Markup().join(drawn))


def add_sizing(path: str, language: Language, errors: Errors | None = None) -> None:
    """The page at `path`; after `mount` has set up the desk's static files. Without `errors` none are shown."""
    from nicegui import ui

    title = f"Tensaku | {_say(language)['title']}"

    @ui.page(path, title=title, language="ja" if language == "ja" else "en-US", response_timeout=15)
    async def page(request: Request) -> None:
        shown = await asyncio.to_thread(errors_shown, errors, language) if errors else None
        ui.add_body_html(str(body(language, signed_of(request), shown)))
        client = ui.context.client

        async def heard(event: Any) -> None:
            values = event.args[0] if isinstance(event.args, list) and event.args else event.args
            html, method = await asyncio.to_thread(answered, values if isinstance(values, dict) else {}, language)
            client.run_javascript(f"sizing.show({json.dumps(html)}, {json.dumps(method)})")

        ui.on("sizing_ask", heard)
