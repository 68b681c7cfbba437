"""The method `prompt`: no weights. The base model is shown past pairs; how many, and in which order, is searched.

The search sets the newest months of the lessons aside, families whole, and quotes from the rest alone: so no pair of
a draft's own family is ever before it. Every candidate answers the same drafts, greedily, by our own engine on the road
that serves; the one with the highest score is kept. First every number of pairs is tried with the nearest last, then
the best number in the other order. The prompt that is left may quote all lessons.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tensaku.errors import MissingExtra, UsageError
from tensaku.records import Pair, from_dict, to_dict
from tensaku.retrieve import ORDERS, Examples, Order
from tensaku.retrieve.examples import EXAMPLES, PROMPT
from tensaku.revise import DraftText, Job, revise_many
from tensaku.store import Artifact, Bench, Journal, SourceFile

if TYPE_CHECKING:
    from tensaku.engines import Engine
from tensaku.machine import peak_memory_mb
from tensaku.tune.section import Tune

__all__ = ["DEFAULT_K", "Slice", "search", "slice_of"]

KS = (0, 1, 2, 4, 8)
"""How many pairs are tried."""
MOST, LEAST = 24, 4
"""Drafts that each candidate answers: at most, and the fewest that say anything."""
DEFAULT_K, DEFAULT_ORDER = 4, ORDERS[0]
"""What is taken if there are too few lessons to search."""
AT_ONCE = 8
SIMILARITY = "BM25 over pairs of characters of the draft, with section and fund; one pair of a family"


class Slice(NamedTuple):
    """Lessons set aside: the pairs that are `asked`, and those that may be `quoted` for them; no family in both."""

    asked: list[Pair]
    quoted: list[Pair]


@dataclass(frozen=True)
class Trial:
    """What one candidate's answers were worth. `score` is corpus BLEU over characters, 0 to 100."""

    k: int
    order: Order
    score: float
    seconds: float
    tokens: int
    fewer_examples: int
    cut_off: int


def search(bench: Bench, cfg: Tune, *, base: Artifact, lessons: Artifact, instruction: SourceFile) -> None:
    """Leave `prompt.json` (k, order, and what was searched) and `examples.jsonl` (the pairs it may quote).

    Answers are kept as they come, so a killed search goes on after the last one.

    Facts, beside those of every form of tuning: `k`, `order`, `validation_score`, `searched` (how many candidates).

    Raises:
        UsageError: there are no lessons.
        EngineError: the model failed.
    """
    with lessons.file("lessons.jsonl").open(encoding="utf-8") as file:
        pairs = [from_dict(Pair, json.loads(line)) for line in file]
    if not pairs:
        raise UsageError("there are no lessons to quote", where=lessons.ref, fix="Bring in more pairs")
    told = instruction.path.read_text(encoding="utf-8").strip()
    apart = slice_of(pairs)
    trials = [] if apart is None else _try(bench, cfg, base.path, told, apart)
    best = max(trials, key=lambda trial: trial.score, default=None)  # the first of equals: fewest pairs
    k, order = (min(DEFAULT_K, _families(pairs)), DEFAULT_ORDER) if best is None else (best.k, best.order)
    prompt = {"k": k, "order": order, "similarity": SIMILARITY, **_searched(apart, trials)}
    if best is None:
        bench.say(f"prompt: {prompt['note']}")
    text = json.dumps(prompt, ensure_ascii=False, indent=1) + "\n"
    (bench.path / PROMPT).write_text(text, encoding="utf-8")
    lines = (json.dumps(to_dict(pair), ensure_ascii=False) + "\n" for pair in pairs)
    (bench.path / EXAMPLES).write_text("".join(lines), encoding="utf-8")
    bench.facts.update(_facts(bench, trials), base=base.ref, lessons=len(pairs), k=k, order=order)
    bench.facts.update(validation_score=None if best is None else round(best.score, 2))


