"""Training speed at equal mathematics: one command, one table, one JSON.

    make bench-tune                      everything (about ninety minutes on two cores)
    make bench-tune QUICK=1              the same tables from fewer steps, within ten minutes
    make bench-tune PARTS="lora curve"   some of it; the rest of the JSON stays as it was

Ours against TRL's SFTTrainer, plain Hugging Face with PEFT, and Hugging Face tuned by hand: the same token ids, batch,
order, first values, optimiser, rates and steps, each in a process of its own, taking turns. If a step's loss differs
between them by more than the number format explains, nothing is written.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.tune import table
from benchmarks.tune.bleu80 import cosine, seconds_to_mark
from benchmarks.tune.course import Course
from benchmarks.tune.data import Desk, batches, first_adapter
from benchmarks.tune.machine import has_bf16, machine
from benchmarks.tune.trial import Failed, Row, trial

from tensaku.errors import TensakuError

HERE = Path(__file__).parents[1]
WORK = HERE / ".work"
RESULT = HERE / "results" / "tune.json"
PARTS = ("lora", "full", "trimmed", "lora_batch_4", "curve", "bleu80")
QUICK_PARTS = ("lora", "full", "trimmed")
BATCH = 8
RATE = {"lora": 1e-3, "full": 2e-5}
_MAIN = ("trl", "trl_bf16", "hf", "hf_tuned", "ours")
_BF16 = ("hf_bf16", "hf_tuned_bf16", "ours_bf16")
_TRL_BESIDES = {"fp32": "trl_bf16", "bf16": "trl"}
_QUICK_SECONDS = {"lora": 220.0, "full": 220.0, "trimmed": 90.0}
_EPOCHS, _SAVE_EVERY, _EXAM = 1.3, 4, 50


class Bench:
    """The parts, and the JSON that they fill."""

    def __init__(self, peers: Path, quick: bool) -> None:
        self.quick, self._peers = quick, peers
        self.kept: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
        self._desk = Desk.make(WORK / "desk")
        self._bf16 = has_bf16()

    def run(self, part: str) -> None:
        """Measure one part and keep it."""
        {"curve": self._curve, "bleu80": self._bleu80}.get(part, lambda: self._speed(part))()
        RESULT.parent.mkdir(exist_ok=True)
        new = RESULT.with_suffix(".new")
        new.write_text(json.dumps(self.kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        new.replace(RESULT)

    def begin(self) -> None:
        """Note what the machine is, before anything loads it."""
        self.kept["machine"] = machine()
        print(json.dumps(self.kept["machine"]), flush=True)

    def _course(
        self, part: str, count: int, first: int = 0, size: int = BATCH, rates: list[float] | None = None
    ) -> Course:
        trimmed, full = part == "trimmed", part == "full"
        model = self._desk.model(trimmed)
        adapter = None if full else str(first_adapter(model, WORK / ("first-trimmed" if trimmed else "first")))
        steps = batches(self._desk.lessons(trimmed), size, count, first)
        return Course(str(model), adapter, "fp32", steps, rates or [RATE["full" if full else "lora"]] * count, "")

    def _names(self, part: str) -> tuple[str, ...]:
        names = _MAIN if self._bf16 else tuple(name for name in _MAIN if name != "trl_bf16")
        if part != "lora" and self.kept.get("lora"):  # TRL's slower setting tells nothing more
            names = tuple(n for n in names if n != _TRL_BESIDES[self.kept["lora"]["trl_setting"]])
        if part in ("lora", "full") and self._bf16:
            names += _BF16 if part == "lora" and not self.quick else ("ours_bf16",)
        if part == "lora" and not self.quick:
            names += ("trl_no_recompute",)
        return names

    def _speed(self, part: str) -> None:
        rounds, steps = (3, 1) if self.quick else (3, 2)
        size = 4 if part == "lora_batch_4" else BATCH
        courses = [self._course(part, 1 + steps, n * (1 + steps), size) for n in range(rounds)]
        rows = self._taken(part, self._names(part), courses)
        counted = len(rows["ours"].seconds)
        differences = table.check(rows)
        title = _TITLES[part].format(batch=size, steps=counted)
        print("\n".join([*table.loss_lines(rows), *table.speed_lines(title, rows, differences)]), flush=True)
        found = table.ratios(rows) | {"batch": size, "counted_steps": counted, "rounds": counted // steps}
        if part == "trimmed":
            found["gain_of_trimming"] = self._gain(rows)
        self.kept[part] = found | self._stamp() | table.figures(rows, differences)
        if "hf_bf16" in rows:
            self.kept.setdefault("bf16", {})[part] = table.ratios(rows, "ours_bf16") | self._stamp()
        self.kept.setdefault("peak_mb", {})[part] = {n: r.peak_mb for n, r in rows.items()}
        self.kept["versions"] = next(row for name, row in rows.items() if name.startswith("trl")).versions

    def _gain(self, rows: dict[str, Row]) -> float | None:
        """How many times faster ours trains on the trimmed vocabulary; None unless both were measured alike."""
        whole = self.kept.get("lora", {})
        if whole.get("quick") != self.quick:
            return None
        before: list[float] = whole["all_seconds"]["ours"]
        return round(statistics.median(before) / statistics.median(rows["ours"].seconds), 2)

    def _taken(self, part: str, names: Sequence[str], courses: Sequence[Course]) -> dict[str, Row]:
        def say(line: str) -> None:
            print(f"{part:13} {line}", flush=True)

        allowance = _QUICK_SECONDS.get(part, math.inf) if self.quick else math.inf
        return trial(names, courses, WORK / "runs", self._peers, say, allowance)

    def _curve(self) -> None:
        """Ours and plain Hugging Face over 50 steps."""
        course = self._course("lora", 50, size=4, rates=cosine(50, RATE["lora"]))
        rows = self._taken("curve", ("hf", "ours"), [course])
        print("\n".join(table.loss_lines(rows)))
        furthest = table.apart(rows["ours"].losses, rows["hf"].losses)
        self.kept["loss_curve_max_relative_difference"] = furthest
        self.kept["loss_curve"] = self._stamp() | {name: row.losses for name, row in rows.items()}
        print(
            f"Over 50 steps the losses of ours and of plain Hugging Face differ by {furthest:.1e} at most (relative)\n"
        )

    def _bleu80(self) -> None:
        steps = round(_EPOCHS * len(self._desk.lessons(trimmed=False)) / BATCH)
        course = replace(self._course("lora", steps, rates=cosine(steps, RATE["lora"])), save_every=_SAVE_EVERY)
        quickest = self.kept.get("lora", {}).get("trl_setting") or "fp32"
        names = ("ours", "trl" if quickest == "fp32" else "trl_bf16")
        folder = WORK / "bleu80"
        found = seconds_to_mark(self._desk, course, names, folder, self._peers, lambda s: print(s, flush=True), _EXAM)
        self.kept["seconds_to_bleu80"] = found | self._stamp()

    def _stamp(self) -> dict[str, Any]:
        return {"measured": datetime.datetime.now(datetime.UTC).date().isoformat(), "quick": self.quick}

    def summary(self) -> str:
        """The ratios together, each with what it comes from."""
        lines = [
            "| ours is faster than | TRL | Hugging Face | the same tuned by hand | measured |",
            "|---|--:|--:|--:|---|",
        ]
        for part in PARTS[:4]:
            if found := self.kept.get(part):
                cells = [_times(found[key]) for key in ("vs_trl", "vs_hf", "vs_hf_tuned")]
                kind = "quick" if found["quick"] else "full"
                lines.append(f"| {part} | {' | '.join(cells)} | {found['measured']}, {kind} run |")
        for part, found in self.kept.get("bf16", {}).items():
            cells = [_times(found[key]) for key in ("vs_trl_bf16", "vs_hf", "vs_hf_tuned")]
            lines.append(f"| {part}, all in bf16 | {' | '.join(cells)} | {found['measured']} |")
        lines.append("")
        if gain := self.kept.get("trimmed", {}).get("gain_of_trimming"):
            lines.append(f"Ours on the trimmed vocabulary is {gain:.2f} times as fast as on the whole one")
        reached = self.kept.get("seconds_to_bleu80")
        if reached is None:
            lines.append("Seconds to BLEU 80: not measured yet (only the full run does)")
        else:
            own, peer = (reached[name] or "not reached" for name in ("ours", "trl"))
            within = f"{reached['planned_steps']} steps planned, full run of {reached['measured']}"
            lines.append(f"Seconds to BLEU 80: ours {own}, TRL {peer} ({within})")
        if "loss_curve" in self.kept:
            furthest, when = self.kept["loss_curve_max_relative_difference"], self.kept["loss_curve"]["measured"]
            lines.append(f"Losses of 50 steps, ours and plain Hugging Face: {furthest:.1e} apart at most ({when})")
        return "\n".join(lines)


_TITLES = {
    "lora": "LoRA, batch {batch}, whole vocabulary, {steps} steps counted",
    "full": "All weights, batch {batch}, whole vocabulary, {steps} steps counted",
    "trimmed": "LoRA, batch {batch}, vocabulary trimmed for everyone, {steps} steps counted",
    "lora_batch_4": "LoRA, batch {batch}, whole vocabulary, {steps} steps counted",
}


def _times(ratio: float | None) -> str:
    return "not measured" if ratio is None else f"{ratio:.2f} times"


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, required=True, help="the Python that has TRL")
    parser.add_argument("--quick", action="store_true", help="fewer steps, within ten minutes")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=None, help="only these")
    options = parser.parse_args()
    os.chdir(HERE.parent)
    try:
        bench = Bench(options.peers.absolute(), options.quick)
        bench.begin()
        for part in options.parts or (QUICK_PARTS if options.quick else PARTS):
            bench.run(part)
    except (Failed, TensakuError) as error:
        print(f"bench-tune: {error}", file=sys.stderr)
        return 1
    print(bench.summary())
    print(f"\nAll figures: {RESULT.relative_to(Path.cwd())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
