"""What differs between two trainings: settings, figures, the scores of what was made alike of both, then the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensaku.config import Section
from tensaku.store import Artifact, Bench, SilentReporter, Store, stage


class Knobs(Section):
    """A learning rate and a note."""

    rate: float = 1e-3
    note: str = ""


class Nothing(Section):
    """At most one setting."""

    sample: int = 0


@stage(version=1)
def base(bench: Bench, cfg: Nothing) -> None:
    (bench.path / "model").write_text(str(cfg.sample))


@stage(version=1)
def exam(bench: Bench, cfg: Nothing) -> None:
    (bench.path / "exam").write_text(str(cfg.sample))


@stage(version=1)
def tune(bench: Bench, cfg: Knobs, *, base: Artifact) -> None:
    (bench.path / "weights").write_text(f"{cfg.rate}")
    bench.facts.update(form=f"at {cfg.rate}", last_loss=cfg.rate * 100, ok=cfg.rate < 1e-3, steps=7)


@stage(version=1)
def polish(bench: Bench, cfg: Nothing, *, tuned: Artifact) -> None:
    (bench.path / "weights").write_text(tuned.ref)


@stage(version=1)
def evaluate(bench: Bench, cfg: Nothing, *, tuned: Artifact, base: Artifact, exam: Artifact) -> None:
    bench.facts.update(bleu=80.0 if "polish" in tuned.ref else 70.0 + tuned.config["rate"] * 1000, of=tuned.ref)


@pytest.fixture
def store(workspace: Path) -> Store:
    return Store(workspace, SilentReporter())


def test_settings_then_figures_then_scores_then_the_rest(store: Store) -> None:
    model, asked = store.run(base, Nothing()), store.run(exam, Nothing())
    one, two = (store.run(tune, Knobs(rate=rate), base=model) for rate in (1e-3, 5e-4))
    for tuned in (one, two):
        store.run(evaluate, Nothing(), tuned=tuned, base=model, exam=asked)
    found = store.diff(one.ref, two.ref)
    wanted = ["config.rate", "facts.last_loss", "facts.form", "facts.ok", "evaluate.bleu", "files.weights"]
    assert [d.where for d in found] == wanted
    score = found[4]
    assert (score.old, score.new, score.change) == (71.0, 70.5, -0.5)
    assert [d.change is None for d in found] == [False, False, True, True, False, True]


def test_scores_of_another_exam_or_other_settings_are_not_compared(store: Store) -> None:
    model = store.run(base, Nothing())
    one, two = (store.run(tune, Knobs(rate=rate), base=model) for rate in (1e-3, 5e-4))
    store.run(evaluate, Nothing(), tuned=one, base=model, exam=store.run(exam, Nothing()))
    store.run(evaluate, Nothing(), tuned=two, base=model, exam=store.run(exam, Nothing(sample=2)))
    store.run(evaluate, Nothing(sample=9), tuned=two, base=model, exam=store.run(exam, Nothing()))
    assert not [d for d in store.diff(one.ref, two.ref) if d.where.startswith("evaluate")]


def test_scores_are_found_by_way_of_what_was_made_of_both(store: Store) -> None:
    """Two bases, each tuned, polished and examined alike."""
    asked = store.run(exam, Nothing())
    made = []
    for n in (1, 2):
        model = store.run(base, Nothing(sample=n))
        tuned = store.run(tune, Knobs(rate=n * 1e-3), base=model)
        polished = store.run(polish, Nothing(), tuned=tuned)
        store.run(evaluate, Nothing(), tuned=tuned, base=model, exam=asked)
        made.append((tuned, polished))
    found = {d.where: d for d in store.diff(made[0][0].ref, made[1][0].ref)}
    assert found["evaluate.bleu"].change == 1.0
    assert "inputs.base.key" in found
    assert not [where for where in found if where.startswith("polish")]  # no figures, so nothing to say
