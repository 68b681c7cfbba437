"""Candidates and their stored outputs."""

from __future__ import annotations

from collections.abc import Sequence

from tensaku import text
from tensaku.config import Section
from tensaku.errors import UsageError
from tensaku.evaluate.decoding import Answer
from tensaku.evaluate.inputs import jsonl
from tensaku.evaluate.results import Row
from tensaku.records import Pair
from tensaku.store import Artifact

__all__ = ["Entry", "read_row"]


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
