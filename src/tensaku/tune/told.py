"""What every training leaves to be read: the machine's use over time, a word of warning, a report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from tensaku.config import Section
from tensaku.store import Bench
from tensaku.tune.group import current
from tensaku.tune.loop import Outcome
from tensaku.tune.memorised import Repeats, verdict
from tensaku.tune.report import write_report
from tensaku.tune.watch import FILE, Watch, usage_facts

__all__ = ["finish", "watched"]


@contextmanager
def watched(bench: Bench) -> Iterator[Callable[[Callable[[float, str], object]], Callable[[float, str], object]]]:
    """Watch the machine while the body works. Yields what makes a progress's `advance` tell the watch each step.

    Of processes that share the work, all on this machine are counted: one process has started them.
    """
    with Watch(bench.path / FILE, root=os.getppid() if current().size > 1 else None) as watch:

        def counting(advance: Callable[[float, str], object]) -> Callable[[float, str], object]:
            def step(n: float, note: str) -> None:
                watch.step = (watch.step or 0) + int(n)
                advance(n, note)

            return step

        yield counting
    if watch.fault:
        bench.say(watch.fault)
    bench.facts.update(usage_facts(bench.path / FILE))


def finish(bench: Bench, cfg: Section, outcome: Outcome | None, repeats: Repeats | None) -> None:
    """Warn of lessons that were memorised, and write the report; the last thing a training does."""
    if outcome is not None:
        rows = [{k: v for k, v in asdict(step).items() if v is not None} for step in outcome.log]
        found = verdict(rows, repeats, outcome.kept_step)
        if found:
            bench.say(found.english)
            bench.facts["memorised"] = {"ja": found.japanese, "en": found.english}
    write_report(bench.path, bench.facts, cfg.model_dump(mode="json"))
