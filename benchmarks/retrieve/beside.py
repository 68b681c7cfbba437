"""Does what was found help the comment job? Exam drafts of a finished desk, revised with and without it.

    python -m benchmarks.retrieve.beside DESK [--drafts 30] [--pairs]

DESK is a workspace where `tensaku demo DESK --no-serve` was run. Each row revises the same drafts by the road that the
desk takes: the base model and the tuned one, alone, with past pairs quoted (BM25 over pairs of characters, of the
lessons alone) and with the passages of the style guide and the terms that a draft calls for. `--pairs` measures instead
which way of looking finds the better past pair, without a model that writes: chrF of the found final against the right
one, by BM25 of the drafts, by vectors (multilingual-e5-small) and by both fused.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tensaku.errors import TensakuError
from tensaku.evaluate.inputs import exam_pairs, lesson_pairs
from tensaku.evaluate.scorers import bleu, chrf
from tensaku.evaluate.scoring import Texts
from tensaku.follow import Loader
from tensaku.models.embed import Local
from tensaku.pipeline import Workspace
from tensaku.records import Pair
from tensaku.retrieve import Examples, Guides, Index, terms
from tensaku.retrieve.rank import fuse
from tensaku.revise import DraftText, Job, start
from tensaku.store import Store

RESULT = Path(__file__).parents[1] / "results" / "retrieve_beside.json"


def figure(scorer: Any, outputs: Sequence[str], finals: Sequence[str]) -> float:
    """A scorer's figure over all outputs."""
    counts = scorer.statistics(Texts(list(outputs), list(outputs), list(finals)))
    return round(float(scorer.figure(counts.sum(axis=0))), 2)


def drawn(exam: Sequence[Pair], n: int) -> list[Pair]:
    """So many pairs, spread evenly over the exam."""
    return [exam[at] for at in np.linspace(0, len(exam) - 1, min(n, len(exam))).astype(int)]


def row(engine: Any, job: Job, pairs: Sequence[Pair]) -> dict[str, Any]:
    """One way of asking: BLEU of characters, facts kept, what it read and how long it took."""
    began, revisions = time.perf_counter(), []
    for pair in pairs:
        revisions.append(start(engine, job, DraftText(pair.draft, pair.fund, pair.section, pair.as_of)).result())
    seconds = time.perf_counter() - began
    texts, finals = [one.text for one in revisions], [pair.final for pair in pairs]
    return {
        "bleu": figure(bleu(tokenize="char"), texts, finals),
        "exact": sum(a == b for a, b in zip(texts, finals, strict=True)),
        "facts_kept": sum(one.verdict.kept for one in revisions),
        "prompt_tokens": round(float(np.mean([one.usage.prompt for one in revisions]))),
        "seconds_each": round(seconds / len(pairs), 2),
        "with": {key: one for key, one in revisions[0].provenance.items() if key in ("examples", "guides")},
    }


def revised(workspace: Workspace, n: int, wanted: Sequence[str]) -> dict[str, Any]:
    """Every way of asking, or those that are wanted, on the same drafts."""
    store = Store(workspace.root)
    release = store.list("release")[-1]
    pairs = drawn(exam_pairs(store.get(release.inputs["exam"])), n)
    lessons = tuple(lesson_pairs(store.get(release.inputs["lessons"])))
    style = [workspace.folder / "house-style.md"]
    terms_alone = Guides((), Guides.read(style, workspace.names(), 1).terms, 1)
    out: dict[str, Any] = {"drafts": len(pairs), "untouched": {"bleu": untouched(pairs)}}
    with Loader(workspace, store) as loader:
        loaded = loader.load(release.ref, trial=True)
        ways: Mapping[str, Mapping[str, Any]] = {
            "alone": {},
            "terms": {"guides": terms_alone},
            "terms and 3 passages": {"guides": Guides.read(style, workspace.names(), 3)},
            "1 past pair": {"examples": Examples(lessons, 1)},
            "2 past pairs": {"examples": Examples(lessons, 2)},
        }
        for who, adapter in (("tuned", loaded.job.adapter), ("base", None)):
            for way, more in ways.items():
                if wanted and f"{who}, {way}" not in wanted:
                    continue
                out[f"{who}, {way}"] = found = row(loaded.engine, replace(loaded.job, adapter=adapter, **more), pairs)
                print(f"  {who}, {way}: {found}", flush=True)
    return out


def untouched(pairs: Sequence[Pair]) -> float:
    """BLEU of the drafts as they are."""
    return figure(bleu(tokenize="char"), [pair.draft for pair in pairs], [pair.final for pair in pairs])


def likest(workspace: Workspace, n: int) -> dict[str, Any]:
    """Mean chrF of the final of the pair found first against the right final, by each way of looking."""
    store = Store(workspace.root)
    pairs = drawn(exam_pairs(store.list("exam")[-1]), n)
    lessons = lesson_pairs(store.list("lessons")[-1])
    told = [[*terms(p.draft), f"section:{p.section}", f"fund:{p.fund}"] for p in (*lessons, *pairs)]
    index, embedder = Index(told[: len(lessons)]), Local()
    vectors = embedder.passages([pair.draft for pair in lessons])
    found: dict[str, list[str]] = {"BM25": [], "vectors": [], "fused": []}
    for pair, asked in zip(pairs, told[len(lessons) :], strict=True):
        words = index.ranked(asked)
        near = [int(at) for at in np.argsort(-(vectors @ embedder.question(pair.draft)), kind="stable")]
        for way, order in (("BM25", words), ("vectors", near), ("fused", fuse([words[:100], near[:100]]))):
            found[way].append(lessons[order[0]].final)
    finals = [pair.final for pair in pairs]
    return {way: figure(chrf(), texts, finals) for way, texts in found.items()} | {"drafts": len(pairs)}


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("desk", type=Path)
    parser.add_argument("--drafts", type=int, default=30)
    parser.add_argument("--pairs", action="store_true", help="which way of looking finds the better past pair")
    parser.add_argument("--way", action="append", default=[], help='only this row, as in "tuned, 1 past pair"')
    parser.add_argument("--out", type=Path, default=RESULT)
    told = parser.parse_args(argv)
    workspace = Workspace.open(told.desk)
    out = json.loads(told.out.read_text(encoding="utf-8")) if told.out.is_file() else {}
    if told.pairs:
        out["past_pairs_chrf"] = likest(workspace, told.drafts)
        print(out["past_pairs_chrf"])
    else:
        out["revised"] = out.get("revised", {}) | revised(workspace, told.drafts, told.way)
    told.out.parent.mkdir(parents=True, exist_ok=True)
    told.out.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(told.out)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TensakuError as error:
        print(f"beside: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
