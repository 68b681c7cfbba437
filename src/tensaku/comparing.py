"""Candidates side by side: what they wrote, what a judge and people say of it, and what people are given to read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import combinations
from pathlib import Path
from typing import Any

from tensaku.errors import NotFound, TensakuError, UsageError
from tensaku.evaluate import Board, Candidate, Entry, Examine, Judge, Judging, examine, judge, leaderboard
from tensaku.evaluate.panel import panel
from tensaku.evaluate.votes import Vote
from tensaku.ledger import Ledger, NewComparison, VoteRow
from tensaku.options import seen_ledger
from tensaku.pipeline import Road, Workspace, build
from tensaku.records import Pair, from_dict
from tensaku.store import Artifact, Input, SourceFile, Store, frozen_file

__all__ = ["compare", "lay_out", "lay_out_reading", "outputs_of", "panel_of", "reported", "votes_file", "votes_on"]

Outputs = Mapping[str, tuple[Artifact, str]]
"""By candidate, the artifact that holds its outputs, and under which row."""


def compare(store: Store, workspace: Workspace) -> Artifact:
    """Let every candidate of [leaderboard] answer the exam, and put them side by side; the sealed leaderboard.

    A candidate that fails is kept with its reason, and the others go on; what it answered before is kept too.

    Raises:
        UsageError, StageError: what all candidates share could not be made.
    """
    shared = build(store, workspace, "lessons")
    plan = workspace.spec.leaderboard.candidates
    entries: list[Entry] = []
    made: dict[str, Artifact] = {}
    for number, (name, candidate) in enumerate(plan.items(), start=1):
        store.reporter.say(f"leaderboard, candidate {number} of {len(plan)}: {name}")
        failed = ""
        try:
            made[name] = _answered(store, workspace, candidate)
        except TensakuError as error:
            failed = str(error)
            store.reporter.say(f"leaderboard, candidate {name} failed: {failed}")
        row = "tuned" if candidate.method else "answer"
        about = _about(workspace, candidate)
        prices = {"yen_read": candidate.yen_read, "yen_written": candidate.yen_written}
        prices["yen_per_hour"] = workspace.spec.evaluate.yen_per_hour
        entries.append(Entry(name=name, row=row, about=about, consent=candidate.consent, failed=failed, **prices))
    spec = workspace.spec.evaluate
    cfg = Board(
        entries=tuple(entries),
        scorers=spec.scorers,
        resamples=spec.resamples,
        seed=spec.seed,
        alpha=workspace.spec.leaderboard.alpha,
    )
    given: dict[str, Input] = {"exam": shared["exam"], "lessons": shared["lessons"], "candidates": made}
    given["names"] = SourceFile(workspace._named("names"))
    if workspace.spec.task.style:
        given["style"] = SourceFile(workspace._named("style"))
    try:
        judged = _judged(store, workspace, shared["exam"], entries, made)
    except TensakuError as error:  # the candidates have answered; the board does without
        judged, why = None, str(error)
        store.reporter.say(f"leaderboard, the judge failed: {why}")
        cfg = cfg.model_copy(update={"judge_failed": why})
    if judged is not None:
        given["judged"] = judged
    votes = _votes_file(workspace, shared["exam"], entries, made)
    if votes is not None:
        given["votes"] = votes
    return store.run(leaderboard, cfg, **given)


def reported(store: Store, workspace: Workspace) -> Artifact | None:
    """The evaluation with what people and the judge say of its outputs; None if there is nothing to say.

    Its figures are those of the evaluation on the road, and no model is asked but the judge. It is no part of the road,
    so a vote cast later leaves a release as it is.

    Raises:
        StageError: the judge failed; what it said before is kept.
    """
    road = Road(store, workspace)
    road.walk("evaluate")
    made, exam = road.done["evaluate"], road.done["exam"]
    rows = ("base", "tuned") if made.facts["base_n"] == made.facts["exam_n"] else ("tuned",)
    entries = [Entry(name=row, row=row) for row in rows]
    answered = dict.fromkeys(rows, made)
    said: dict[str, Input] = {}
    judged = _judged(store, workspace, exam, entries, answered)
    if judged is not None:
        said["judged"] = judged
    votes = _votes_file(workspace, exam, entries, answered)
    if votes is not None:
        said["votes"] = votes
    return road.evaluate(**said) if said else None


def _judged(
    store: Store, workspace: Workspace, exam: Artifact, entries: Sequence[Entry], made: Mapping[str, Artifact]
) -> Artifact | None:
    """What the judge of the task file says of the candidates, if there is one and anything to compare."""
    asked = workspace.spec.judge
    there = tuple(entry for entry in entries if not entry.failed)
    if not asked.there or not there:
        return None
    road = Road(store, workspace)
    road.walk("trim")
    plain = tuple(Entry(name=entry.name, row=entry.row) for entry in there)  # what decides on the outputs
    cfg = Judging(entries=plain, **{name: getattr(asked, name) for name in Judge.model_fields})
    given: dict[str, Input] = {"exam": exam, "base": road.model, "instruction": road.instruction}
    return store.run(judge, cfg, **given, candidates={entry.name: made[entry.name] for entry in there})


def _votes_file(
    workspace: Workspace, exam: Artifact, entries: Sequence[Entry], made: Mapping[str, Artifact]
) -> SourceFile | None:
    """The votes that people cast on just these outputs, in a file named by its content; None without any."""
    rows = {entry.name: (made[entry.name], entry.row) for entry in entries if not entry.failed}
    return votes_file(workspace.root, _votes_here(workspace, exam, rows)[0])


def votes_file(root: Path, votes: Sequence[VoteRow]) -> SourceFile | None:
    """Votes as a file below the workspace's root, a line a vote, named by its content; None without any."""
    return frozen_file((_vote(vote)._asdict() for vote in votes), root / "readings", "votes") if votes else None


