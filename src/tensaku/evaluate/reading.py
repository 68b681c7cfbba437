"""The judge that writes nothing: a model reads two outputs, and the one that it holds likelier is the better one.

Likelihoods are natural logarithms for each character of the output, so that a shorter output is not the better one for
being short. Nothing is asked, so no answer is unusable, and neither output comes first. What such a judge prefers is
what it would rather write itself, which need not be right: a model holds what stands in its question likely, and so
the untouched draft.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from tensaku.evaluate.votes import Vote, Winner
from tensaku.records import Pair
from tensaku.revise import messages
from tensaku.store import Bench, Journal

__all__ = ["Reading", "likelier", "read_outputs"]

_TURNED: Mapping[Winner, Winner] = {"left": "right", "right": "left", "tie": "tie"}


class Reading(NamedTuple):
    """How likely an output is, natural logarithm for each of its characters; None if it was too long to be read."""

    item: str
    name: str
    likelihood: float | None


def read_outputs(
    bench: Bench, folder: Path, task: str, pairs: Mapping[int, Pair], texts: Mapping[str, Sequence[str]]
) -> list[Reading]:
    """Have every output of `pairs` read; a killed run goes on after the last one.

    Args:
        folder: the model that reads.
        task: what the model is told at work.
        pairs: number in the exam -> pair.
        texts: candidate -> its outputs, by number in the exam.

    Raises:
        UsageError: it is no model that can be read with.
    """
    from tensaku.models.likelihood import Reader

    journal = Journal(bench.aside / "read.jsonl")
    found = {(held["item"], held["name"]): Reading(**held) for held in journal.read()}
    wanted = [(number, name) for number in pairs for name in texts]
    left = [(number, name) for number, name in wanted if (pairs[number].id, name) not in found]
    reader = Reader(folder) if left else None
    with bench.progress("read every output", len(wanted)) as bar:
        bar.advance(len(wanted) - len(left), "")
        for number, name in left:
            assert reader is not None
            pair, text = pairs[number], texts[name][number]
            asked = messages(task, pair.draft, fund=pair.fund, section=pair.section, as_of=pair.as_of)
            known = reader.likelihood(asked, text)
            reading = Reading(pair.id, name, None if known is None else known.nats / max(1, len(text)))
            journal.append(reading._asdict())
            found[pair.id, name] = reading
            bar.advance(1, "")
    return [found[pairs[number].id, name] for number, name in wanted]


def likelier(
    readings: Sequence[Reading], texts: Mapping[str, Mapping[str, str]], by: str
) -> tuple[list[Vote], Counter[str]]:
    """For every two outputs of an item that differ a vote for the likelier one, and why others could not be cast.

    Each vote is given in both orders, for the order has no part in it.

    Args:
        texts: item -> candidate -> its output.
    """
    items: dict[str, dict[str, float | None]] = {}
    for reading in readings:
        items.setdefault(reading.item, {})[reading.name] = reading.likelihood
    votes: list[Vote] = []
    unusable = Counter[str]()
    for item, held in items.items():
        for one, two in combinations(held, 2):
            if texts[item][one] == texts[item][two]:
                continue
            a, b = held[one], held[two]
            if a is None or b is None:
                unusable["output longer than the context"] += 2
                continue
            winner: Winner = "tie" if a == b else "left" if a > b else "right"
            votes += [Vote(one, two, winner, item, by), Vote(two, one, _TURNED[winner], item, by)]
    return votes, unusable
