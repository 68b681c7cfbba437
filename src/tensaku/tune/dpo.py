"""The stage `dpo`: a tuned adapter learns on from what its writers decided, change by change."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tensaku.config import Section
from tensaku.errors import UsageError
from tensaku.records import Drop, Pair, from_dict
from tensaku.store import Artifact, Bench, SourceFile, stage
from tensaku.tune.lessons import DROPS, hold_out, to_example

if TYPE_CHECKING:
    from tensaku.models.tokenizer import Tokenizer
    from tensaku.tune.loop import Outcome
    from tensaku.tune.preference import Preference, PreferenceLearner
    from tensaku.tune.stage import Counting

__all__ = ["Dpo", "dpo"]

_LOOKS = 10
_REFERENCE = "reference.jsonl"


class Dpo(Section):
    """How to learn on from the writers' decisions."""

    beta: float = Field(0.1, gt=0)
    """How near the adapter stays to the one that it starts from: larger is nearer."""
    sft_weight: float = Field(1.0, ge=0)
    """Weight of the chosen text's own loss beside it, which keeps what was learnt from the lessons from fading."""
    epochs: float = Field(2.0, gt=0)
    """Passes over the decisions."""
    learning_rate: float = Field(5e-5, gt=0)
    """Largest step size of AdamW; a tenth of tuning's or less, since the adapter has been taught already."""
    batch: int = Field(8, ge=1)
    """Decisions a step."""
    context: int = Field(2048, ge=16)
    """Most tokens of question and answer; a decision on a longer text is set aside and counted."""
    validation: float = Field(0.0, ge=0, le=0.5)
    """Share of the decisions, on the newest months, that is held out to watch the training by."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Number format of the large products. `auto`: the fastest here that loses nothing, measured."""
    seed: int = 1
    """Where the shuffling starts."""


@stage(version=1)
def dpo(
    bench: Bench, cfg: Dpo, *, base: Artifact, adapter: Artifact, decisions: Artifact, instruction: SourceFile
) -> None:
    """Leave `adapter/`, a plain PEFT folder that goes on from `adapter`, beside `loss.jsonl` and `drops.jsonl`.

    Facts: those of `tune` for the form "adapter", and `start`, `preferences`; `accuracy_before` and `accuracy_after`
    (shares of the decisions whose chosen text is the likelier), `margin_before` and `margin_after` (mean of
    log p(chosen) - log p(rejected), nats), `reward_accuracy` (share whose margin grew); with held-out decisions the
    first two of these as `held_accuracy_before`, `held_accuracy_after`.

    Raises:
        UsageError: there are no decisions or one alone, or what to start from is no adapter of this base.
        StageError: the loss is not a number any more, or memory or disk ran out.
    """
    from tensaku.tune.told import finish, watched

    _check_start(base, adapter)
    words = instruction.path.read_text(encoding="utf-8")
    with watched(bench) as counting:
        run = _Run(bench, cfg, base, adapter, _read(decisions), words)
        outcome = run.go({"decisions": decisions.key}, counting)
    finish(bench, cfg, outcome, None)


def _check_start(base: Artifact, adapter: Artifact) -> None:
    """Refuse to start from what is no adapter, or from one of another base."""
    form = adapter.facts.get("form", "adapter")
    if form != "adapter":
        what = f"decisions are learnt by an adapter, and this is of the form {form!r}"
        raise UsageError(what, where=adapter.ref, fix='Set tune.method to "lora" or "qlora" first')
    taught = adapter.facts.get("base", base.ref)
    if taught != base.ref:
        what = f"the adapter was tuned over {taught}, not over {base.ref}"
        raise UsageError(what, where=adapter.ref, fix="Tune over this base first, or name that one")


@dataclass(frozen=True, slots=True)
class _Decided:
    """One decision: the pair that would have been a lesson, and the text that was not wanted."""

    pair: Pair
    rejected: str

    @property
    def other(self) -> Pair:
        return replace(self.pair, final=self.rejected)


