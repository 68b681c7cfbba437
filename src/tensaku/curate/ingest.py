"""The stage that brings outside files in: rows become pairs, what cannot is set aside with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pydantic

import tensaku.curate.read_tables
import tensaku.curate.read_text  # noqa: F401  (registers the readers)
from tensaku.config import Section
from tensaku.curate.finals import Finals, chosen
from tensaku.curate.mapping import FREE, NEEDED, Fault, Mapper
from tensaku.curate.rows import Broken, JsonlWriter, Row, read_jsonl
from tensaku.errors import DataError, UsageError, nearest
from tensaku.plugins import Part, sources
from tensaku.records import Drop, Pair
from tensaku.store import Bench, SourceFile, stage

__all__ = ["DROPS", "PAIRS", "Sources", "Use", "files", "ingest"]

PAIRS = "pairs.jsonl"
DROPS = "drops.jsonl"
_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
}


class Use(Section):
    """One file of pairs, and how it is to be read."""

    path: str
    """The file, relative to the task file's folder."""
    source: str | None = None
    """The reader: jsonl, csv, parquet, excel, or one of a plug-in. By default the file's ending says it."""
    columns: dict[str, str] = pydantic.Field(default_factory=dict)
    """Field -> the column that holds it, as in { draft = "原稿", final = "公表文" }. Others have their own names."""
    fill: dict[str, str] = pydantic.Field(default_factory=dict)
    """Field -> the value it has in every row of this file, as in { section = "market" }."""
    values: dict[str, dict[str, str]] = pydantic.Field(default_factory=dict)
    """Field -> written value -> value taken, as in { section = { "市場動向" = "market" } }."""
    on_bad: Literal["stop", "set-aside"] = "stop"
    """What a line that is no JSON or CSV, or a row without a needed column, does. Lesser faults: set aside."""
    options: dict[str, Any] = pydantic.Field(default_factory=dict)
    """Settings of the reader: encoding, delimiter (csv), sheet (excel)."""


class Sources(Section):
    """The files that the pairs come from."""

    use: tuple[Use, ...] = ()
    """Each file, in the order in which rows are taken: of two equal pairs the first is kept."""
    finals: Finals = Finals()
    """The comments saved at the desk."""


def files(cfg: Sources, folder: Path) -> dict[str, SourceFile]:
    """The inputs of `ingest`: each file of `cfg` under its name `file_1`, `file_2` ...

    Args:
        folder: what relative paths start from.

    Raises:
        UsageError: no file is named, a file is not there, or a reader, a setting or a field is unknown.
    """
    if not cfg.use and not cfg.finals.use:
        raise UsageError("no source is named", where="[sources]", fix='Add use = [{ path = "data/pairs.jsonl" }]')
    found = {}
    for number, use in enumerate(cfg.use, 1):
        _reader(use)
        for table in ("columns", "fill", "values"):
            _check_fields(use, table, getattr(use, table))
        path = folder / use.path
        if not path.is_file():
            what = "this is a folder, not a file" if path.is_dir() else "there is no such file"
            raise UsageError(what, where=path, fix="Correct the path in [sources]")
        found[f"file_{number}"] = SourceFile(path)
    return found


def _check_fields(use: Use, table: str, named: dict[str, Any]) -> None:
    known = (*NEEDED, *FREE)
    for name in named:
        if name not in known:
            close = nearest(name, known, n=1)
            fix = f"Did you mean {close[0]!r}?" if close else f"There is: {', '.join(known)}"
            raise UsageError(f"{table} names the unknown field {name!r}", where=f"[sources] {use.path}", fix=fix)


def _reader(use: Use) -> Part[Any]:
    suffix = Path(use.path).suffix.lower()
    name = use.source or _SUFFIXES.get(suffix)
    if name is None:
        raise UsageError(
            f"no reader is known for the ending {suffix!r}",
            where=f"[sources] {use.path}",
            fix=f'Name one, as in source = "csv". There is: {", ".join(sources.names())}',
        )
    options = dict(use.options)
    if suffix == ".tsv" and name == "csv":
        options.setdefault("delimiter", "\t")
    return sources.build({"source": name, **options})


@dataclass
class _Tally:
    """What became of one file's rows."""

    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    first_drop: str = ""


