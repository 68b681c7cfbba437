"""What can be known to go wrong with an evaluation before a model is tuned for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensaku.engines.resolve import context_of
from tensaku.errors import UsageError
from tensaku.evaluate.scoring import label_of
from tensaku.models.tokenizer import Tokenizer
from tensaku.plugins import Part, scorers
from tensaku.records import Pair, from_dict
from tensaku.revise import check_draft, messages
from tensaku.store import Artifact

__all__ = ["check_choices", "check_drafts", "check_room", "check_scorers"]

_SHOWN = 3


def check_scorers(uses: Sequence[Mapping[str, Any]], language: str = "") -> dict[str, Part[Any]]:
    """The scorers that are named, each under its label.

    Args:
        language: that of the texts (ja or en), if it is known already.

    Raises:
        NotFound, UsageError: one is unknown or wrongly set, none is named, one is named twice, or one cannot cut texts
            of that language into words.
    """
    if not uses:
        raise UsageError("there is no scorer", where="[evaluate] scorers", fix='Name one: [{ scorer = "bleu" }]')
    found: dict[str, Part[Any]] = {}
    for part in (scorers.build(use) for use in uses):
        label = label_of(part)
        if label in found:
            raise UsageError(f"the scorer {label} is named twice", where="[evaluate] scorers", fix="Take one away")
        found[label] = part
        if language and hasattr(scorer := part(), "check"):
            scorer.check(language)
    return found


def check_drafts(pairs: Sequence[Pair]) -> None:
    """Refuse an exam with a draft that no model can revise.

    Raises:
        UsageError: a draft is empty or too long; names the pair.
    """
    for pair in pairs:
        try:
            check_draft(pair.draft)
        except UsageError as error:
            fix = "Leave the steps `empty` and `long` in [curate] steps"
            raise UsageError(error.what, where=f"exam, pair {pair.id}", fix=fix) from None


def check_choices(choices: Sequence[str], pairs: Sequence[Pair]) -> None:
    """Refuse finals that are none of the `choices`, which a model could not give; without choices, none is refused.

    Raises:
        UsageError: names the pairs.
    """
    wrong = [f"{pair.final[:40]!r} ({pair.id})" for pair in pairs if choices and pair.final not in choices]
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        what = f"{len(wrong)} of {len(pairs)} finals are none of the choices: {', '.join(wrong[:_SHOWN])}{more}"
        raise UsageError(what, where="[task] choices", fix="Name every answer there is, or correct these finals")


def check_room(exam: Artifact, instruction: str, specs: Sequence[Mapping[str, Any]], base: Path) -> None:
    """Refuse an exam with a draft that leaves no room for an answer in the context of an engine that is to answer it.

    Args:
        exam: what the stage `exam` left.
        instruction: what the model is told before each draft.
        specs: the engines, each as in the task file; one whose context is its own secret is let through.
        base: the folder of the base model.

    Raises:
        UsageError: a draft is empty or too long; names the pairs.
    """
    with exam.file("exam.jsonl").open(encoding="utf-8") as file:
        pairs = [from_dict(Pair, json.loads(line)) for line in file]
    check_drafts(pairs)
    contexts = [context for spec in specs if (context := context_of(spec, base)) is not None]
    if not contexts:
        return
    tokenizer, context = Tokenizer.load(base), min(contexts)
    long = []
    for pair in pairs:
        asked = messages(instruction, pair.draft, fund=pair.fund, section=pair.section, as_of=pair.as_of)
        taken = len(tokenizer.chat(asked))
        if taken >= context:
            long.append(f"{pair.id} ({taken:,} tokens)")
    if long:
        more = f" and {len(long) - _SHOWN} more" if len(long) > _SHOWN else ""
        what = (
            f"{len(long)} of {len(pairs)} drafts are too long for the engine, whose context holds {context:,} tokens "
            f"with instruction and answer: {', '.join(long[:_SHOWN])}{more}"
        )
        fix = "Raise context in evaluate.engine, or set long texts aside with the step `long` in [curate] steps"
        raise UsageError(what, where="exam", fix=fix)
