"""The command `revise`."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensaku.batch.tables import ADDED, READERS, Columns, Table
from tensaku.deploy import opened
from tensaku.errors import DataError, UsageError
from tensaku.pipeline import Workspace
from tensaku.records import Revision, to_dict
from tensaku.revise import DraftText, check_draft, check_month, revise_many, start
from tensaku.show import print_revision, reporter
from tensaku.store import Journal, holding
from tensaku.text import changes, lost

if TYPE_CHECKING:
    from tensaku.deploy import Keep
    from tensaku.engines import Engine
    from tensaku.revise import Job
    from tensaku.store import Reporter

__all__ = ["revise_tables", "revise_text"]


def revise_text(
    file: Path, folder: Path, about: tuple[str, str, str], *, ref: str | None, trial: bool, as_json: bool
) -> None:
    """Revise the one draft in `file` and print the comment; `about` is fund, section and month.

    Raises:
        UsageError: the draft cannot be read or revised, or there is no release that may answer.
    """
    text = _text(file)
    check_draft(text)
    check_month(about[2])
    with opened(Workspace.open(folder), ref, trial=trial, reporter=reporter()) as (engine, job, keep):
        result = start(engine, job, DraftText(text, *about)).result()
        keep(result)
    if as_json:
        print(json.dumps({**to_dict(result), "facts_kept": result.verdict.kept}, ensure_ascii=False))
    else:
        print_revision(result)


def revise_tables(
    files: Sequence[Path],
    folder: Path,
    columns: Columns,
    *,
    out: Path | None,
    ref: str | None,
    trial: bool,
    as_json: bool,
) -> None:
    """Revise every draft of the tables; `NAME.revised.EXT` is each table with the comments beside its drafts.

    Every row of every table is checked before a model is loaded. What is revised is kept at once: a killed run goes on
    where it was, and a table that is finished is not done again.

    Raises:
        UsageError: a table or a row is wrong, a target is there and is not this table's, or no release may answer.
    """
    targets = _targets(files, out)
    tables = [Table.read(file, columns) for file in files]
    workspace, shown = Workspace.open(folder), reporter()
    done, at_once = [], workspace.spec.serve.together(None)
    with opened(workspace, ref, trial=trial, reporter=shown) as (engine, job, keep):
        maker = {**engine.identity(job.adapter), **job.provenance, "instruction": job.instruction}
        for table, target in zip(tables, targets, strict=True):
            with holding(_lock(workspace.root, target), f"the table {target.name}", shown, wait=False):
                done.append(_revise_table(table, target, (engine, job, keep), maker, shown, at_once))
    if as_json:
        print(json.dumps(done, ensure_ascii=False))
    for one in () if as_json else done:
        broken = f", facts differ in {one['facts_broken']}" if one["facts_broken"] else ", every fact kept"
        print(f"{one['file']}: {one['rows']} drafts{broken}" + (" (done before)" if one["before"] else ""))


def _targets(files: Sequence[Path], out: Path | None) -> list[Path]:
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"the folder cannot be made ({error.strerror})", where=out, fix="Name another") from None
    targets = [(out or file.parent) / f"{file.stem}.revised{file.suffix}" for file in files]
    for target in targets:
        if targets.count(target) > 1:
            raise UsageError("two tables would be written here", where=target, fix="Revise them one by one")
    return targets


def _revise_table(
    table: Table, target: Path, by: tuple[Engine, Job, Keep], maker: dict[str, str], shown: Reporter, at_once: int
) -> dict[str, Any]:
    engine, job, keep = by
    keys = [_key(draft, maker) for draft in table.drafts]
    if target.exists():
        return _finished(table, target, maker)
    journal = Journal(target.with_name(f"{target.name}.journal"))
    found: dict[str, dict[str, Any]] = {entry["key"]: entry["row"] for entry in journal.read()}
    waiting = {key: draft for key, draft in zip(keys, table.drafts, strict=True) if key not in found}
    with shown.task(f"revise {table.path.name}", len(table.drafts)) as progress:
        progress.advance(len(keys) - len(waiting))
        results = revise_many(engine, job, waiting.values(), at_once=at_once)
        for key in waiting:
            try:
                made = next(results)
            except UsageError as error:  # it does not fit into the model's context
                line = table.lines[keys.index(key)]
                raise DataError(error.what, file=table.path, line=line, fix=error.fix) from None
            keep(made)
            found[key] = _row(made)
            journal.append({"key": key, "row": found[key]})
            progress.advance()
    rows = [found[key] for key in keys]
    if remark := table.write(target, rows):
        shown.say(remark)
    journal.remove()
    return _told(target, rows, before=False)


def _finished(table: Table, target: Path, maker: dict[str, str]) -> dict[str, Any]:
    """What stands in a table that was finished before.

    Raises:
        UsageError: it is not this table's, or another release wrote it.
    """
    fix = "Move it away, or name another folder with --out"
    try:
        held = [row.values for row in READERS[target.suffix.lower()](target)]
    except (DataError, AttributeError):
        held = []
    same = len(held) == len(table.rows) and all(
        all(str(new.get(name)) == str(value) for name, value in old.items())
        for old, new in zip(table.rows, held, strict=True)
    )
    if not same or any(name not in held[0] for name in ADDED):
        raise UsageError("this file is there already and was made of other drafts", where=target, fix=fix)
    if {(row["release"], row["adapter"]) for row in held} != {(maker["release"], maker["adapter"])}:
        raise UsageError("this file is there already and was written by another release", where=target, fix=fix)
    rows = [{**row, "facts_kept": row["facts_kept"] in (True, "yes")} for row in held]
    return _told(target, rows, before=True)


def _told(target: Path, rows: Sequence[dict[str, Any]], *, before: bool) -> dict[str, Any]:
    broken = sum(not row["facts_kept"] for row in rows)
    return {"file": str(target), "rows": len(rows), "facts_broken": broken, "before": before}


def _row(made: Revision) -> dict[str, Any]:
    by = made.provenance
    return {
        "revision": made.text,
        "facts_kept": made.verdict.kept,
        "facts_broken": [f"{b.what} {b.fact.kind}: {b.fact.text}" for b in made.verdict.breaks],
        "sentences_lost": [sentence.text.strip() for sentence in lost(made.draft, made.verdict)],
        "changes": [[change.old, change.new] for change in changes(made.draft, made.text)],
        "finish": made.finish,
        "release": by.get("release", ""),
        "adapter": by.get("adapter", ""),
        "base": by.get("base", ""),
        "engine": f"{by.get('engine', '')} {by.get('version', '')}",
    }


def _key(draft: DraftText, maker: dict[str, str]) -> str:
    """The same draft, told the same of it, asked of the same model in the same words."""
    written = json.dumps([draft.text, draft.fund, draft.section, draft.as_of, maker], sort_keys=True)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()


def _lock(root: Path, target: Path) -> Path:
    """The file whose lock says that somebody of this workspace writes `target`."""
    locks = root / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    return locks / f"{hashlib.sha256(str(target.resolve()).encode()).hexdigest()[:16]}.lock"


def _text(file: Path) -> str:
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError("there is no such file", where=file, fix="Name a text file with one draft") from None
    except UnicodeDecodeError:
        raise UsageError("the draft is not UTF-8 text", where=file, fix="Save it as UTF-8") from None
    except OSError as error:
        raise UsageError(f"it cannot be read: {error.strerror}", where=file) from None
