"""A hundred real pairs: do four hundred made-up ones help? Whatever the answer is, it is printed.

    python benchmarks/synthetic_effect.py WORKSPACE [--real 100] [--made 400] [--exam 40] [--arms real,own]

WORKSPACE is a task's folder whose road was walked up to `trim`; everything made here goes into its store, so that a run
that was stopped goes on. The real pairs lie evenly over the lessons. No model makes the others: wordings are mined from
the real pairs alone and turned round. Each arm is then held against those before it, by resamples of the exam's
families, the same ones for both. Arms:

    real     the real pairs, once through
    longer   the real pairs as often as it takes to see as many pairs as the next ones do
    own      the real pairs, and made-up drafts for their own finals, once through
    loose    the real pairs, and made-up drafts for other published finals, whose real drafts nobody is shown
    all      as many real pairs as that: what the made-up ones stand in for
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from tensaku.config import Section
from tensaku.curate import Synthesize, synthesize, topics_file
from tensaku.curate.made import MADE
from tensaku.curate.rows import read_jsonl
from tensaku.evaluate import Evaluate, answers, evaluate
from tensaku.evaluate.checks import check_scorers
from tensaku.evaluate.scoring import Texts, measure_rows
from tensaku.ledger import Ledger
from tensaku.pipeline import Workspace
from tensaku.resampling import resamples
from tensaku.store import Artifact, Bench, SourceFile, Store, stage
from tensaku.tune import Tune, tune

TOLD = (
    *("exam_n", "bleu_draft", "bleu_tuned", "bleu_char_tuned", "facts_kept", "exact"),
    *("dropped_sentences", "doubled_sentences"),
)
RESAMPLES = 2000


class Even(Section):
    """`n` lines of a file, evenly over it, written as the file `name`."""

    file: str
    n: int
    name: str


@stage(version=1)
def even(bench: Bench, cfg: Even, *, whole: Artifact) -> None:
    """A part of the lessons or of the exam."""
    rows = list(read_jsonl(whole.file(cfg.file)))
    chosen = [rows[place * len(rows) // cfg.n] for place in range(min(cfg.n, len(rows)))]
    (bench.path / cfg.name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in chosen))


class Nothing(Section):
    """No settings."""


@stage(version=1)
def beside(bench: Bench, cfg: Nothing, *, real: Artifact, made: Artifact) -> None:
    """Real pairs, then made-up ones, as lessons."""
    texts = (real.file("lessons.jsonl"), made.file(MADE))
    (bench.path / "lessons.jsonl").write_text("".join(path.read_text(encoding="utf-8") for path in texts))


class Effect:
    """The arms over one workspace."""

    def __init__(self, folder: Path, real: int, made: int, exam: int, layers: int) -> None:
        self.workspace, self.real_n, self.made_n, self.layers = Workspace.open(folder), real, made, layers
        self.store = Store(self.workspace.root)
        newest = {name: self.store.list(name)[-1] for name in ("lessons", "exam", "trim")}
        self.base, self.lessons, self.whole_exam = newest["trim"], newest["lessons"], newest["exam"]
        self.instruction = self.workspace._instruction()
        self.names = SourceFile(folder / self.workspace.spec.task.names)
        self.real = self._even("lessons.jsonl", real, "lessons.jsonl", self.lessons)
        self.exam = self._even("exam.jsonl", exam, "exam.jsonl", self.whole_exam)
        self.outputs: dict[str, list[dict[str, Any]]] = {}
        """What each arm made of the exam, pair by pair."""

    def _even(self, file: str, n: int, name: str, whole: Artifact) -> Artifact:
        return self.store.run(even, Even(file=file, n=n, name=name), whole=whole)

    def _made(self, loose: bool) -> Artifact:
        folder = self.workspace.root / "synthetic-effect"
        with Ledger.open(folder.with_suffix(".sqlite")) as ledger:
            topics = topics_file(ledger, folder)
        given: dict[str, Any] = {"topics": topics, "instruction": self.instruction, "names": self.names}
        given["pool"] = self._even("lessons.jsonl", self.real_n, "pairs.jsonl", self.lessons)
        if loose:
            given["finals"] = self._loose(folder / "finals.jsonl")
        cfg = Synthesize(make={"errors": 3 * self.made_n}, most=self.made_n / self.real_n, seed=1)
        return self.store.run(synthesize, cfg, exam=self.whole_exam, **given)

    def _loose(self, path: Path) -> SourceFile:
        """The finals of all lessons but the real ones of this trial."""
        used = {row["id"] for row in read_jsonl(self.real.file("lessons.jsonl"))}
        fields = ("id", "final", "fund", "section", "as_of", "family")
        rows = [row for row in read_jsonl(self.lessons.file("lessons.jsonl")) if row["id"] not in used]
        lines = (json.dumps({name: row[name] for name in fields}, ensure_ascii=False) + "\n" for row in rows)
        path.write_text("".join(lines), encoding="utf-8")
        return SourceFile(path)

    def taught(self, arm: str) -> tuple[Artifact, float]:
        """The lessons of an arm, and how often they are gone through."""
        if arm in ("real", "longer"):
            return self.real, 1.0 if arm == "real" else (self.real_n + self.made_n) / self.real_n
        if arm == "all":
            return self._even("lessons.jsonl", self.real_n + self.made_n, "lessons.jsonl", self.lessons), 1.0
        made = self._made(loose=arm == "loose")
        print(json.dumps({"made": arm, **made.facts}, ensure_ascii=False), flush=True)
        return self.store.run(beside, Nothing(), real=self.real, made=made), 1.0

    def measured(self, arm: str) -> dict[str, Any]:
        """What the exam says of an arm."""
        lessons, epochs = self.taught(arm)
        cfg = Tune(epochs=epochs, layers=self.layers)
        adapter = self.store.run(tune, cfg, base=self.base, lessons=lessons, instruction=self.instruction)
        given: dict[str, Any] = {"exam": self.exam, "base": self.base, "adapter": adapter}
        given |= {"instruction": self.instruction, "names": self.names}
        asked = Evaluate(base_sample=1)
        answered = self.store.run(answers, asked.answering(), **given)
        found = self.store.run(evaluate, asked, lessons=self.lessons, answered=answered, **given)
        self.outputs[arm] = [row["rows"]["tuned"] for row in read_jsonl(found.file("outputs.jsonl"))]
        taken = sum(1 for _ in read_jsonl(lessons.file("lessons.jsonl")))
        told = {"arm": arm, "lessons": taken, "epochs": epochs, "steps": adapter.facts.get("steps")}
        return told | {name: found.facts.get(name) for name in TOLD}

    def held_against(self, arm: str, over: str) -> dict[str, Any]:
        """By how much an arm is better than another one, with 95 % intervals of paired resamples."""
        pairs = list(read_jsonl(self.exam.file("exam.jsonl")))
        drafts, finals, families = ([row[name] for row in pairs] for name in ("draft", "final", "family"))
        rows = {
            name: Texts(drafts, [made["text"] for made in self.outputs[name]], finals, families) for name in (arm, over)
        }
        bleu = measure_rows("bleu", check_scorers([{"scorer": "bleu"}])["bleu"](), rows, RESAMPLES, 1).gain(arm, over)
        drawn = resamples(len(pairs), RESAMPLES, 1, families)
        kept = np.array([[bool(made["kept"]) for made in self.outputs[name]] for name in (arm, over)], float)
        spread = drawn @ (kept[0] - kept[1]) / drawn.sum(axis=1)
        return {
            "arm": arm,
            "over": over,
            "bleu": [round(bleu.value, 2), round(bleu.low, 2), round(bleu.high, 2)],
            "facts_kept": np.round([(kept[0] - kept[1]).mean(), *np.percentile(spread, [2.5, 97.5])], 3).tolist(),
        }


def main() -> None:
    """Measure and print, a line an arm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    for name, count in (("real", 100), ("made", 400), ("exam", 40), ("layers", 12)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--arms", default="real,longer,own,loose,all")
    asked = parser.parse_args()
    effect = Effect(asked.workspace, asked.real, asked.made, asked.exam, asked.layers)
    for arm in asked.arms.split(","):
        print(json.dumps(effect.measured(arm)), flush=True)
        for over in list(effect.outputs)[:-1]:
            print(json.dumps(effect.held_against(arm, over)), flush=True)


if __name__ == "__main__":
    main()
