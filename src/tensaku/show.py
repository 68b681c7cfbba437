"""How results look on a terminal."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tensaku.engines.profiles import Hardware, Profile
from tensaku.ledger import RolloutRow
from tensaku.records import Revision
from tensaku.store import Artifact, Difference, Reporter, reporter_for
from tensaku.text import lost

__all__ = [
    "print_arrivals",
    "print_artifact",
    "print_artifacts",
    "print_board",
    "print_differences",
    "print_ladder",
    "print_profiles",
    "print_revision",
    "print_rollouts",
    "print_scores",
    "reporter",
]

_CLOSE: dict[str, Any] = {"box": box.SIMPLE_HEAD, "pad_edge": False, "collapse_padding": True}
"""A table of many columns: no lines between them."""
_HASH = re.compile("[0-9a-f]{64}")


def reporter() -> Reporter:
    """Bars on a terminal, plain lines elsewhere; on standard error, so that results can be piped."""
    return reporter_for()


def _console() -> Console:
    width = None if sys.stdout.isatty() else 160
    return Console(file=sys.stdout, highlight=False, width=width)


def print_scores(evaluation: Artifact, figures: Mapping[str, Any]) -> None:
    """The table of draft, base and tuned, and the figures of the whole road beneath it."""
    from tensaku.evaluate import table

    rows = table(evaluation)
    shown = Table(title=f"Exam: {evaluation.facts['exam_n']} drafts", title_justify="left", **_CLOSE)
    for number, name in enumerate(rows[0]):
        shown.add_column(name, justify="left" if number == 0 else "right", no_wrap=number == 0, overflow="fold")
    for row in rows[1:]:
        shown.add_row(*map(_stacked, row))
    console = _console()
    console.print(shown)
    for label, signature in evaluation.facts.get("signatures", {}).items():
        console.print(f"{label:<10}{signature}")
    facts = evaluation.facts
    if "bleu_tuned_fp32" in facts:
        console.print(f"int8 costs {facts['bleu_tuned_fp32'] - facts['bleu_tuned']:.2f} BLEU against weights in fp32")
    for name in ("tune_seconds", "total_seconds", "decode_tokens_per_second", "form_seen_share", "matrix_gflops"):
        if name in figures:
            console.print(f"{name:<26}{_cell(figures[name])}")


def _stacked(cell: str) -> str:
    """A figure with its interval beneath: many columns then fit side by side, and nothing is cut off."""
    return cell.replace(" (", "\n(")


def print_arrivals(rows: Sequence[Mapping[str, Any]]) -> None:
    """Where each report went: to its sections, with their lengths, or to the inbox, with every reason."""
    shown = Table(**_CLOSE)
    for name in ("No", "File", "", "Manager", "Fund", "Month", "Sections, or why not"):
        shown.add_column(name, overflow="fold")
    for row in rows:
        parts = [f"{section} {n:,}" for section, n in row["sections"].items()]
        said = "\n".join(filter(None, (", ".join(parts), *row["reasons"], row["note"])))
        cells = (str(row["id"]), row["name"], row["what"], row["manager"], row["fund"], row["as_of"], said)
        shown.add_row(*(Text(cell) for cell in cells))
    _console().print(shown)


def print_ladder(ladder: Artifact) -> None:
    """Every rung beside the untouched draft and the base models, and why those that failed did."""
    from tensaku.evaluate import ladder_table

    heads, *rows = ladder_table(ladder)
    title = f"Ladder: {ladder.facts['exam_n']} drafts, {ladder.facts['scorer'] or 'no rung was examined'}"
    shown = Table(title=title, title_justify="left")
    for number, name in enumerate(heads):
        shown.add_column(name, justify="left" if number < 2 else "right")
    for row in rows:
        shown.add_row(*map(Text, row))
    console = _console()
    console.print(shown)
    for rung in ladder.config["rungs"]:
        if rung["failed"]:
            console.print(Text(f"{rung['method']} on {rung['base']} failed: {rung['failed']}"))


def print_board(board: Artifact) -> None:
    """Every candidate beside the untouched draft and the rules, and why those that failed did."""
    from tensaku.evaluate import board_table

    heads, *rows = board_table(board)
    title = (
        f"Leaderboard: {board.facts['exam_n']} drafts, {board.facts['scorer']}; a shared letter: cannot be told apart"
    )
    shown = Table(title=title, title_justify="left", **_CLOSE)
    for number, name in enumerate(heads):
        shown.add_column(name, justify="left" if number < 3 else "right", no_wrap=number == 2, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(_stacked(cell)) for cell in row))
    console = _console()
    console.print(shown)
    for entry in board.config["entries"]:
        if entry["failed"]:
            console.print(Text(f"{entry['name']} failed: {entry['failed']}"))
    if board.facts["judge_failed"]:
        console.print(Text(f"The judge failed: {board.facts['judge_failed']}"))


def print_artifacts(artifacts: Sequence[Artifact]) -> None:
    """One line each: name, when, how long, what it found out."""
    if not artifacts:
        print("Nothing has been made here yet. Begin with: tensaku run")
        return
    shown = Table(box=None, pad_edge=False)
    for name in ("artifact", "made", "facts"):
        shown.add_column(name, no_wrap=name != "facts", overflow="fold")
    for artifact in artifacts:
        plain = {k: v for k, v in artifact.facts.items() if isinstance(v, int | float | str)}
        facts = ", ".join(f"{name} {_cell(value)}" for name, value in list(plain.items())[:5])
        shown.add_row(artifact.ref, artifact.manifest["ended"][:19].replace("T", " "), Text(facts))
    _console().print(shown)


def print_artifact(artifact: Artifact, lineage: Sequence[str], faults: Sequence[str]) -> None:
    """Everything about one artifact."""
    console = _console()
    console.print(Text.assemble((artifact.ref, "bold"), f"  {artifact.path}"))
    for title, content in (("settings", artifact.config), ("facts", artifact.facts), ("inputs", artifact.inputs)):
        console.print(f"\n[bold]{title}[/bold]")
        for name, value in content.items():
            console.print(Text(f"  {name:<26}{_short(value)}"))
    console.print("\n[bold]files[/bold]")
    for name in artifact.files:
        console.print(Text(f"  {name:<40}{artifact.manifest['files'][name]['bytes']:>14,} bytes"))
    console.print(f"\n[bold]made from[/bold]  {' < '.join(reversed(lineage))}")
    console.print(Text("\n" + ("every byte as it was sealed" if not faults else "\n".join(faults))))


def print_differences(found: Sequence[Difference]) -> None:
    """What differs, a table for each part: settings first, then figures with their change, inputs, files."""
    if not found:
        print("No difference.")
        return
    console = _console()
    parts = {"config": "settings", "facts": "what came of it", "inputs": "made from", "files": "files"}
    for part, rows in itertools.groupby(found, lambda difference: difference.where.partition(".")[0]):
        shown = Table(title=parts.get(part, part), title_justify="left", title_style="bold", box=None, pad_edge=False)
        shown.add_column(overflow="fold", min_width=28)
        for name in ("old", "new", "change"):
            shown.add_column(name, justify="right", overflow="fold", max_width=48)
        for row in rows:
            name = row.where.partition(".")[2] or row.where
            shown.add_row(Text(name), Text(_side(row.old)), Text(_side(row.new)), _change(row))
        console.print(shown)
        console.print()


def print_revision(revision: Revision) -> None:
    """The comment, and on standard error what the guard found and who wrote it."""
    print(revision.text)
    for broken in revision.verdict.breaks:
        word = "lost from the draft" if broken.what == "missing" else "not in the draft"
        print(f"! {broken.fact.kind} {broken.fact.text!r}: {word}", file=sys.stderr)
    for sentence in lost(revision.draft, revision.verdict):
        print(f"! none of its facts appears: {sentence.text.strip()}", file=sys.stderr)
    if revision.finish == "length":
        print("! the comment was cut off at the longest length allowed", file=sys.stderr)
    made_by = revision.provenance
    print(f"({made_by.get('release')}, trial: {made_by.get('trial')})", file=sys.stderr)


def print_profiles(
    profiles: Sequence[Profile],
    chosen: str,
    hardware: Hardware,
    stream_mb: float,
    asked: int | None,
    as_json: bool,
) -> None:
    """The profiles of serving on this machine; `asked`: what the task file sets instead of a profile's `at_once`."""
    rows = [dataclasses.asdict(one) | {"memory_mb": round(one.at_once * stream_mb) or None} for one in profiles]
    if as_json:
        told = {"hardware": hardware._asdict(), "chosen": chosen, "at_once": asked, "profiles": rows}
        print(json.dumps(told, ensure_ascii=False))
        return
    free = "" if hardware.free_mb is None else f", {hardware.free_mb / 1024:.1f} GB free"
    print(f"{hardware.name}: {hardware.cores} cores{free}, {hardware.gpus or 'no'} GPU{'s' * (hardware.gpus > 1)}")
    table = Table(**_CLOSE)
    for head in ("", "profile", "answers at once", "prompt rows a step", "keys and values", "bound by"):
        table.add_column(head)
    for one, row in zip(profiles, rows, strict=True):
        memory = f"{row['memory_mb']} MB" if row["memory_mb"] else "no release yet"
        table.add_row(">" * (one.name == chosen), one.name, str(one.at_once), str(one.chunk), memory, one.why)
    Console().print(table)
    if asked is not None:
        print(f"[serve] at_once = {asked} stands in the task file and goes before the profile's.")
    if hardware.gpus:
        print('Our own engine leaves the GPU alone: put vLLM behind it with serve.engine = { engine = "openai", ... }')
    print('Change it with [serve] profile = "latency" or "throughput"; docs/serve.md says what was measured.')


