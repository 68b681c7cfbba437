"""What people and a judge think of the candidates: their votes as strengths, and how far they agree."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensaku.errors import UsageError
from tensaku.evaluate.agreement import Key, agreement, by_voter
from tensaku.evaluate.bradley_terry import TIE_RULE, Ranking, rank
from tensaku.evaluate.judge import side_bias
from tensaku.evaluate.votes import Vote
from tensaku.store import Artifact

__all__ = [
    "MAJORITY",
    "judge_votes",
    "majority",
    "panel",
    "ranking_notes",
    "ranking_plain",
    "ranking_table",
    "votes_in",
]

MAJORITY = "people"
"""The voter that says what most people say."""
HEADS = ("rank", "candidate", "strength", "95 % interval", "win rate", "votes", "ahead of the next")


def votes_in(path: Path) -> list[Vote]:
    """Votes as this room writes them: one object a line."""
    with path.open(encoding="utf-8") as file:
        return [Vote(**json.loads(line)) for line in file]


def judge_votes(judged: Artifact) -> list[Vote]:
    """The votes of a sealed judge."""
    return votes_in(judged.file("votes.jsonl"))


def majority(votes: Sequence[Vote]) -> list[Vote]:
    """What most people say of each comparison; `tie` where no answer leads."""
    answers: dict[Key, list[str]] = {}
    for of in by_voter(votes).values():
        for key, answer in of.items():
            answers.setdefault(key, []).append(answer)
    found = []
    for key, held in answers.items():
        (answer, most), *rest = Counter(held).most_common()
        answer = "tie" if rest and rest[0][1] == most else answer
        item, one, two = key
        found.append(Vote(one, two, "tie" if answer == "tie" else "left" if answer == one else "right", item, MAJORITY))
    return found


def panel(people: Sequence[Vote], judged: Artifact | None, resamples: int, seed: int) -> dict[str, Any]:
    """Rankings and agreement as plain values; empty if nobody has voted.

    Returns:
        `people` and `judge`: `ranking` (see `ranking_plain`) or `why_not`, `bias`, `voters`; of the judge also what
        `judge.json` holds. `agreement`: among the people. `judge_people`: of the judge with what most people say.
    """
    found: dict[str, Any] = {}
    if people:
        found["people"] = {**_ranked(people, resamples, seed), "bias": side_bias(people)}
        found["people"]["voters"] = dict(sorted(Counter(vote.by for vote in people).items()))
        found["agreement"] = agreement(people).plain()
    if judged is not None:
        votes = judge_votes(judged)
        held = json.loads(judged.file("judge.json").read_text(encoding="utf-8"))
        found["judge"] = {**_ranked(votes, resamples, seed), "artifact": judged.ref, "sealed": held}
        found["judge"]["bias"] = held["bias"]
        if people:
            found["judge_people"] = agreement([*majority(people), *votes]).plain()
    return found


def _ranked(votes: Sequence[Vote], resamples: int, seed: int) -> dict[str, Any]:
    try:
        return {"ranking": ranking_plain(rank(votes, order=True, resamples=resamples, seed=seed))}
    except UsageError as error:  # too few votes so far are no reason to withhold everything else
        return {"ranking": None, "why_not": str(error)}


def ranking_plain(found: Ranking) -> dict[str, Any]:
    """A ranking as plain values."""
    return {
        "candidates": [one._asdict() for one in found.candidates],
        "tie": found.tie,
        "tie_rule": TIE_RULE,
        "left": found.left,
        "bounded": found.bounded,
        "intervals": found.intervals,
        "votes": found.votes,
        "ties": found.ties,
    }


def ranking_table(found: Mapping[str, Any]) -> list[list[str]]:
    """The first row names the columns; then every candidate, the strongest first. All cells are text."""
    rows = [list(HEADS)]
    for place, one in enumerate(found["candidates"], 1):
        ahead = "-" if one["ahead"] is None else f"{100 * one['ahead']:.1f} %"
        interval = f"{one['low']:+.2f} to {one['high']:+.2f}"
        rate = f"{100 * one['win_rate']:.2f} %"
        rows.append([str(place), one["name"], f"{one['strength']:+.3f}", interval, rate, f"{one['votes']:g}", ahead])
    return rows


def ranking_notes(found: Mapping[str, Any]) -> list[str]:
    """What has to be known of a ranking, a sentence each."""
    counted = f"{found['votes']:g} votes, {found['ties']:g} of them ties."
    rule = f"Ties: {found['tie_rule']}, factor {found['tie']:.3f}; in the win rate a tie is half a win."
    notes = [f"{counted} {rule} Intervals: {found['intervals']}."]
    if found["left"] is not None:
        value, low, high = found["left"]
        notes.append(f"Standing first or left is worth {value:+.2f} ({low:+.2f} to {high:+.2f}) of strength.")
    if found["bounded"]:
        notes.append("Somebody won or lost everything: half a win each way between every two was added.")
    return notes