def _votes_here(
    workspace: Workspace,
    exam: Artifact,
    rows: Outputs,
    opened: Callable[[Workspace], AbstractContextManager[Ledger]] = Workspace.open_ledger,
) -> tuple[list[VoteRow], int]:
    """The votes that people cast on just these outputs of this exam, and how many they cast on others."""
    if not workspace.spec.ledger.url and not workspace.ledger_file.exists():
        return [], 0
    with opened(workspace) as ledger:
        cast = ledger.votes()
    votes = votes_on(cast, exam, rows) if cast else []
    return votes, len(cast) - len(votes)


def votes_on(cast: Iterable[VoteRow], exam: Artifact, rows: Outputs) -> list[VoteRow]:
    """Those of the votes that were cast on just these outputs of this exam."""
    texts = outputs_of(exam, rows)
    return [
        vote
        for vote in cast
        if vote.exam == exam.ref
        and texts.get(vote.left, {}).get(vote.item) == vote.left_text
        and texts.get(vote.right, {}).get(vote.item) == vote.right_text
    ]


def _vote(vote: VoteRow) -> Vote:
    return Vote(vote.left, vote.right, vote.winner, vote.item, vote.by)


def outputs_of(exam: Artifact, rows: Outputs) -> dict[str, dict[str, str]]:
    """Candidate -> item -> its output; the untouched draft and the published text are always there."""
    with exam.file("exam.jsonl").open(encoding="utf-8") as file:
        pairs = [json.loads(line) for line in file]
    found = {
        "draft": {pair["id"]: pair["draft"] for pair in pairs},
        "reference": {pair["id"]: pair["final"] for pair in pairs},
    }
    for name, (artifact, row) in rows.items():
        with artifact.file("outputs.jsonl").open(encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        found[name] = {line["id"]: line["rows"][row]["text"] for line in lines if row in line["rows"]}
    return found


def lay_out_reading(store: Store, workspace: Workspace, names: Sequence[str], n: int, by: str) -> tuple[int, list[str]]:
    """Lay out outputs of the newest leaderboard, or else of the newest evaluation, to be read blind two by two.

    Args:
        names: the candidates, `draft` (untouched) and `reference` (what was published) among those that may be named;
            empty: every candidate.
        n: of how many drafts of the exam, evenly over it; 0 is all.
        by: who does this.

    Returns:
        How many comparisons are new, and the candidates.

    Raises:
        NotFound, UsageError: nothing was evaluated yet, or there is no candidate or person of that name.
    """
    made, rows = _newest(store, workspace)
    exam = store.get(made.inputs["exam"])
    texts = outputs_of(exam, rows)
    chosen = list(names) or list(rows)
    for name in chosen:
        if name not in texts:
            raise NotFound("candidate", name, texts)
    if len(set(chosen)) < 2:
        raise UsageError("a comparison takes two candidates", where="read", fix=f"There is: {', '.join(texts)}")
    with workspace.open_ledger() as ledger:
        return ledger.add_comparisons(lay_out(exam, texts, chosen, n), by), chosen


def lay_out(
    exam: Artifact, texts: Mapping[str, Mapping[str, str]], names: Sequence[str], n: int
) -> list[NewComparison]:
    """Every two of the named candidates side by side, on `n` drafts evenly over the exam; 0 is all."""
    with exam.file("exam.jsonl").open(encoding="utf-8") as file:
        pairs = [from_dict(Pair, json.loads(line)) for line in file]
    step = len(pairs) / n if 0 < n < len(pairs) else 1.0
    picked = [pairs[int(place * step)] for place in range(int(len(pairs) / step))]
    new = []
    for pair in picked:
        for one, two in combinations(dict.fromkeys(names), 2):
            first, second = texts[one].get(pair.id, ""), texts[two].get(pair.id, "")
            if first.strip() and second.strip() and first != second:  # equal texts need no reader
                told = (pair.fund, pair.section, pair.as_of, pair.draft)
                new.append(NewComparison(exam.ref, pair.id, *told, one, first, two, second))
    return new


def _newest(store: Store, workspace: Workspace) -> tuple[Artifact, dict[str, tuple[Artifact, str]]]:
    """The newest leaderboard, else the newest evaluation; each candidate with artifact and row of its outputs.

    Raises:
        UsageError: nothing was evaluated yet.
    """
    boards, evaluations = store.list("leaderboard"), store.list("evaluate")
    if boards:
        board = boards[-1]
        entries = board.manifest["config"]["entries"]
        rows = {
            entry["name"]: (store.get(board.inputs[f"candidates.{entry['name']}"]), entry["row"])
            for entry in entries
            if not entry["failed"]
        }
        return board, rows
    if not evaluations:
        what = "nothing was evaluated yet"
        raise UsageError(what, where=workspace.folder, fix="Run: tensaku run evaluate")
    made = evaluations[-1]
    return made, {row: (made, row) for row in ("base", "tuned")}


def panel_of(store: Store, workspace: Workspace, resamples: int) -> dict[str, Any]:
    """Strengths and agreement by what this workspace's people and judge said of the newest outputs; may be empty.

    `others` is how many votes were cast on outputs that no candidate gives any more.

    Raises:
        UsageError: nothing was evaluated yet.
    """
    made, rows = _newest(store, workspace)
    votes, others = _votes_here(workspace, store.get(made.inputs["exam"]), rows, seen_ledger)
    judged = store.get(made.inputs["judged"]) if "judged" in made.inputs else None
    found = panel(list(map(_vote, votes)), judged, resamples, workspace.spec.evaluate.seed)
    return {**found, "others": others} if found or others else {}


def _answered(store: Store, workspace: Workspace, candidate: Candidate) -> Artifact:
    """What holds a candidate's outputs: its evaluation if it is tuned here, else its examination."""
    own = workspace.candidate(candidate)
    if candidate.method:
        return build(store, own, "evaluate")["evaluate"]
    road = Road(store, own)
    road.walk("trim")
    given: dict[str, Input] = {"exam": road.done["exam"], "base": road.model}
    given |= {"instruction": road.instruction, "names": road.names}
    if candidate.adapter:
        given["adapter"] = own.adapter_files(candidate)
    spec = own.evaluation()
    cfg = Examine(
        facts_safe=spec.facts_safe is not False,
        choices=own.spec.task.choices,
        engine=candidate.engine or spec.engine,
        consent=candidate.consent,
        at_once=spec.at_once,
        probes=spec.probes,
    )
    return store.run(examine, cfg, **given)


def _about(workspace: Workspace, candidate: Candidate) -> str:
    """What a candidate is, in a few words."""
    if candidate.engine.get("url"):
        return " ".join(str(candidate.engine[key]) for key in ("model", "url") if candidate.engine.get(key))
    base = candidate.base or workspace.spec.base.model
    return f"{base}, {candidate.method or candidate.adapter or 'untuned'}"