def _read(decisions: Artifact) -> list[_Decided]:
    with decisions.file("preferences.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    if len(rows) < 2:
        what = "there are no decisions to learn from" if not rows else "there is only one decision to learn from"
        raise UsageError(what, where=decisions.ref, fix="Let writers decide on more revisions first: dozens at least")
    return [_Decided(from_dict(Pair, {**row, "final": row["chosen"]}), row["rejected"]) for row in rows]


class _Run:
    """One training from decisions."""

    def __init__(
        self, bench: Bench, cfg: Dpo, base: Artifact, adapter: Artifact, decided: Sequence[_Decided], instruction: str
    ) -> None:
        from tensaku.models.shape import Shape
        from tensaku.models.tokenizer import Tokenizer

        self.bench, self.cfg, self.base, self.adapter = bench, cfg, base, adapter
        self.instruction = instruction
        self.context = min(cfg.context, Shape.load(base.path).context)
        self.dropped: list[Drop] = []
        tokenizer = Tokenizer.load(base.path)
        self.lessons = dict(self._tokens(tokenizer, decided))
        if len(self.lessons) < 2:
            reasons = ", ".join(f"{reason} {n}" for reason, n in self._reasons().items())
            what = f"only {len(self.lessons)} of {len(decided)} decisions can be learnt from ({reasons})"
            raise UsageError(what, where="dpo", fix="Raise dpo.context, or let writers decide on more revisions first")
        pairs = [one.pair for one in decided if one.pair.id in self.lessons]
        learn, held = hold_out(pairs, cfg.validation)
        self.learn, self.held = [p.id for p in learn], [p.id for p in held]

    def _tokens(self, tokenizer: Tokenizer, decided: Sequence[_Decided]) -> Iterator[tuple[str, Preference]]:
        """Each decision as tokens, by id; what does not fit or does not differ is set aside."""
        from tensaku.tune.preference import Preference

        for one in decided:
            chosen = to_example(tokenizer, one.pair, self.instruction)
            rejected = to_example(tokenizer, one.other, self.instruction)
            length = len(chosen.prompt) + max(len(chosen.completion), len(rejected.completion))
            row = {**asdict(one.pair), "rejected": one.rejected}
            if length > self.context:
                detail = f"{length} tokens, the context holds {self.context}"
                self.dropped.append(Drop("too-long", one.pair.source, detail, row))
            elif chosen.completion == rejected.completion:
                self.dropped.append(Drop("no-difference", one.pair.source, "both texts are the same tokens", row))
            else:
                yield one.pair.id, Preference(chosen.prompt, chosen.completion, rejected.completion)

    def _reasons(self) -> dict[str, int]:
        return dict(sorted(Counter(drop.reason for drop in self.dropped).items()))

    def go(self, inputs: dict[str, str], counting: Counting) -> Outcome:
        """Train, save, and note what was found."""
        from tensaku.tune.arithmetic import settle
        from tensaku.tune.loop import Course, Places, train

        cfg, bench = self.cfg, self.bench
        inputs |= {"base": self.base.key, "adapter": self.adapter.key, "instruction": self.instruction}
        how = settle(cfg, bench.aside, inputs)
        bench.say(f"dpo: {how.spoken}")
        learner = self._learner(how.multiply)
        before = self._margins(learner, bench.aside / _REFERENCE)
        lessons = {name: one._replace(reference=before[name]) for name, one in self.lessons.items()}
        steps = max(1, round(cfg.epochs * len(self.learn) / cfg.batch))
        every = math.ceil(steps / _LOOKS) if self.held else 0
        course = Course(steps, cfg.batch, cfg.learning_rate, max(1, min(20, steps // 10)), cfg.seed, every)
        with bench.progress("dpo", steps) as progress:
            outcome = train(
                learner,
                [lessons[name] for name in self.learn],
                course,
                Places(bench.path, bench.aside, how.run),
                counting(progress.advance),
                validation=[lessons[name] for name in self.held],
            )
        learner.save(bench.path, self.base.ref)
        lines = (json.dumps(asdict(drop), ensure_ascii=False) + "\n" for drop in self.dropped)
        (bench.path / DROPS).write_text("".join(lines), encoding="utf-8")
        after = self._margins(learner, None)
        bench.facts.update({**self._facts(learner, outcome), **self._found(before, after), **how.facts})
        return outcome

    def _learner(self, multiply: Any) -> PreferenceLearner:
        from tensaku.models.decoder import Decoder
        from tensaku.models.weights import Weights
        from tensaku.tune.lora import MergedLora
        from tensaku.tune.peft_folder import load_adapter_into, settings_of
        from tensaku.tune.preference import PreferenceLearner

        weights = Weights.load(self.base.path)
        folder = self.adapter.path / "adapter"
        lora = MergedLora(weights, settings_of(folder, weights.shape), multiply)
        load_adapter_into(lora, folder)
        decoder = Decoder(weights, self.context)
        return PreferenceLearner(decoder, lora, beta=self.cfg.beta, sft=self.cfg.sft_weight, multiply=multiply)

    def _margins(self, learner: PreferenceLearner, kept: Path | None) -> dict[str, float]:
        """Each decision's margin as the parameters are now; those that `kept` holds already are taken from there."""
        found = _kept(kept) if kept else {}
        learner.prepare()
        with self.bench.progress("dpo: reference" if kept else "dpo: margins", len(self.lessons)) as progress:
            for name, lesson in self.lessons.items():
                if name not in found:
                    found[name] = learner.margin(lesson)
                    if kept:
                        with kept.open("a", encoding="utf-8") as file:
                            file.write(json.dumps({"id": name, "margin": found[name]}) + "\n")
                progress.advance(1, "")
        return found

    def _facts(self, learner: PreferenceLearner, outcome: Outcome) -> dict[str, Any]:
        from tensaku.tune.stage import size_mb, trained

        return {
            "method": "dpo",
            "form": "adapter",
            "base": self.base.ref,
            "start": self.adapter.ref,
            "lessons": self.adapter.facts.get("lessons"),
            "preferences": len(self.learn),
            "validation_preferences": len(self.held),
            "dropped": self._reasons(),
            "trainable_parameters": sum(p.numel() for _, p in learner.named_parameters()),
            "size_mb": size_mb(self.bench.path),
            **trained(outcome),
        }

    def _found(self, before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
        """Accuracies and margins before and after."""
        grown = [after[name] > before[name] for name in self.learn]
        found = {"reward_accuracy": sum(grown) / len(grown)}
        for moment, margins in (("before", before), ("after", after)):
            learnt = [margins[name] for name in self.learn]
            found[f"accuracy_{moment}"] = sum(m > 0 for m in learnt) / len(learnt)
            found[f"margin_{moment}"] = math.fsum(learnt) / len(learnt)
            held = [margins[name] for name in self.held]
            if held:
                found[f"held_accuracy_{moment}"] = sum(m > 0 for m in held) / len(held)
        return found


def _kept(path: Path) -> dict[str, float]:
    """What a killed run had computed; a torn last line is computed again."""
    found: dict[str, float] = {}
    if path.exists():
        whole = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
        path.write_text("".join(whole), encoding="utf-8")
        for line in whole:
            row = json.loads(line)
            found[row["id"]] = row["margin"]
    return found