def slice_of(pairs: Sequence[Pair]) -> Slice | None:
    """The newest months of `pairs`, families whole, and the rest; None if that leaves too few on either side.

    Months are taken until they hold a quarter of the pairs, and `LEAST` to `MOST` of them; where a month brings more,
    those at even distances are asked.
    """
    wanted = max(LEAST, min(MOST, len(pairs) // 4))
    newest: list[Pair] = []
    for month in sorted({pair.as_of for pair in pairs}, reverse=True):
        if len(newest) >= wanted:
            break
        newest += [pair for pair in pairs if pair.as_of == month]
    families = {pair.family for pair in newest}
    asked = [pair for pair in pairs if pair.family in families]
    rest = [pair for pair in pairs if pair.family not in families]
    if len(asked) < LEAST or len(rest) < LEAST:
        return None
    if len(asked) > MOST:
        asked = [asked[number * (len(asked) - 1) // (MOST - 1)] for number in range(MOST)]
    return Slice(asked, rest)


def _try(bench: Bench, cfg: Tune, base: Path, instruction: str, apart: Slice) -> list[Trial]:
    """Have every number of pairs up to as many as there are families answer what is asked, then the other order."""
    numbers = [k for k in KS if k <= _families(apart.quoted)]
    score, journal = _scorer(), Journal(bench.aside / "search.jsonl")
    kept = journal.read()
    opened: list[Engine] = []

    def engine() -> Engine:
        if not opened:
            opened.append(_open(cfg, base))
        return opened[0]

    def tried(k: int, order: Order) -> Trial:
        job = Job(instruction, examples=Examples(tuple(apart.quoted), k, order))
        held = [record for record in kept if (record["k"], record["order"]) == (k, order)]
        bar.advance(len(held), f"k {k}, {order}")
        for record in _answers(engine, job, apart.asked[len(held) :]):
            held.append({"k": k, "order": order, **record})
            journal.append(held[-1])
            bar.advance(1, f"k {k}, {order}")
        return _trial(k, order, held, score([r["text"] for r in held], [p.final for p in apart.asked]))

    try:
        with bench.progress("search examples", (len(numbers) + 1) * len(apart.asked)) as bar:
            trials = [tried(k, ORDERS[0]) for k in numbers]
            best = max(trials, key=lambda trial: trial.score)
            if best.k > 1:  # one pair has no order
                trials.append(tried(best.k, ORDERS[1]))
            return trials
    finally:
        for running in opened:
            running.close()


def _open(cfg: Tune, base: Path) -> Engine:
    from tensaku.engines import open_engine
    from tensaku.models.shape import Shape

    return open_engine("native", base, context=min(cfg.context, Shape.load(base).context), slots=AT_ONCE)


def _answers(engine: Callable[[], Engine], job: Job, pairs: Sequence[Pair]) -> Iterator[dict[str, Any]]:
    if not pairs:
        return
    drafts = [DraftText(pair.draft, pair.fund, pair.section, pair.as_of) for pair in pairs]
    revisions = revise_many(engine(), job, drafts, at_once=AT_ONCE)
    before = time.perf_counter()
    for revision in revisions:
        now = time.perf_counter()
        yield {
            "text": revision.text,
            "cut_off": revision.finish == "length",
            "tokens": revision.usage.completion,
            "examples": int(revision.provenance["examples"]),
            "seconds": now - before,
        }
        before = now


def _trial(k: int, order: Order, held: Sequence[dict[str, Any]], score: float) -> Trial:
    return Trial(
        k=k,
        order=order,
        score=score,
        seconds=sum(record["seconds"] for record in held),
        tokens=sum(record["tokens"] for record in held),
        fewer_examples=sum(record["examples"] < k for record in held),
        cut_off=sum(record["cut_off"] for record in held),
    )


def _scorer() -> Callable[[list[str], list[str]], float]:
    """Corpus BLEU over characters, as sacreBLEU computes it."""
    try:
        metrics = import_module("sacrebleu.metrics")
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "sacrebleu", "evaluate") from error
    bleu = metrics.BLEU(tokenize="char")
    return lambda outputs, references: float(bleu.corpus_score(outputs, [references]).score)


def _families(pairs: Sequence[Pair]) -> int:
    return len({pair.family for pair in pairs})


def _searched(apart: Slice | None, trials: Sequence[Trial]) -> dict[str, Any]:
    if apart is None:
        note = f"too few lessons to set any aside: k is {DEFAULT_K}, or as many as there are, and was not searched"
        return {"note": note, "searched": []}
    months = sorted({pair.as_of for pair in apart.asked})
    validation = {"drafts": len(apart.asked), "first": months[0], "last": months[-1], "quoted_from": len(apart.quoted)}
    rows = [{**asdict(trial), "score": round(trial.score, 2), "seconds": round(trial.seconds, 1)} for trial in trials]
    return {"measure": "BLEU over characters", "validation": validation, "searched": rows}


def _facts(bench: Bench, trials: Sequence[Trial]) -> dict[str, Any]:
    seconds, tokens = sum(trial.seconds for trial in trials), sum(trial.tokens for trial in trials)
    return {
        "method": "prompt",
        "form": "prompt",
        "steps": 0,
        "trainable_parameters": 0,
        "first_loss": None,
        "last_loss": None,
        "tune_seconds": round(seconds, 2),
        "tokens_per_second": round(tokens / seconds, 2) if seconds else 0.0,
        "peak_memory_mb": peak_memory_mb(),
        "size_mb": round(sum((bench.path / name).stat().st_size for name in (PROMPT, EXAMPLES)) / 1e6, 3),
        "searched": len(trials),
    }
