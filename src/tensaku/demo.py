"""The demonstration: the sample desk from raw files to a model at work, in one command."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from importlib import resources
from pathlib import Path
from typing import Any

from tensaku.errors import UsageError
from tensaku.ledger import Ledger, NewDraft
from tensaku.pipeline import TASK_FILE, Built, Workspace, build
from tensaku.store import Reporter, Store

__all__ = ["PEOPLE", "TUNER", "lay_out", "summary", "walk"]

#: The people of the demonstration, invented: short name, shown name, roles.
PEOPLE = (
    ("sato", "佐藤 美咲（執筆）", ("writer",)),
    ("suzuki", "鈴木 健（開発）", ("developer", "writer")),
    ("takahashi", "高橋 薫（承認）", ("approver", "reviewer", "writer")),
)
TUNER = "suzuki"

_FILES = ("tensaku.toml", "instruction.md", "names.toml", "style.toml", "house-style.md")
_FIGURES = (
    "exam_n",
    "bleu_draft",
    "bleu_base",
    "bleu_tuned",
    "chrf_tuned",
    "facts_kept",
    "dropped_sentences",
    "doubled_sentences",
    "form_seen_share",
)
_DATA = ("pairs.jsonl", "old-system.csv", "drafts.jsonl")


def lay_out(folder: Path) -> None:
    """Copy the sample desk into `folder`; files that stand there already are left as they are.

    Raises:
        UsageError: the folder cannot be written, or holds something that is not a Tensaku workspace.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError("this is a file, not a folder", where=folder, fix="Name a folder")
        if folder.exists() and not (folder / TASK_FILE).exists() and _foreign(folder):
            fix = "Name a new or empty folder: tensaku demo DIR"
            raise UsageError("the folder holds other things and no tensaku.toml", where=folder, fix=fix)
        (folder / "data").mkdir(parents=True, exist_ok=True)
        sample = resources.files("tensaku.sampledesk")
        for name in (*_DATA, *_FILES[1:], _FILES[0]):  # the task file last: it makes the folder a workspace
            target = folder / "data" / name if name in _DATA else folder / name
            if not target.exists():
                new = target.with_name(f"{target.name}.{secrets.token_hex(4)}.new")  # another may be at it too
                with resources.as_file(sample / name) as source:
                    shutil.copyfile(source, new)
                new.replace(target)
    except OSError as error:
        what = f"the folder cannot be written ({error.strerror or error})"
        raise UsageError(what, where=folder, fix="Free some space, or name a folder that you may write to") from None


def _foreign(folder: Path) -> set[str]:
    """What stands in `folder` beside our own files; those alone are left where laying out was cut short."""
    foreign = {found.name for found in folder.iterdir() if not _ours(found.name, ("data", *_FILES))}
    if (folder / "data").is_dir():
        foreign |= {found.name for found in (folder / "data").iterdir() if not _ours(found.name, _DATA)}
    return foreign


def _ours(name: str, names: tuple[str, ...]) -> bool:
    return name in names or (name.startswith(names) and name.endswith(".new"))


def walk(folder: Path, reporter: Reporter) -> tuple[Workspace, Store, Built]:
    """Lay the sample desk out and walk the whole road; what was done before is not done again.

    Raises:
        TensakuError: as the stages raise it.
    """
    lay_out(folder)
    workspace = Workspace.open(folder)
    store = Store(workspace.root, reporter)
    built = build(store, workspace)
    with workspace.open_ledger() as ledger:
        _people_and_drafts(ledger, folder)
        release = built["release"]
        if release.ref not in {row.ref for row in ledger.releases()}:
            ledger.add_release(release.ref, TUNER, release.facts)
    return workspace, store, built


def _people_and_drafts(ledger: Ledger, folder: Path) -> None:
    known = {person.name for person in ledger.people()}
    for name, shown, roles in PEOPLE:
        if name not in known:
            ledger.add_person(name, shown, roles)
    there = {draft.reference for draft in ledger.drafts()}
    for line in (folder / "data" / "drafts.jsonl").read_text(encoding="utf-8").splitlines():
        row: dict[str, Any] = json.loads(line)
        if row["id"] in there:
            continue
        labels = {key: row[key] for key in ("manager", "fund", "section", "as_of")}
        ledger.add_draft(NewDraft(text=row["draft"], origin="sample", reference=row["id"], **labels))


def summary(built: Built, started: float) -> dict[str, Any]:
    """The figures of the whole road, as one flat record. `started` is the `time.monotonic` of the command's start."""
    scores, tuned = built["evaluate"].facts, built["tune"].facts
    return {
        **{name: scores[name] for name in _FIGURES},
        "tune_seconds": tuned["tune_seconds"],
        "total_seconds": round(time.monotonic() - started, 1),
        "decode_tokens_per_second": scores["decode_tokens_per_second"],
        "matrix_gflops": tuned.get("matrix_gflops"),
        "release": built["release"].ref,
    }
