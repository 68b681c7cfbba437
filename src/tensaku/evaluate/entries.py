"""Candidates and their stored outputs."""

from __future__ import annotations

from collections.abc import Sequence

from tensaku import text
from tensaku.config import Section
from tensaku.errors import UsageError
from tensaku.evaluate.answering import COSTS
from tensaku.evaluate.costs import Costs, Price, costs_of
from tensaku.evaluate.decoding import Answer
from tensaku.evaluate.inputs import jsonl
from tensaku.evaluate.results import Row
from tensaku.records import Pair, Usage
from tensaku.store import Artifact

__all__ = ["Entry", "entry_costs", "read_row"]


class Entry(Section):
    """One candidate: where its outputs are, and why there are none if it failed."""

    name: str
    """What the candidate is called."""
    row: str = ""
    """The row of its artifact that holds its outputs."""
    about: str = ""
    """What it is: base model and method, adapter, or address."""
    consent: str = ""
    """Who allowed that drafts left this machine."""
    failed: str = ""
    """Why there is no result."""
    yen_per_hour: float = 0.0
    """What an hour of this machine costs, in yen; paid where the model ran on it."""
    yen_read: float = 0.0
    """Price of a million tokens read."""
    yen_written: float = 0.0
    """Price of a million tokens written."""


def read_row(artifact: Artifact, entry: Entry, pairs: Sequence[Pair], names: text.Names) -> Row:
    """The stored outputs of one candidate, the facts guard's verdict worked out anew.

    Raises:
        UsageError: they are of another exam, or some are missing.
    """
    held = list(jsonl(artifact.file("outputs.jsonl")))
    given = [(line["id"], line["draft"], line["reference"]) for line in held]
    if given != [(pair.id, pair.draft, pair.final) for pair in pairs]:
        same = len({line[0] for line in given} & {pair.id for pair in pairs})
        what = f"the outputs of {entry.name!r} are of another exam: {same} of its {len(pairs)} pairs are the same"
        raise UsageError(what, where=artifact.path, fix="Let the candidate answer this exam: tensaku run evaluate")
    answers = {}
    for number, (line, pair) in enumerate(zip(held, pairs, strict=True)):
        made = line["rows"].get(entry.row)
        if made is None:
            what = f"{entry.name!r} has no answer to pair {pair.id}: a candidate must answer the whole exam"
            raise UsageError(what, where=artifact.path, fix="Set evaluate.base_sample = 0")
        verdict = text.compare(pair.draft, made["text"], names, as_of=pair.as_of)
        answers[number] = Answer(
            entry.name, number, made["text"], made["finish"], made.get("tokens", 0), made.get("seconds", 0.0),
            verdict, made["provenance"], made.get("read", 0),
        )  # fmt: skip
    return Row(entry.name, answers)


def entry_costs(artifact: Artifact, entry: Entry, row: Row) -> Costs:
    """What a comment of this candidate cost, by its prices of today and by what was measured when it answered."""
    if COSTS not in artifact.files:  # an evaluation, which has worked them out
        return Costs(**artifact.facts.get("costs", {}).get(entry.row, {}))
    here = artifact.facts.get("place") != "elsewhere"
    made = row.answers.values()
    return costs_of(
        list(jsonl(artifact.file(COSTS))),
        [answer.seconds for answer in made],
        [Usage(answer.read, answer.tokens) for answer in made],
        Price(entry.yen_per_hour if here else 0.0, entry.yen_read, entry.yen_written),
    )
