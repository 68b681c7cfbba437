"""The parts of the comparison that concern our own engine alone; each in a process of its own, with a table at its end.

- facts: facts-safe decoding off and on, and whether drafted and plain are the same token by token (facts.py)
- eviction: what the prefix cache finds, and the first token, as its memory shrinks (eviction.py)
- formats: int8 and fp32, trimmed and whole: BLEU, facts, tokens a second, memory (formats.py)
- profiles: what answers at once and chunks of prompts do to speed and to the first token (profiles.py)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.serve.desk import Desk, run

__all__ = ["PARTS", "measure"]

PARTS = ("facts", "eviction", "formats", "profiles")
_SECONDS = 1800.0
_LOST = ("facts_changed", "invented", "missing", "sentences_lost", "sentences_without_facts")
_FACTS = (*_LOST, "bleu", "tokens_per_second")


def measure(part: str, desk: Desk, count: int) -> dict[str, Any] | None:
    """Run a part over `count` drafts of the exam and print its table; None where it could not be run."""
    order = desk.order("trimmed", count)
    order |= {"shifts": len(order["adapters"]) if count > 16 else 1}
    if part == "eviction":
        order["examples"] = desk.examples(240)
    if part == "formats":
        return _formats(desk, count)
    found = run(part, sys.executable, f"{part}.py", order, _SECONDS)
    if found is not None:
        print(_TABLES[part](found), flush=True)
    return found


def _formats(desk: Desk, count: int) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for which in desk.models:
        for precision in ("int8", "fp32"):
            order = desk.order(which, count) | {"precision": precision}
            row = run(f"formats-{which}-{precision}", sys.executable, "formats.py", order, _SECONDS)
            if row is not None:
                found[f"{which} {precision}"] = row
    print(_formats_table(found), flush=True)
    return found or None


def _facts_table(found: Mapping[str, Any]) -> str:
    lines = ["| of outputs | off | on |", "|---|--:|--:|"]
    lines += [f"| {name.replace('_', ' ')} | {found['off'][name]:g} | {found['on'][name]:g} |" for name in _FACTS]
    same = found["identical"]
    lines.append(
        f"Cost: {found['slower']:.1%} of speed, {found['bleu_lost']:g} BLEU. Plain and drafted, token by token: "
        f"{same['differing']} of {same['alone'] + same['in_company']} answers differ ({same['adapters']} adapters)."
    )
    return "\n".join(lines)


def _eviction_table(found: Mapping[str, Any]) -> str:
    lines = ["| MB | of all prefixes | tokens found | first token, median | p95 |", "|--:|--:|--:|--:|--:|"]
    for row in found["rows"]:
        share, hits = f"{row['share']:.0%}", f"{row['hit_rate']:.1%}"
        lines.append(f"| {row['mb']:g} | {share} | {hits} | {row['first']:.3f} s | {row['first_p95']:.3f} s |")
    return "\n".join(lines)


def _formats_table(found: Mapping[str, Any]) -> str:
    lines = ["| weights | BLEU | facts kept | plain | drafted | eight drafted | MB |", "|---|--:|--:|--:|--:|--:|--:|"]
    for name, row in found.items():
        speeds = " | ".join(f"{row[level]['tokens_per_second']:g}" for level in ("plain 1", "drafted 1", "drafted 8"))
        lines.append(f"| {name} | {row['bleu']:.2f} | {row['facts_kept']:.1%} | {speeds} | {row['memory_mb']} |")
    return "\n".join(lines)


def _profiles_table(found: Mapping[str, Any]) -> str:
    lines = ["| at once | chunk | tokens/s, all | an answer's | first token, median | longest halt |"]
    lines.append("|--:|--:|--:|--:|--:|--:|")
    for row in found["rows"]:
        figures = f"{row['tokens_per_second']:g} | {row['each']:g} | {row['first']:.3f} s | {row['halt']:.3f} s"
        lines.append(f"| {row['at_once']} | {row['chunk']} | {figures} |")
    return "\n".join(lines)


_TABLES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "facts": _facts_table,
    "eviction": _eviction_table,
    "profiles": _profiles_table,
}
