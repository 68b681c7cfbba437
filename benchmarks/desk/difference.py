"""How long the page waits for the difference while somebody types: `python -m benchmarks.desk.difference`.

A comment of 1,000 characters is typed into, one character at a time and all over the text. What is timed is everything
that the server does for one keystroke: difference, facts, list of changes with places, house style, and the HTML and
JSON that are sent. Prints one line of JSON with the milliseconds, waited and of the processor's own time; at
most 100 are wanted.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from importlib import resources
from typing import Any

from tensaku.desk.changelist import told
from tensaku.desk.comparison import House, hold
from tensaku.desk.views import Views
from tensaku.text import names_from, required_from, style_from

__all__ = ["measure"]

CHARACTERS = 1_000
KEYS = 200


def texts() -> tuple[str, str]:
    """A draft and a revision of about a thousand characters, out of the sample desk's pairs."""
    lines = (resources.files("tensaku.sampledesk") / "pairs.jsonl").read_text(encoding="utf-8").split("\n")
    draft = revision = ""
    for line in filter(None, lines):
        pair = json.loads(line)
        draft, revision = draft + pair["draft"], revision + pair["final"]
        if len(revision) >= CHARACTERS:
            break
    return draft, revision[:CHARACTERS]


def measure() -> dict[str, Any]:
    """Milliseconds a keystroke."""
    sample = resources.files("tensaku.sampledesk")
    style = (sample / "style.toml").read_text(encoding="utf-8")
    names = names_from((sample / "names.toml").read_text(encoding="utf-8"))
    house = House(names, style_from(style, "style.toml"), required_from(style, "style.toml"))
    draft, revision = texts()
    views, chance, text = Views("ja"), random.Random(5), revision
    hold(draft, text, house, revision=revision)  # loads the dictionary
    taken: list[float] = []
    worked: list[float] = []
    for _ in range(KEYS):
        at = chance.randrange(len(text))
        text = text[:at] + chance.choice("市場上昇のがを、。12") + text[at + 1 :]
        started, cpu = time.perf_counter(), time.process_time()
        found = hold(draft, text, house, as_of="2026-10", revision=revision)
        sent = [found.draft_html, found.difference_html, views.style(found, rules=True)]
        sent += [views.change(row, None, {}) for row in found.listed]
        sent += [views.facts(found.broken, text=text, writing=False, lacking=found.lacking)]
        json.dumps([sent, told(found.listed, text, {}), found.marks, found.style_marks], ensure_ascii=False)
        taken.append(1000 * (time.perf_counter() - started))
        worked.append(1000 * (time.process_time() - cpu))
    taken.sort()
    return {
        "draft": len(draft),
        "comment": len(text),
        "changes": len(found.listed),
        "keys": KEYS,
        "median_ms": round(statistics.median(taken), 1),
        "p95_ms": round(taken[int(0.95 * KEYS)], 1),
        "worst_ms": round(taken[-1], 1),
        "processor_median_ms": round(statistics.median(worked), 1),
        "processor_p95_ms": round(sorted(worked)[int(0.95 * KEYS)], 1),
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