@stage(version=3)
def ingest(bench: Bench, cfg: Sources, **files: SourceFile) -> None:
    """Read every file of `cfg` and leave `pairs.jsonl`, one pair a row, and `drops.jsonl`.

    Args:
        files: the files, named as `curate.files` names them; `finals` is what `curate.finals_file` wrote.

    Raises:
        DataError: a file is empty, in an unknown encoding, without a needed column, or holds no row that could be used;
            or a line cannot be read and its `on_bad` is "stop". Names file, line and field.
    """
    facts: list[dict[str, Any]] = []
    with JsonlWriter(bench.path / PAIRS) as kept, JsonlWriter(bench.path / DROPS) as dropped:
        for number, use in enumerate(cfg.use, 1):
            path = files[f"file_{number}"].path
            tally = _Tally()
            with bench.progress(f"read {path.name}", None) as bar:
                for record in _records(path, use, tally):
                    (kept if isinstance(record, Pair) else dropped).write(record)
                    bar.advance(1)
            _check_any(path, tally)
            facts.append(
                {
                    "file": use.path,
                    "sha256": files[f"file_{number}"].key,
                    "rows": tally.read,
                    "pairs": tally.kept,
                    "set_aside": dict(sorted(tally.dropped.items())),
                }
            )
        if cfg.finals.use:
            facts.append(_saved(files["finals"], cfg.finals, kept, dropped))
    bench.facts.update(files=facts, n=kept.n, set_aside=dropped.n)


def _saved(file: SourceFile, cfg: Finals, kept: JsonlWriter, dropped: JsonlWriter) -> dict[str, Any]:
    """Take the finals that are to be learnt from, after the files."""
    tally, writers = _Tally(), Counter[str]()
    for row in read_jsonl(file.path):
        tally.read += 1
        found = chosen(row, cfg)
        if isinstance(found, Pair):
            tally.kept += 1
            writers[row["decided_by"]] += 1
            kept.write(found)
        else:
            tally.dropped[found.reason] += 1
            dropped.write(found)
    return {
        "file": "finals of the desk",
        "sha256": file.key,
        "rows": tally.read,
        "pairs": tally.kept,
        "set_aside": dict(sorted(tally.dropped.items())),
        "decided_by": dict(sorted(writers.items())),
    }


def _records(path: Path, use: Use, tally: _Tally) -> Iterator[Pair | Drop]:
    mapper, name = Mapper(use.columns, use.fill, use.values), Path(use.path).name
    for row in _reader(use)(path):
        tally.read += 1
        source = f"{name}:{row.line}"
        found: Pair | Fault | Broken = row if isinstance(row, Broken) else mapper.pair(row.values, source)
        if isinstance(found, Pair):
            tally.kept += 1
            yield found
            continue
        grave = not found.readable if isinstance(found, Broken) else found.missing
        if grave and use.on_bad == "stop":
            raise _stop(path, row, found)
        tally.dropped[found.reason] += 1
        tally.first_drop = tally.first_drop or f"line {row.line}: {found.detail}"
        values = {"text": row.text} if isinstance(row, Broken) else dict(row.values)
        yield Drop(found.reason, source, found.detail, values)


def _stop(path: Path, row: Row | Broken, fault: Fault | Broken) -> DataError:
    if isinstance(fault, Broken):
        fix = 'Correct the line, or say on_bad = "set-aside" for this file'
        return DataError(fault.detail, file=path, line=fault.line, fix=fix)
    columns = [str(name) for name in row.values] if isinstance(row, Row) else []
    close = nearest(fault.field, columns, n=1)
    has = f"Did you mean {close[0]!r}? " if close else f"The row has: {', '.join(columns[:12]) or 'nothing'}. "
    how = 'Name the column with columns = { FIELD = "COLUMN" } or fill all rows with fill = { FIELD = "VALUE" }'
    return DataError("this column is missing", file=path, line=row.line, field=fault.field, fix=has + how)


def _check_any(path: Path, tally: _Tally) -> None:
    if tally.read == 0:
        raise DataError("the file holds no rows", file=path)
    if tally.kept == 0:
        reasons = ", ".join(f"{reason} {n}" for reason, n in tally.dropped.most_common())
        raise DataError(f"none of its {tally.read} rows can be used ({reasons}); {tally.first_drop}", file=path)
