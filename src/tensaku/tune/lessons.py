"""From lessons on disk to tokens: what fits, what is set aside and why, and the slice held out for validation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tensaku.errors import UsageError
from tensaku.records import Drop, Pair, from_dict, to_dict
from tensaku.revise import messages
from tensaku.store import Artifact
from tensaku.tune.memorised import Repeats, repeats

if TYPE_CHECKING:
    from tensaku.models.tokenizer import Tokenizer
    from tensaku.tune.pack import Example

__all__ = ["Taught", "hold_out", "read_pairs", "taught", "to_example"]

DROPS = "drops.jsonl"


@dataclass(frozen=True, slots=True)
class Taught:
    """Lessons as tokens: those to learn from, those held out, and those set aside."""

    learn: list[Example]
    validation: list[Example]
    dropped: list[Drop]
    repeats: Repeats

    def write_drops(self, folder: Path) -> None:
        """Keep what was set aside, a JSON line each."""
        lines = (json.dumps(asdict(drop), ensure_ascii=False) + "\n" for drop in self.dropped)
        (folder / DROPS).write_text("".join(lines), encoding="utf-8")


def read_pairs(lessons: Artifact) -> list[Pair]:
    """The pairs of a `lessons` artifact, in order."""
    with lessons.file("lessons.jsonl").open(encoding="utf-8") as file:  # str.splitlines would cut at U+2028
        return [from_dict(Pair, json.loads(line)) for line in file]


def hold_out(pairs: Sequence[Pair], share: float) -> tuple[list[Pair], list[Pair]]:
    """Split off about `share` of the pairs, the newest, families whole; (to learn, held out), order kept.

    As the exam is: what is held out is newer than what is learnt. At least one pair stays to learn.
    """
    wanted = round(share * len(pairs))
    sizes = Counter(pair.family for pair in pairs)
    newest: dict[str, str] = {}
    for pair in pairs:
        newest[pair.family] = max(pair.as_of, newest.get(pair.family, ""))
    held: set[str] = set()
    count = 0
    for family in sorted(sizes, key=lambda name: (newest[name], name), reverse=True):
        if count >= wanted:
            break
        if count + sizes[family] < len(pairs):
            held.add(family)
            count += sizes[family]
    return [p for p in pairs if p.family not in held], [p for p in pairs if p.family in held]


def to_example(tokenizer: Tokenizer, pair: Pair, instruction: str) -> Example:
    """One pair as tokens: the question as it is asked in serving, the final and the end of text."""
    from tensaku.tune.pack import Example

    asked = messages(instruction, pair.draft, fund=pair.fund, section=pair.section, as_of=pair.as_of)
    written = [*tokenizer.encode(tokenizer.plain(pair.final)), min(tokenizer.eos)]
    return Example(tokenizer.chat(asked), written, pair.weight)


def taught(tokenizer: Tokenizer, lessons: Artifact, instruction: str, *, context: int, validation: float) -> Taught:
    """The lessons as tokens; those longer than `context` are set aside (reason "too-long").

    Raises:
        UsageError: there is nothing to learn from: no lesson, one alone, or the same answer everywhere.
    """
    pairs = read_pairs(lessons)
    if not pairs:
        fix = "Look at what curate and lessons set aside (tensaku show), and give more pairs"
        raise UsageError("there are no lessons to learn from", where=lessons.ref, fix=fix)
    fitting, dropped = [], []
    examples: dict[str, Example] = {}
    for pair in pairs:
        example = to_example(tokenizer, pair, instruction)
        length = len(example.prompt) + len(example.completion)
        if length > context:
            detail = f"{length} tokens, the context holds {context}"
            dropped.append(Drop("too-long", pair.source or pair.id, detail, to_dict(pair)))
        else:
            fitting.append(pair)
            examples[pair.id] = example
    _check(fitting, lessons.ref, context)
    learn, held = hold_out(fitting, validation)
    again = repeats(pair.final for pair in fitting)
    return Taught([examples[p.id] for p in learn], [examples[p.id] for p in held], dropped, again)


def _check(fitting: Sequence[Pair], where: str, context: int) -> None:
    if not fitting:
        what = f"every lesson is longer than {context} tokens"
        raise UsageError(what, where=where, fix="Give shorter pairs, or raise tune.context")
    if len(fitting) == 1:
        fix = "Give at least two; some hundreds are needed to learn a house's style"
        raise UsageError("there is only one lesson, which a model would merely repeat", where=where, fix=fix)
    if len({pair.final for pair in fitting}) == 1:
        what = f"all {len(fitting)} lessons have the same answer"
        raise UsageError(what, where=where, fix="Look at the column that was read as the final: sources.use, columns")
