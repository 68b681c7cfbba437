"""The command `rank`: candidates by strength, from a table of votes or from this workspace's people and judge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from tensaku.errors import UsageError
from tensaku.options import seen_store

if TYPE_CHECKING:
    from tensaku.evaluate.votes import Columns

__all__ = ["rank_file", "rank_workspace"]


def rank_file(file: Path, columns: Columns, *, reference: str, order: bool, resamples: int, as_json: bool) -> None:
    """Rank by the votes of a table, and print it; lines that are no votes are counted beneath."""
    from tensaku.evaluate.bradley_terry import rank
    from tensaku.evaluate.panel import ranking_plain
    from tensaku.evaluate.votes import read_votes

    ballots = read_votes(file, columns)
    found = ranking_plain(rank(ballots.votes, reference=reference, order=order, resamples=resamples))
    if as_json:
        print(json.dumps({**found, "dropped": dict(ballots.dropped), "aside": ballots.aside}, ensure_ascii=False))
        return
    _print_ranking(found, f"Votes of {file.name}")
    for reason, n in ballots.dropped.items():
        lines = ", ".join(str(line) for line, why, _ in ballots.aside if why == reason)
        print(f"Not counted: {n} ({reason}), line {lines if len(lines) <= 60 else lines[:60] + '...'}")


def rank_workspace(folder: Path, *, resamples: int, as_json: bool) -> None:
    """Rank by the votes of this workspace: people's blind readings, and the newest judge's.

    Raises:
        UsageError: nothing was evaluated yet, or nobody has voted on what the candidates give now.
    """
    from tensaku.comparing import panel_of
    from tensaku.pipeline import Workspace

    workspace = Workspace.open(folder)
    found = panel_of(seen_store(workspace), workspace, resamples)
    if "people" not in found and "judge" not in found:
        if found:
            what = f"all {found['others']} votes were cast on outputs that no candidate gives any more"
            raise UsageError(what, where=folder, fix="Lay the new outputs out: tensaku read")
        fix = "Lay outputs out with `tensaku read`, or name a judge in [judge]; or give a FILE of votes"
        raise UsageError("nobody has voted in this workspace yet", where=folder, fix=fix)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    for who in ("people", "judge"):
        held = found.get(who)
        if held is not None and held["ranking"] is None:
            print(f"{who}: no ranking yet. {held['why_not']}")
        elif held is not None:
            _print_ranking(held["ranking"], f"Votes of the {who}")
    for line in _told(found):
        print(line)
    if found["others"]:
        print(f"Left out: {found['others']} votes on outputs that no candidate gives any more")


def _told(found: Mapping[str, Any]) -> list[str]:
    """Agreement and bias, a line each."""
    lines = []
    for key, who in (("agreement", "People among themselves"), ("judge_people", "Judge and most people")):
        if key in found:
            held = found[key]
            lines.append(
                f"{who}: {held['comparisons']} comparisons in common, the same answer {_percent(held['same'])}, "
                f"Krippendorff's alpha {_figure(held['alpha'])}"
            )
            lines += [f"  Cohen's kappa {one}, {two}: {_figure(k)} on {n}" for one, two, n, k in held["kappas"]]
    for who in ("people", "judge"):
        if who in found:
            left, ties = found[who]["bias"]["left"], found[who]["bias"]["ties"]
            wins = f"the left one wins {_percent(left['share'])} of {left['n']} votes without ties"
            lines.append(f"Side, {who}: {wins}; ties {_percent(ties['share'])}")
    if "judge" in found:
        bias, sealed = found["judge"]["bias"], found["judge"]["sealed"]
        lines.append(
            f"Judge: the same in both orders {_percent(bias['consistent']['share'])} of {bias['consistent']['n']}; "
            f"the side alone decided {_percent(bias['by_side']['share'])}; answers without a plain verdict: "
            f"{sum(sealed['unusable'].values())} of {sealed['verdicts'] + sum(sealed['unusable'].values())}"
        )
    return lines


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _print_ranking(found: Mapping[str, Any], title: str) -> None:
    from tensaku.evaluate.panel import ranking_notes, ranking_table

    heads, *rows = ranking_table(found)
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, name in enumerate(heads):
        shown.add_column(name, justify="left" if number == 1 else "right", overflow="fold")
    for row in rows:
        shown.add_row(*row)
    Console(highlight=False, width=None if Console().is_terminal else 140).print(shown)
    for note in ranking_notes(found):
        print(note)