def print_rollouts(rollouts: Sequence[RolloutRow], as_json: bool) -> None:
    """One line each: when, which release answers, what is tried beside it, and on whose word."""
    if as_json:
        rows = [{**dataclasses.asdict(row), "at": row.at.isoformat()} for row in rollouts]
        print(json.dumps(rows, ensure_ascii=False))
        return
    if not rollouts:
        print("No release has answered yet. Approve one with: tensaku approve RELEASE --by NAME")
    for row in rollouts:
        tried = f", {row.challenger} on {row.share:.0%} of the questions" if row.challenger and row.share else ""
        note = f" ({row.note})" if row.note else ""
        print(f"{row.at:%Y-%m-%d %H:%M:%S} UTC  {row.champion}{tried}: {row.event} by {row.by}{note}")


def _cell(value: Any) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _side(value: Any) -> str:
    if value is None:
        return "(not there)"
    if isinstance(value, str) and _HASH.fullmatch(value):
        return value[:12]
    return f"{value:.6g}" if isinstance(value, float) else _short(value)


def _change(difference: Difference) -> str:
    """By how much a number changed, and in percent of what it was."""
    if difference.change is None:
        return ""
    share = f" ({100 * difference.change / abs(difference.old):+.1f} %)" if difference.old else ""
    whole = float(difference.change).is_integer()
    return f"{difference.change:{'+.0f' if whole else '+.4g'}}{share}"


def _short(value: Any) -> str:
    text = _cell(value)
    return text if len(text) <= 160 else text[:157] + "..."
