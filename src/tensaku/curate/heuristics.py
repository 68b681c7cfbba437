"""Filters by heuristics that were published for web text, each under the name of where it comes from.

gopher-*: Rae and others, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher" (2021), the
appendix on MassiveText; limits of repetition are those of its table A1. c4-*: Raffel and others, "Exploring the Limits
of Transfer Learning with a Unified Text-to-Text Transformer" (2020), section 2.2, where c4-javascript takes out a line
and not the page. fineweb-*: Penedo and others, "The FineWeb Datasets" (2024), the filters of their own. Words are
Sudachi's where a text has kana or kanji. None is on by default: they were made for pages, not for comments.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

import pydantic

from tensaku.curate.steps import Step, drop, one_by_one
from tensaku.errors import UsageError, nearest
from tensaku.plugins import steps
from tensaku.records import Pair

__all__ = ["RULES", "faults", "heuristics", "length", "ratio"]

Test = Callable[[str], bool]
_EAST = re.compile("[\u3041-\u30ff\u4e00-\u9fff]")
_ENDS = tuple('.!?"。！？」』')


def _words(text: str) -> list[str]:
    if _EAST.search(text):
        from tensaku.text import words

        return [word.text for word in words(text) if word.text.strip()]
    return text.split()


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _symbols(text: str) -> bool:
    return _share(text.count("#") + len(re.findall(r"\.\.\.|…", text)), len(_words(text))) > 0.1


def _bullets(text: str) -> bool:
    lines = _lines(text)
    return _share(sum(line.startswith(("•", "・", "-", "*", "●", "■")) for line in lines), len(lines)) > 0.9


def _ellipses(text: str) -> bool:
    lines = _lines(text)
    return _share(sum(line.endswith(("...", "…")) for line in lines), len(lines)) > 0.3


def _few_letters(text: str) -> bool:
    words = _words(text)
    return _share(sum(any(char.isalpha() for char in word) for word in words), len(words)) < 0.8


def _word_length(text: str) -> bool:
    words = [] if _EAST.search(text) else text.split()
    return bool(words) and not 3 <= sum(map(len, words)) / len(words) <= 10


def _repeated_lines(least: float) -> Test:
    def test(text: str) -> bool:
        lines = _lines(text)
        return _share(len(lines) - len(set(lines)), len(lines)) > least

    return test


def _repeated_line_characters(least: float) -> Test:
    def test(text: str) -> bool:
        counts = Counter(_lines(text))
        again = sum(len(line) * (n - 1) for line, n in counts.items())
        return _share(again, sum(len(line) * n for line, n in counts.items())) > least

    return test


def _top_run(n: int, most: float) -> Test:
    """The commonest run of n words covers more than `most` of the characters."""

    def test(text: str) -> bool:
        words = _words(text)
        runs = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
        if not runs:
            return False
        run, times = runs.most_common(1)[0]
        return times > 1 and _share(len("".join(run)) * times, len("".join(words))) > most

    return test


def _repeated_runs(n: int, most: float) -> Test:
    """Words within runs of n words that stood before make up more than `most` of the characters."""

    def test(text: str) -> bool:
        words = _words(text)
        seen: set[tuple[str, ...]] = set()
        again: set[int] = set()
        for i in range(len(words) - n + 1):
            run = tuple(words[i : i + n])
            if run in seen:
                again.update(range(i, i + n))
            seen.add(run)
        return _share(sum(len(words[i]) for i in again), sum(map(len, words))) > most

    return test


def _unfinished(text: str) -> bool:
    lines = _lines(text)
    return _share(sum(line.endswith(_ENDS) for line in lines), len(lines)) <= 0.12


def _short_lines(text: str) -> bool:
    lines = _lines(text)
    return _share(sum(len(line) < 30 for line in lines), len(lines)) >= 0.67


RULES: dict[str, Test] = {
    "gopher-symbols": _symbols,
    "gopher-bullets": _bullets,
    "gopher-ellipses": _ellipses,
    "gopher-letters": _few_letters,
    "gopher-word-length": _word_length,
    "gopher-repeated-lines": _repeated_lines(0.30),
    "gopher-repeated-line-characters": _repeated_line_characters(0.20),
    "gopher-top-2-words": _top_run(2, 0.20),
    "gopher-top-3-words": _top_run(3, 0.18),
    "gopher-top-4-words": _top_run(4, 0.16),
    "gopher-repeated-5-words": _repeated_runs(5, 0.15),
    "gopher-repeated-10-words": _repeated_runs(10, 0.10),
    "c4-braces": lambda text: "{" in text or "}" in text,
    "c4-lorem-ipsum": lambda text: "lorem ipsum" in text.lower(),
    "c4-javascript": lambda text: "javascript" in text.lower(),
    "fineweb-unfinished-lines": _unfinished,
    "fineweb-repeated-line-characters": _repeated_line_characters(0.1),
    "fineweb-short-lines": _short_lines,
}
"""Rule -> whether a text has the fault. Thresholds are the published ones."""


def faults(text: str, rules: Sequence[str]) -> list[str]:
    """The rules that `text` fails, in their order."""
    return [rule for rule in rules if RULES[rule](text)]


@steps.register("heuristics")
@one_by_one
def heuristics(
    rows: Iterable[Pair], tally: Counter[str], /, *, draft: Sequence[str] = (), final: Sequence[str] = ()
) -> Step:
    """Drop pairs with a side that fails a published heuristic; the reason is the rule's name, as `gopher-symbols`.

    Args:
        draft, final: the rules asked of each side.

    Raises:
        UsageError: there is no such rule, or none is named.
    """
    for rule in (*draft, *final):
        if rule not in RULES:
            close = nearest(rule, RULES, n=1)
            fix = f"Did you mean {close[0]!r}?" if close else f"There is: {', '.join(RULES)}"
            raise UsageError(f"there is no rule {rule!r}", where="step 'heuristics'", fix=fix)
    if not draft and not final:
        raise UsageError("no rule is named", where="step 'heuristics'", fix='Say final = ["gopher-symbols"]')
    for pair in rows:
        for side, text, rules in (("draft", pair.draft, draft), ("final", pair.final, final)):
            failed = faults(text, rules)
            if failed:
                yield drop(pair, failed[0], f"the {side} fails {', '.join(failed)}")
                break
        else:
            yield pair


@steps.register("length")
@one_by_one
def length(
    rows: Iterable[Pair],
    tally: Counter[str],
    /,
    *,
    draft: tuple[int, int] = (1, 20_000),
    final: tuple[int, int] = (1, 20_000),
) -> Step:
    """Drop pairs with a side outside its range of characters: `draft-length`, `final-length`."""
    for pair in rows:
        for side, text, (least, most) in (("draft", pair.draft, draft), ("final", pair.final, final)):
            if not least <= len(text) <= most:
                yield drop(
                    pair, f"{side}-length", f"the {side} has {len(text):,} characters; {least:,} to {most:,} pass"
                )
                break
        else:
            yield pair


@steps.register("ratio")
@one_by_one
def ratio(
    rows: Iterable[Pair],
    tally: Counter[str],
    /,
    *,
    least: Annotated[float, pydantic.Field(gt=0)] = 0.2,
    most: Annotated[float, pydantic.Field(gt=0)] = 5.0,
) -> Step:
    """Drop pairs whose final is shorter or longer than `least` to `most` times the draft: `length-ratio`."""
    for pair in rows:
        found = len(pair.final) / max(len(pair.draft), 1)
        if least <= found <= most:
            yield pair
        else:
            yield drop(pair, "length-ratio", f"the final is {found:.2f} times as long as the draft")
