"""What learning from decisions does to the exam: better, worse or nothing. Whatever it is, it is printed.

    python benchmarks/dpo_effect.py WORKSPACE [--lessons 300] [--drafts 80] [--exam 50] [--arms 0,1]

WORKSPACE is a task's folder whose road was walked up to `trim`; everything made here goes into its store. There are no
writers in it, so their part is played by what was published: an adapter tuned on the older lessons revises drafts of
newer ones, the published text is saved as the writer's final, and the ledger finds out what was accepted, rejected and
altered. The decisions are frozen, the adapter learns on from them, and both sit the same part of the exam. Each arm is
a weight of the chosen text's own loss. With --control, the finals are
taught as further lessons instead, from the beginning.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tensaku.config import Section
from tensaku.curate.freeze import Decisions, decisions, slice_file
from tensaku.engines.native.engine import NativeEngine
from tensaku.evaluate import Evaluate, evaluate
from tensaku.ledger import Ledger, NewDraft, ReasonsMissing, reason_key
from tensaku.pipeline import Workspace
from tensaku.records import Pair, from_dict
from tensaku.revise import DraftText, revise_many
from tensaku.store import Artifact, Bench, SourceFile, Store, stage
from tensaku.tune import Tune, tune
from tensaku.tune.dpo import Dpo, dpo

LEARNT = (
    *("preferences", "steps", "tune_seconds", "peak_memory_mb", "accuracy_before", "accuracy_after"),
    *("margin_before", "margin_after", "first_loss", "last_loss"),
)


class Part(Section):
    """The first `n` lines of a file from `start` on, every `step`-th."""

    file: str
    start: int = 0
    n: int = 0
    step: int = 1


@stage(version=1)
def part(bench: Bench, cfg: Part, *, whole: Artifact) -> None:
    """A part of the lessons or of the exam."""
    lines = whole.file(cfg.file).read_text(encoding="utf-8").split("\n")[cfg.start :: cfg.step]
    (bench.path / cfg.file).write_text("".join(line + "\n" for line in lines[: cfg.n] if line), encoding="utf-8")


class Nothing(Section):
    """No settings."""


@stage(version=1)
def joined(bench: Bench, cfg: Nothing, *, older: Artifact, newer: Artifact) -> None:
    """Both parts as lessons."""
    parts = (held.file("lessons.jsonl").read_text(encoding="utf-8") for held in (older, newer))
    (bench.path / "lessons.jsonl").write_text("".join(parts), encoding="utf-8")


def pairs_of(artifact: Artifact) -> list[Pair]:
    """The pairs of a part of the lessons."""
    lines = artifact.file("lessons.jsonl").read_text(encoding="utf-8").split("\n")
    return [from_dict(Pair, json.loads(line)) for line in lines if line]


def write_ledger(path: Path, workspace: Workspace, base: Artifact, adapter: Artifact, pairs: list[Pair]) -> None:
    """Let the adapter revise and the published texts decide."""
    engine = NativeEngine(base.path)
    engine.load_adapter("tuned", adapter.path / "adapter")
    drafts = [DraftText(p.draft, p.fund, p.section, p.as_of) for p in pairs]
    with Ledger.open(path, names=workspace.names()) as ledger:
        ledger.add_person("published", "公表文", ("writer",))
        for pair, revision in zip(
            pairs, revise_many(engine, replace(workspace.job(), adapter="tuned"), drafts), strict=True
        ):
            new = NewDraft(pair.draft, pair.manager, pair.fund, pair.section, pair.as_of, "benchmark", pair.id)
            draft = ledger.add_draft(new)
            made = ledger.add_revision(draft.id, revision, by="published")
            try:
                ledger.save_final(draft.id, pair.final, "published", revision_id=made.id)
            except ReasonsMissing as missing:
                reasons = {reason_key(broken): "公表文のとおり" for broken in missing.breaks}
                ledger.save_final(draft.id, pair.final, "published", revision_id=made.id, reasons=reasons)
    engine.close()


def examined(store: Store, base: Artifact, adapter: Artifact, given: dict[str, Any]) -> dict[str, Any]:
    """What the exam says of an adapter."""
    made = store.run(evaluate, Evaluate(base_sample=1), base=base, adapter=adapter, **given)
    names = ("bleu_draft", "bleu_tuned", "bleu_char_tuned", "facts_kept", "dropped_sentences", "doubled_sentences")
    return {name: made.facts.get(name) for name in names}


def main() -> None:
    """Measure and print, a line an arm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    for name, count in (("lessons", 300), ("drafts", 80), ("exam", 50)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--arms", default="0,1", help="weights of the chosen text's own loss")
    parser.add_argument("--rate", type=float, default=Dpo().learning_rate)
    parser.add_argument("--beta", type=float, default=Dpo().beta)
    parser.add_argument("--epochs", type=float, default=Dpo().epochs)
    parser.add_argument("--control", action="store_true", help="also teach the finals as lessons")
    asked = parser.parse_args()
    workspace = Workspace.open(asked.workspace)
    store = Store(workspace.root)
    newest = {name: store.list(name)[-1] for name in ("lessons", "exam", "trim")}
    base, lessons, exam = newest["trim"], newest["lessons"], newest["exam"]
    instruction, names = workspace._instruction(), SourceFile(asked.workspace / workspace.spec.task.names)
    older = store.run(part, Part(file="lessons.jsonl", n=asked.lessons), whole=lessons)
    after = Part(file="lessons.jsonl", start=asked.lessons, n=asked.drafts, step=2)
    newer = store.run(part, after, whole=lessons)
    asked_exam = store.run(part, Part(file="exam.jsonl", n=asked.exam, step=2), whole=exam)
    settings = Tune(epochs=1, layers=12)
    adapter = store.run(tune, settings, base=base, lessons=older, instruction=instruction)
    ledger_file = workspace.root / f"dpo-effect-{adapter.key[:8]}-{asked.drafts}.sqlite"
    if not ledger_file.exists():
        write_ledger(ledger_file, workspace, base, adapter, pairs_of(newer))
    with Ledger.open(ledger_file) as ledger:
        file = slice_file(ledger, workspace.root / "slices")
    frozen = store.run(decisions, Decisions(), ledger=file, exam=exam)
    print(json.dumps({"decisions": frozen.facts}, ensure_ascii=False), flush=True)
    given = {"exam": asked_exam, "lessons": lessons, "instruction": instruction, "names": names}
    print(json.dumps({"arm": "tuned", **examined(store, base, adapter, given)}), flush=True)
    for weight in map(float, asked.arms.split(",")):
        cfg = Dpo(sft_weight=weight, learning_rate=asked.rate, beta=asked.beta, epochs=asked.epochs)
        made = store.run(dpo, cfg, base=base, adapter=adapter, decisions=frozen, instruction=instruction)
        facts = {name: made.facts.get(name) for name in LEARNT}
        arm = f"dpo sft={weight} lr={asked.rate} beta={asked.beta}"
        print(json.dumps({"arm": arm, **examined(store, base, made, given), **facts}), flush=True)
    if asked.control:
        more = store.run(joined, Nothing(), older=older, newer=newer)
        made = store.run(tune, settings, base=base, lessons=more, instruction=instruction)
        print(json.dumps({"arm": "tuned on both", **examined(store, base, made, given)}), flush=True)


if __name__ == "__main__":
    main()
